"""Sends batches to the Ingestion API and settles them by a verdict on each answer.

How this works. `Lanes.pump` starts one task per ready batch, as many as `AdaptiveLimit` allows. The
task sends the batch until a verdict ends it. An attempt waits for a token, then for its slot under
the tenant's rate, sends the request and judges the outcome:

```
 ready batch ──► Attempt ──► judge ──► verdict
                    ▲                     ├─ Accepted ─────► settled
                    │                     ├─ Reject ───────► dead-letter topic
                    ├─── backoff ─────────┼─ Retry
                    ├─── new token ───────┼─ RefreshToken
                    ├─── smaller batches ─┼─ Isolate
                    └─── probes ──────────┴─ HoldLane
```

A lane is one object's way out: its batcher, its fuse and its hold. A held lane sends one batch at a
time as a probe, at rising intervals, until an answer ends the hold.

What limits requests:

- `RateBucket`: this process's share of the tenant's requests per second.
- `AdaptiveLimit`: the number of open requests. It falls on 429, 503 and slow answers.
- `RetryBudget`: the part of the requests that may be retries.

What must never happen:

- A fault of the service or of the set-up costs a record. Only 400, 413 and 422 can reject a row,
  and only when it was sent in a request by itself.
- Two open requests hold the same key. A cancelled batch is ready again only when its request has
  ended.
- A 200 or 201 of a proxy settles a batch. It must carry the service's own `"accepted": true`.
- A run of rejections fills the dead-letter topic. The fuse turns it into a MASS_REJECT hold.
"""
