"""Takes each record from the source to its settlement, and moves positions behind it.

How this works. `Pipeline` receives every event (a chunk, a revocation, an accepted batch, a
confirmed dead letter) on the event loop and calls the other parts. Nothing here does I/O itself.

```
 chunk ─► RecordDispatcher ─┬─► batcher ────► delivery.Lanes ──── accepted ──┐
              │   ▲         ├─► row buffer ─► bulk.BulkLanes ──── accepted ──┤
              ▼   │         ├─► outbox ─────► dead-letter topic ─ confirmed ─┤
   SchemaWait, parking      └─► filtered ────────────────────────────────────┤
                                                                             ▼
 revocation ─► Revocations: drain, commit, drop     commit ◄── position ◄── ledger
```

States of a record. Each is counted by the ledger, and once more by place (`open_counts.py`):

- polled: received from the consumer thread.
- waiting: parked because its topic's fuse has blown, held back because a schema is missing, in an
  open batch, behind a change of the same key, or in a row buffer.
- in flight: in a request, in a bulk job, or sent to the dead-letter topic and not yet confirmed.
- settled: accepted, conflated, filtered or dead-lettered. Only settled records move a position.
- released: its partition was revoked or lost first. The next owner reads it again.

What must never happen:

- A position passes an unsettled record. `open_lows` yields the lowest offset of every place that
  holds records, and the position of a partition is the lowest of them.
- Records of one partition overtake each other. A partition waits in one place at a time.
- A late result of a revoked or lost partition settles something. Its changes are dropped first.
- An event handler awaits. A slow service shows as waiting records and paused partitions.
"""
