"""Gets and renews the Salesforce access tokens that requests are sent with.

How this works. An auth flow (`exchange.py`) is a generator without I/O: it yields requests,
receives answers and returns a token. `TokenProvider` runs it, one at a time for all senders:

```
 senders ─► TokenProvider.current ─► valid token: returned at once
                  │ none, or past 80 % of its lifetime
                  ▼
            one auth flow: read secrets ─► login ─► exchange ─► token
                  │                        (core)   (Data 360)
                  ├─ refused  ─► Hold(AUTH), next try after 30 s, rising to 10 min
                  └─ no answer ─► Transient, next try after 1 s, rising to 30 s
```

A token outlives a move of its tenant. Senders report every outcome (`caller.py`), and `doubt.py`
decides when a new login asks for the address. The old token is used until the login has ended.

For the CRM Bulk API the core token is enough and the exchange is left out (`core_flow`).

Words. A grant is what an endpoint returned. A token is a grant with a serial number, so that "this
token was refused" is exact. A signature is what changes when a secret file is replaced; after a
change a refused login is tried again at once.

What must never happen:

- A secret or a token appears in a message, a `repr` or a log line. Secrets are read for each flow
  and never shown.
- A token goes to a host that is not allowed. `instance_url` is checked before it is used.
- Two flows run at a time for one provider, or a refused login is repeated without a pause: both can
  lock the user out.
- An address that fails for long leads to many logins: at most one per step of the backoff.
- A rotated refresh token is lost, even when a later step of its flow fails.
"""
