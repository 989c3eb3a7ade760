"""Health, metrics, status page, telemetry and log of the daemon.

How this works
==============

::

    packages ──observer calls──► Telemetry ──► Metrics (counters)  ──► GET /metrics
                                     │
                                     └───────► structlog ──► Threshold ─► mask ─► Collapse ─► stderr

    Daemon status (StatusProvider)
       snapshot() ──► GET /status, the status page, the gauges of /metrics
       liveness() ──► GET /livez      is the process stuck? restart it
       readiness() ─► GET /readyz     does this replica do its work?

Two ways lead out of the daemon. What *happens* is pushed: a package calls its observer, and
`Telemetry` turns the call into a counter and, where it is rare, into a log event. What *is* gets
pulled: the admin server takes a snapshot on the event loop at the moment of the request, so all
figures of one answer agree, and `/metrics` agrees with `/status`.

Liveness looks only at our own two threads: the last poll of the consumer thread and the last stamp
of the event loop. It never looks at Kafka or Data 360, because a restart repairs neither. Readiness
fails while the replica has no assignment, while anything is held, and when a partition with lag has
not moved for almost a minute.

A log event has a name, a level and fields declared in `events.py`; `docs/log-events.md` shows them.
Every line passes the same steps: drop below the level, replace an exception by its type and place,
mask secrets, escape control characters, collapse repeats.

What never happens here:

- A log line, a metric label or an answer shows a value of a record or a secret.
- Work per record: counters rise per chunk, per request and per event.
- A request changes anything: the admin port takes GET and HEAD only.
- A gauge is set: gauges are read from a snapshot at the moment of a scrape.
"""
