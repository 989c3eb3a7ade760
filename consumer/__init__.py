"""Streams Kafka CDC and event topics into Salesforce Data 360 (formerly Data Cloud).

How this works:

```
Kafka ─► source ─► decoding ─► mapping ─► batching ─► delivery ─► Data 360
           ▲           └───────────┴── record error ──┬──┘
           │                                     dead_letter ─► dead-letter topic
           └────────────── offsets ◄── settled ───────┴────── accepted
```

There are two threads. The consumer thread is the only one that calls the Kafka consumer
(`source`). The event loop does everything else. The thread gives chunks of records to the loop; the
loop gives commands (pause, resume, commit, leave) to the thread.

A **record** becomes **object changes** (an upsert or a delete of one row). Changes are packed into
**batches**, and each batch is one request (`bulk` packs rows into files of bulk jobs instead). A
record is open from the moment it is polled until it is **settled**: accepted, conflated into a
newer change of the same key, filtered, or dead-lettered. `offsets` computes the position of each
partition, the offset up to which it may be committed, from the open records.

What may never happen:

- A position is committed while a record below it is open.
- Two open requests hold the same key.
- A record is lost: polled = accepted + conflated + filtered + dead-lettered + released + open.
  Released records belonged to a partition that another member owns now; that member reads them.
- A bad record stops its neighbours.
- An error in the configuration, the access or the service costs a record.

`engine` handles the events in order, `app` builds the parts, and `cli` has one file per verb.
`errors.py` lists every kind of failure with its reaction; `model.py` has the types that all
packages share.
"""

__version__ = "0.1.0"
