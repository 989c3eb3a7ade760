"""Bulk destinations: rows are buffered on disk, written as CSV, and sent as one job.

How this works::

    changes of one target
       │ RowBuffer.add
       ▼
    Spool, an SQLite file        the newest row of each key; every event of engagement objects
       │ RowBuffer.seal          when `flush.every` or `flush.bytes` is reached, or memory is full
       ▼
    BulkBatch under way          the next batch fills meanwhile; when it is full too, intake pauses
       │ JobUploader.upload      deletes first; the upserts only after the delete job has ended
       ▼
    CSV files ─► JobRunner       create, upload, close, poll until the job ends
       │                         `job.json` (JobJournal) says how far, for the next run
       ▼
    Finished: the batch is settled, positions may move
    Broken:   the rows go into another job after 1 to 10 minutes, under a hold

A job is Open, UploadComplete, InProgress, and then JobComplete, Failed or Aborted (`JobState`).
`BulkLanes` runs at most one job per target. `HourlyJobs` keeps the service's limits on jobs.

The two APIs differ in what a completed job says:

- Bulk Ingestion API (`IngestionUploader`): the outcome is that of the whole job.
- CRM Bulk API 2.0 (`CrmUploader`): `ResultReader` reads the result files and gives each row of the
  `CrmSpool` its own outcome. A refused row goes to the dead-letter topic with its original record.
  Rows that were not processed go into the next job.

A job left by an earlier run is aborted if it is open, and waited for if it is closed. What must
never happen:

- A position moves before the outcome of its row is known.
- Two jobs of one object overlap, or a job that may still be applied is sent a second time.
- Rows of a CRM `insert` are inserted again after a restart: `InsertJournal` keeps their outcomes
  until their positions are committed.

`SortedRuns` is the store of a backfill: sorted files on disk for more rows than memory holds.
"""
