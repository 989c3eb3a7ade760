"""Decoding: the bytes of a record to change events, by one decoder per route.

How this works

    value ─► wire_form ─► avro_body, protobuf_body, json_body ─► document ─► wrapping ─► format
             schema id    only with `encoding`: the body as      JSON        Connect's   decoder:
             and body     the JSON of Connect's converter        object      pair        events

`wire_form` is Confluent's frame, `glue_form` AWS Glue's; the type of the configured registry
decides (`wire_formats`). `framings` names every other frame, for the message about a record in it.

Every encoding ends as the same JSON document, so a format is written once for all encodings. A
format's decoder (`change_event.ChangeDecoder`) has two steps. `open` recognises the value and
returns an `Envelope`. `events` reads its operation and returns one `ChangeEvent` per row.

- *Document*: a JSON object opened one level deep. All of its syntax, UTF-8 and nesting is checked
  at once; its members stay unparsed bytes (`msgspec.Raw`), because most are never used.
- *Opened value*: one member parsed to a small set of kinds (`opened`). A number keeps its digits.
- *Source value*: a value in the notation of one source, such as MongoDB's extended JSON
  (`extended_json`), which is read when a rule needs it (`opened.SourceValue`).
- *Columns*: the types of a source schema (`columns`): scale of a decimal, unit of a time, ...
- *Placeholder*: Debezium's text for a value that was not sent; it is never data.

One record ends as one of these:

    events        one or several upserts and deletes, in the order of the rows
    Filtered      a record without a row: heartbeat, transaction, schema change, DDL, control, ...
    tombstone     a null value, or the JSON word `null`
    RecordError   DECODE_* (not readable), ENVELOPE_* (not this format); the record is at fault

What must never happen:

- a record ends the process or blocks the loop: nesting, sizes and schemas are bounded, and every
  error of a library becomes a `RecordError` here;
- a number changes its digits, or text is repaired: bytes that are not valid are refused;
- an invented value of a deleted row is used: `keys_only` marks such rows;
- an upsert and a delete of one row have different keys: a format that writes the Kafka key in
  another form than the row reads it by its own `key_type`;
- a message shows a value: it names the expected kind and the kind found.

The package has no I/O. Schemas come from `schema_cache`, which the engine fills.
"""
