"""Fast path: one generated function per route and source schema. How this works.

    row plan ──► leaves, each with a shape ──► layout ──► plan ──► generated function
    (fields.py)  (leaves.py, shapes.py)       (structs)  (slots)   (generated_code.py)

    document ──► decode ──► where ──► convert ──► key, version ──► encode ──► check ──► Upsert
                   │          │          │             │                       │
                   └──────────┴──────────┴─ UNFIT ─────┴───────────────────────┴──► slow path

- A leaf is one place of the document that the route reads, such as `after.email`. The decoder skips
  everything else.
- A shape is the type that a leaf is decoded as: TEXT, INTEGER or BOOLEAN, each nullable, or RAW
  (JSON that is not decoded, which fits every value). The first shape is a guess from the target
  type, the rule and the source's column. Two uses that need different shapes make the leaf RAW.
- A layout is the nested msgspec structs that contain exactly the leaves.
- A slot is the position of a field in the outgoing row, which has the order of the schema.
- A plan says for each slot which attribute of the decoded row fills it and how it is converted, and
  how key, version, conditions and envelope are read.
- The generated function is the plan as the text of one Python function, compiled with `exec`. There
  are two: `map` for one record, and `run` for a run of records that ends before the first record
  that is not a plain upsert.

A record that does not fit. Where the function might not do exactly what the slow path does, it
raises one of `UNFIT`, before a version is remembered. The slow path then maps the record from the
start, or names its fault. After a `ValidationError` or `Widen` a guess may be wrong: if the slow
path finds the record good, `FastPath.widen` widens the leaves that did not fit (TEXT to INTEGER to
RAW) and compiles again. A bad record widens nothing. Fixed leaves (`op`, the source's clocks) never
widen.

Cached plans. `route.CompiledRoute` keeps the fast path for values without an embedded schema, and
one for each of the 32 embedded schemas used last. It finds the cached one by the bytes in front of
the payload, and does not parse the schema again.

A route has no fast path if it has a custom function, an envelope that it describes itself, another
format than `json`, `debezium` and `debezium_flat`, or uses that one struct cannot decode
(`Conflict`). A path into an array or into JSON text is read from a RAW leaf, step by step.

What must never happen: a result that differs from the slow path's (`tests/fuzz` and
`tests/properties/test_mapping.py` compare them); a version remembered for a record that then takes
the slow path; a name or value of a configuration inside the generated text; a leaf that widens more
than twice, so that compilation has no end.
"""
