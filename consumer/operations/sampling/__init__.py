"""Samples of topics: what `config init` guesses from them and what `lint --sample` reports.

How this works

    topic ──► sampler ──► the newest records, read without joining a group
                 │
                 ▼
          recognition ──► format of the values, or the schema registry framing
                 │        unknown_formats names systems whose records no format reads
                 ▼   framed: unframed opens them as JSON, with schemas of the registry
              tables ──► the records of each table, and shards of one table together
                 │
          sampled_rows ──► decoded rows, and what was seen in each column
                 │
      config init│                                lint --sample
                 ▼                                      │
       guesses, guessed_key                      sampled_routes
          guessed_route                                 │
                 │                            unseen_columns, shared_objects
            first_look                                  │
                 │                                      │
            first_files ──► consumer.yaml               │
                 │          connector.yaml              │
                 └───────────► trial ◄──────────────────┘
                                 │
                                 ▼
              outcomes, dead letters, fields that are always null

Words: a *sample* is the newest records of a topic, about as many from each partition. *Framed*
values start with the header of a schema registry serializer. A *guess* is a choice that the records
do not prove; its reason stands beside it in the files. A *trial* maps a sample by one route, with
the code of the daemon.

What may never happen: a value of a record is printed or written to a file; a guess is written
without a comment; an offset is the key of a row that may change; rows of two tables get one route
without their shard in the key; a group is joined or an offset committed. A time zone is never
guessed, because a wrong one would shift all times without an error.
"""
