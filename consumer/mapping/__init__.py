"""Maps change events to encoded object changes. How this works.

    Kafka record
        │
        ├─ EncodedRoute      only avro, protobuf, json_schema: wire format to JSON
        ├─ OwnRecordFilter   only heartbeat and transaction topics: filters Debezium's own records
        ▼
    CompiledRoute ── value not null, and it fits ──► FastPath: one generated function ──┐
        │ everything else                                                               │
        ▼                                                                               ▼
    SlowPath: open ─► where ─► operation ─► custom ─► field rules ─► Upsert, Delete or Filtered
        │
        └─ RecordError (reason, detail, field) ─► the whole record to the dead-letter topic

One field: source (`sources.py`, `composed_sources.py`) ─► trim, lower, upper ─► reading
(`readings.py`: unit, scale, column) ─► format ─► replace, regex ─► `values`, or writing
(`writings.py`: the target type) ─► normalise ─► hash, mask ─► bytes of the row.

- `RouteTable` compiles each route once per topic. `RowPlan` is a route's field rules compiled for
  one source schema; both paths are made from it.
- A source path has one grammar (`paths.py`): names, names in quotes, positions in arrays.
- `where` has conditions on the record, which select the records of the route, and conditions on the
  row: a row that does not meet them is filtered, or deleted by its key (`where_not_met`). A delete
  is judged by its old row, as far as that row is known.
- A route may describe its envelope (`operation`, `row`, `before`, `time`): then
  `configured_decoder.py` reads it, always on the slow path.
- An opened value is one of a few kinds (text, digits, boolean, date, time, nested JSON). Numbers
  are never computed with: their digits are sent as the source wrote them.
- Absent has two meanings. MISSING: the source has no such value; it becomes null, the default, or
  is left out. UNPROVIDED: the source has a value and did not send it; it never becomes null.
- The version is Record Modified. `VersionMemory` makes it rise strictly per key and object.
- The key is the text that names a row everywhere: in batches, in deletes and in dead letters.

What must never happen: a difference between the two paths; a value of a record in a message; a part
of a record that is sent while another part is a dead letter; an exception other than `RecordError`.
"""
