"""The composition root: builds the daemon from settings and ports, runs it and drains it.

How this works. `serve` makes the ports of the real world and runs one `Daemon`. The verbs `demo`
and `replay` and every simulation make other ports and run the same class.

```
 serve ─► ports (source, transport, tokens, dead letters, registry, clock, rng)
   │
   └────► Daemon.run
            1. build       lanes, bulk lanes, outbox, dispatcher, revocations (`_build_engine`)
            2. preflight   dead-letter topic, token, every object, every sObject
            3. read        the source calls the pipeline until a stop
            4. drain       the source revokes everything; the pipeline commits and releases
            5. close       bulk jobs, tasks, timers, then the ports
```

The clock of the ports is the machine's, corrected by the dates of the service's answers where it is
more than a minute off (`service_clock.py`). `serve`, `replay` and `backfill` use it.

States (`/status`): starting, running, draining, stopped.

Words. A port is what the daemon needs of the outside world: real, or a double in tests. Preflight
is the set of checks before the first record. A check that fails becomes a hold and is repeated
until it passes.

What must never happen:

- A record is read before preflight has passed. A wrong set-up then costs no record.
- A failing check ends the process. It holds, so that a restart loop never hides the cause.
- A port is closed while records drain.
- An exception is lost. One raised in a callback of the loop ends the run too (`Daemon.broken`).
"""
