"""The demo: the whole pipeline in one process, with a result that is verified.

How this works

    sample records ──► embedded broker ──► daemon ──► sandbox tenant (rows)
          │                   │ ▲             │              │
          │                   │ └─ dead letters, positions   │
          │                   ▼                              ▼
    expected result      read_back ─────► actual result ◄────┘
          │                                   │
          └────────► verification ◄───────────┘
                          │
                          ▼
            no difference: verified, exit code 0

The daemon is the real one, started by `serve` with the sample configuration. The tenant's fault
script injects one 429 answer and one expired token, and two of the sample records are invalid, so
that a run shows retries, a token refresh and dead letters.

States of a run: *produce* (the log is filled) → *settle* (wait until every record is settled) →
*stop* (the daemon drains and commits) → *check*. With `--serve` the check comes before the stop and
new records arrive until Ctrl-C.

    demo            runs these steps
    running_daemon  the daemon as an asyncio task: wait, watch, stop
    read_back       reads dead letters, positions and log ends from the broker
    verification    compares expected and actual results

Words: the *expected result* is computed from the log only, never from what the daemon reports. A
*difference* is one line with counts and keys.

What may never happen: the demo says `verified` although a row, a dead letter, a position or a count
differs; it waits forever for a daemon that makes no progress; a difference shows a value.
"""
