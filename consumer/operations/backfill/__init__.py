"""Backfill: sends a range of topics through the Bulk Ingestion API, the last state of each key.

How this works::

    plan        offsets of the range, a mapped sample, estimated rows, files and jobs
      │ --execute
      ▼
    READING     BackfillReader: records ─► RowMaker ─► SortedRuns on disk, one store per object
      │         a checkpoint every 24 MiB of rows or 30 s; dead letters are confirmed before it
      ▼
    WRITING     JobFileWriter: merges the runs into the CSV files of all jobs
      │         interrupted, it starts over from the runs
      ▼
    SENDING     JobSender: one job after the other, deletes of an object before its upserts
      │         `job-N.json` is the journal of job N; a job that was closed is resumed, not repeated
      ▼
    OVER        report; with --hand-over the group's offsets are set to the end of the range

`BackfillFolder` is the checkpoint: one folder per request below `delivery.spool_dir`, locked by the
process that uses it. Its `state.json` is replaced atomically. The same command resumes from it, and
the range stays as it was when the backfill began.

For every object: records = accepted + conflated + filtered + dead-lettered. A record that became
several rows is counted by the first of them.

What must never happen:

- A job overwrites a newer row: the range is extended to the group's position, and `--execute`
  refuses while the group has members.
- A row of a complete job is sent again.
- `--hand-over` skips records that were not sent, or moves an offset back.
"""
