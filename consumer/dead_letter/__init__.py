"""Dead letters: records at fault, produced to the dead-letter topic.

How this works

    decoding, mapping, delivery ── RecordFault ──► Outbox.post ──► DeadLetterTopic.send
                                                                    │
            Hold(DEAD_LETTER): sleep, send again ◄── not accepted ──┤
            dead_letter_sent, record settled     ◄── acknowledged ──┘

A dead letter is a copy of the record: its key, value and headers byte for byte, then our own
headers (`__connect.errors.*` and `datacloud.*`), which say why the record is there. A topic that
finds the full copy too large gets the reference form: no value, `datacloud.reference: true`. A
topic that finds even that too large gets the minimal form: only the position and the reason.

- `envelope` builds the forms. It is pure, and reads the original headers back for `replay`.
- `outbox` keeps one task per dead letter. The record stays unsettled until the task is done.
- `port` is what a dead-letter topic can do; `producer` is the real one, on an idempotent producer
  with acks=all. `report_codes` says what each error code of librdkafka means for a dead letter.
- `fuse` counts records at fault. Too many of them are a fault of the set-up: hold MASS_REJECT.

A dead letter is *pending* (posted, not acknowledged), *held* (pending, and the topic refused it;
probes start at 5 s and rise to 30 s) or *sent* (all in-sync replicas have it). Revocation of the
partition cancels a pending one: the next owner reads the record again and sends its own.

What must never happen:

- a position moves past a record whose dead letter is not acknowledged;
- a byte of the original key, value or headers changes, except what the reference form leaves out;
- a value of a record appears in one of our headers: `detail` names kinds of values, not values;
- a dead letter that is too large takes others with it: each is a batch of one message;
- a broken set-up empties a topic into the dead-letter topic: that is what the fuse is for.
"""
