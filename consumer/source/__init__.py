"""Reads from Kafka: consumer thread, rebalance, pause and resume, commits, client errors.

How this works. One thread calls the Kafka client (`ConsumerThread`); the engine runs on the event
loop and sees only `port.py`. `KafkaSource` connects the two.

```
      consumer thread                                   event loop (engine)
 ┌─ commands ◄──────── deque ◄───────── pause, resume, commit, leave
 │  start positions of new partitions
 │  consume() ─► MessageSorter ─► ChunkQueue ─ 4 slots ─► assigned, chunk, reached_end
 │      └─ callbacks: assign, revoke, lost, commit ─────► revoking, lost, committed
 └─ BrokerWatch, TopicIds, ErrorClassifier ─────────────► held, released, failed, stopped
```

States of a partition: pending (assigned, start position unknown), read, paused (by the engine, or
because the loop does not take chunks), halted (position lost, or being released), gone.

Revocation: `on_revoke` runs inside `consume`. It posts `revoking`, waits for the engine to drain
(at most `drain_timeout`), commits without waiting, and unassigns. A lost partition is only dropped.

Words: an **epoch** is one assignment of one partition; the **leader epoch** is Kafka's and detects
a truncated log. A topic that was deleted and created again is **recreated**: same name, another id.
An **active error** lasts until a sign of its end; the first of a reason starts a hold.

What may never happen:

- Another thread calls the client, or the consumer thread touches state of the loop.
- An event arrives before an earlier one; a chunk arrives after `revoking` or `lost`.
- A position jumps: if it is lost, the partition is halted and held (OFFSET_LOST).
- A commit of an earlier epoch is sent. Polling stops for longer than the group allows.
"""
