"""The work behind the verbs that run beside the daemon: plans, results and checks as values.

How this works

    cli (arguments, text, JSON)
      │
      ├── sampling/       newest records of a topic ─► guessed route, first files, warnings
      ├── mapping_tests/  *.test.yaml ─► outcomes, differences, coverage
      ├── demo/           embedded broker + fake tenant + daemon ─► verified result
      ├── replay/         a range of offsets, sent again beside the live group
      ├── backfill/       a range of offsets, sent through the bulk API
      │      │
      │      ▼
      ├── kafka/          Kafka clients outside the consumer group: ranges, positions, records
      │
      └── this folder     what several verbs share
            mapped_lines       a record ─► its outcomes, as `map` prints them
            record_lines       a line of `kcat -J` ─► a record
            ledger_check       a status report ─► totals that do not match
            schema_prefetch    schemas loaded before the records that name them are mapped
            progress_display   where replay and backfill show how far they are
            plurals            counts with their noun

An operation returns values or raises. Printing, colours and exit codes belong to `consumer.cli`.

What may never happen: an operation joins the consumer group of the daemon, or commits for it while
the group has members; a plan changes anything before `--execute`; a value of a Kafka record gets
into a plan, a check or a warning. (Mapping tests do print values: the user wrote those records.)
A record is mapped by the same code as in the daemon, so that `map`, `test` and `lint --sample` show
exactly the changes that the daemon would send.
"""
