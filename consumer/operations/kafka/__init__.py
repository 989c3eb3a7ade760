"""Kafka clients outside the consumer group, for verbs that read topics beside the daemon.

How this works

    --from 7d --to 1200                    bounds as text
          │
          ▼
    range_bounds   AtTime | AtOffset
          │
          ▼
    ranges         RangeFinder: asks the brokers, returns one OffsetRange per partition
          │
          ▼
    range_reader   RangeReader: the records of these ranges, and when they are complete
          │
          ▼
    log            both as coroutines; each blocking call runs in a thread

    group          ConsumerGroup: has it members? set its positions while it has none
    standalone_client   the base class: a consumer that uses assign(), never subscribe()

Words: a *bound* is one end of a range as text. An *offset range* has offsets of one partition,
`begin` included and `end` excluded, within the offsets that the partition holds now. Its `remark`
names the requested offsets that the partition does not hold. The *end* is the last stable offset,
because all clients here read with `read_committed`.

A range is complete once the reader has passed its last offset. Compaction, aborted transactions and
transaction markers leave gaps, so the number of records may be smaller than the number of offsets.
An end-of-partition event or a later record completes a range as well.

What may never happen: a client here joins the group; it commits, except for `set_positions` of a
group without members; a range ends early without an error, because records were deleted by
retention while it was read.
"""
