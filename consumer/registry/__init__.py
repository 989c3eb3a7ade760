"""Schema registry: fetches the schemas that records name, each of them once.

How this works

    record ── schema id ──► in SchemaCache? ── no ──► SchemaRegistry.schema (GET /schemas/ids/7)
                                │ yes                     │
                                ▼                         ├─ WrittenSchema: put into the cache
                        decode the record                 ├─ None: the registry does not have it
                                                          ├─ Transient: ask again with backoff
                                                          └─ Hold: AUTH or CONFIG

The cache and the decision to wait are outside this package (`decoding.schema_cache`,
`engine.schema_wait`). Here are the port, the client, and what its answers mean:

- `port`: what a registry can do; a test or the sandbox may implement it.
- `client`: the HTTP client. It fetches a schema and, depth first, every schema it refers to.
- `exchange`: requests and answers without I/O, by the REST API of Confluent's Schema Registry.
- `credentials`: user and password, token or client certificate, read from their files.
- `glue`, `glue_exchange`, `aws`: the same for the AWS Glue Schema Registry, whose requests are
  signed with the AWS credentials of the process. Only this client imports the AWS library, an
  extra.
- `registries`: builds the client of the configured type.

An answer is one of four. 200 is a schema. 404 with a registry's error code (for Glue:
EntityNotFoundException) is `None`: the record names a schema that does not exist, so the record is
at fault (DECODE_SCHEMA). No answer, 408, 425, 429 and 5xx are `Transient`. Anything else is a
`Hold`: 401 and 403 are AUTH, the rest is CONFIG.

What must never happen:

- an answer that is not the registry's is taken for "not found": records would be dead-lettered;
- a request goes to a host other than the configured one: no redirects;
- a password, a token or the content of a certificate file appears in a message.
"""
