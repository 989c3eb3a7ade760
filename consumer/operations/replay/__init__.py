"""Replay: sends a range of topics again, beside the live group, without moving its offsets.

How this works::

    PLANNING    without --execute: read, print the plan, delete the checkpoint
    READING     with --execute: RangeScan maps the range into the Checkpoint (SQLite), which keeps
      │         the newest change of each row; where order matters it reads on to the group's
      │         position
      ▼
    SENDING ◄─────────┐     ReplaySource gives the selected records to a separate Daemon;
      │ all settled   │     ReplayFilter lets only the selected changes of a record pass
      ▼               │
    RECHECKING ───────┘     read what was written meanwhile, up to the log ends noted before:
      │      rows changed   rows with a newer change than the one sent are selected once more
      │ none changed
      ▼
    finished    the checkpoint is deleted

With --lift the log is also read from its beginning into `GivenVersions`: the highest version that a
daemon can have given each row. `ReplayFilter` sends the row above it (`mapping/version.py`).

Which changes are selected depends on the object (`ReplayRule`):

    NEWEST   no Record Modified: the newest change of each row up to the group's position
    DATED    Record Modified: the last change in the range; the tenant keeps the newer version.
             Rows that the range deletes are treated as NEWEST: a delete has no version
    MERGED   partial rows: every change of the range in order, and the later ones of these rows
    EVERY    engagement: every event of the range

The same command resumes from the checkpoint after any end; every method of `Checkpoint` is one
transaction. `ReplaySource` is a `Source`: what the daemon commits goes into the checkpoint.

What must never happen:

- The group's offsets move, or the replay joins the group.
- A row goes back to an older state than the group has sent.
- A lifted row has a version that the tenant already has, or one that beats the row's next change.
- A checkpoint is resumed with another mapping than it was made with.
"""
