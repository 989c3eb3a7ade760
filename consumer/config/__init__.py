"""The configuration: file, environment and secrets to one validated tree, all faults at once.

How this works
--------------

::

    consumer.yaml ──► yaml_file ──► tree ──► overrides ──► environment ──► FILE.read ──► checks
      (bytes)         (safe YAML)  (nodes)  (--set, env)    (${NAME})      (values)        │
                                                                                           ▼
    file_keys, route_keys, rule_keys: the table of keys         Settings, or faults and warnings

1. `yaml_file` reads the bytes into a `tree`. Each key and value knows its file, line and column.
2. `overrides` applies `DATACLOUD_CONSUMER__...` variables, then `--set`. `environment` replaces
   `${NAME}` references. A changed node has the variable or the option as its place.
3. `FILE.read` turns nodes into typed `SectionValues` with the table of keys. A key is declared
   once there, with kind, default and help; the JSON Schema and the reference page (`documents`)
   are written from the same table.
4. One module per section (`kafka`, `salesforce`, `objects`, `routes`, ...) checks what one key
   cannot show by itself, and builds the immutable settings of the package that uses them.

Words: a *fault* stops the start, a *warning* does not; both are *findings* with a place, the dotted
path of the key, and a message: expected, got, what to write. A *kind* is a type of value (`kinds`,
`several`). A value with a fault is missing from then on: asking for it raises `Unread`, and `tried`
ends the check that asked. So one mistake gives one fault, and the other checks still run.

What must never happen:

- One fault hides another: all are reported at once, sorted by place. Only a file that is not valid
  YAML ends the load early.
- A message shows a secret, or text that a variable was replaced by. `seen` shows only the text as
  written, and addresses that may contain a password are not shown at all.
- A secret is accepted as plain text. It is a file, or a whole value from the environment.
- Reading a hostile file takes long: size, depth and expanded aliases are bounded.
- Code of the user runs, except the import of the module that `custom` names.
"""
