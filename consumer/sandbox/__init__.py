"""Doubles of the services around the daemon: tenant, CRM, broker, registry, clock, sample data.

How this works
==============

::

    daemon ──Request──► TenantServer (sockets) or InProcessTransport (no sockets)
                             │
                             ▼
                          Tenant.answer
             ┌───────────────┼───────────────┬─────────────┐
             ▼               ▼               ▼             ▼
           Login         IngestApi        BulkApi        CrmApi
          (tokens)       (per object)    (bulk jobs)   (CRM jobs)
                             │               │             │
                             ▼               ▼             ▼
                        Store: acceptances, rows,       CrmRows
                        problem records (SQLite)

    fault script ──► Faults: the first rule that applies changes one answer
    web page     ──► page_routes: figures as JSON, POST /sandbox/faults

`Tenant` is plain code without sockets or timers: a request goes in, the answer of the real service
comes out. Sockets are a layer above it, so tests run it in virtual time (`virtual_time.py`).

Time passes only when the tenant is called. Each request and each look first applies all that is
due: rows whose delay has passed, and jobs whose time has come.

A request is accepted (202), and its rows are stored a moment later, as in the real service. A row
that does not fit its schema becomes a problem record. A bulk job goes through the states Open,
UploadComplete, InProgress, and ends as JobComplete, Failed or Aborted.

`MemoryLog` and `MemorySource` replace Kafka in tests. `EmbeddedBroker` speaks the Kafka protocol on
a loopback port, for the demo. `samples.py` writes the traffic of a small shop, and `sample_fold.py`
calculates the rows that must be stored afterwards, without the code of the daemon.

What never happens here:

- An answer differs from the documented or recorded answer of the service, unless a fault rule says.
- A run depends on the wall clock or on chance: the same calls give the same answers and tokens.
- The sandbox listens on anything but the given address, or sends a request to another service.
"""
