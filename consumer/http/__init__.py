"""The HTTP client for Salesforce and the schema registry: a request in, an outcome out.

How this works. Auth, delivery, bulk and registry build `Request` values and send them through the
`Transport` protocol. No other package uses the client library.

```
 Request ─► HostPolicy.fault ──────► Hold(CONFIG): nothing is sent
               │ ok
               ▼
            DNS ─► address_fault ──► Hold(CONFIG): no connection is made
               │ ok
               ▼
            one exchange, one deadline ─┬─► Answer    status, headers, body up to 64 KiB
                                        └─► NoAnswer  failure, detail, may it have been acted on?
```

An outcome is a value. `TABLE` in `client.py` translates each exception of the library into a
`NoAnswer`, and a test proves it complete. `retry_after.py` reads how long the service asks to wait.
`clock_offset.py` learns the service's time from the dates of answers.
Retries are not made here: the caller decides, counts and paces them.

What must never happen:

- A token or a record goes to a host outside the allowed domains, or to a private address behind a
  public name.
- A redirect is followed, a cookie is kept, or a proxy is taken from the environment.
- The library repeats a request by itself. A body refuses to be sent twice.
- An answer is taken for the answer to another request. A connection that received unrequested bytes
  is closed.
- A message repeats bytes of the peer.
"""
