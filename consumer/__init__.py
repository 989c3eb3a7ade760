"""Send records of Kafka change-data-capture and event topics to Salesforce Data 360.

How this works. Data 360 was called Data Cloud, hence the name of the program.

```
Kafka ─► source ─► decoding ─► mapping ─► batching ─► delivery ─► Data 360
           ▲           └───────────┴── record error ──┬──┘
           │                                     dead_letter ─► dead-letter topic
           └────────────── offsets ◄── settled ───────┴────── accepted
```

Two threads exchange data. The consumer thread is the only one that calls the Kafka client
(`source`). The event loop does everything else. Chunks of records go to the loop, commands (pause,
resume, commit, leave) go to the thread.

A **record** becomes **object changes** (an upsert or a delete of one row). Changes are packed into
**batches**, and each batch is one request (`bulk` packs rows into files of bulk jobs instead). A
record is open from the moment it is polled until it is **settled**: accepted, conflated into a
newer change of the same key, filtered, or dead-lettered. `offsets` computes from the open records
how far each partition may be committed.

What may never happen:

- A position is committed while a record below it is open.
- Two open requests hold the same key.
- A record disappears: polled = accepted + conflated + filtered + dead-lettered + released + open.
- A bad record stops its neighbours, or an error in the configuration loses a record.

`engine` has the order of events, `app` builds the parts, `cli` has one file per verb. `errors.py`
has every kind of failure with its reaction, `model.py` the types that all packages share.
"""

__version__ = "0.1.0"
