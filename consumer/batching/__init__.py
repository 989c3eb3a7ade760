"""Packs object changes into batches: exact bytes, age, one key in flight at a time, conflation.

How this works. There is one `Batcher` per object. A key is in at most one of three places.

```
            ┌─ key in no batch ──────► open batch ── full or old ──► sealed batch ──► settle
add(change)─┼─ key in the open batch:  (one for upserts,             in `ready`, then   │
            │  conflate, or wait        one for deletes)             in flight          │
            └─ key in a sealed batch,       ▲                        │      ▲           │
               or waiting already ─► waiting queue of the key        └ split┘           │
                                            └──── first waiting change of each key ◄────┘
```

States of a batch: open (still filling), ready (sealed, not sent), in flight, settled. A batch is
sealed when the next row does not fit, when it has the maximum number of deletes, or when its first
change is older than the linger time. A batch that the service rejects may be split; the parts keep
the positions of the whole.

Words: a newer change **supersedes** an older one of its key that was not sent. The older one is
conflated, and its record settles with the newer one. `conflation.py` has the three rules: replace
(upsert mode), merge (partial mode), never (engagement). `lows` are the lowest open offsets that a
batch holds per partition. `partial_record` marks a change that is one of several of its record.

What may never happen:

- Two open requests hold one key, over upserts and deletes alike.
- A key that waits stops other keys.
- A request is larger than `batch_bytes`; a change whose row is too large is returned to the caller.
- A change is dropped without being returned to the caller, or its position is passed.
"""
