"""Computes how far each partition may be committed, and accounts for every record.

How this works. All state is per partition and assignment epoch, and lives on the event loop.

```
polled ──► open ──► settled      accepted │ conflated │ filtered │ dead_lettered │ released
             │
             │ lows(): every holder reports its lowest open offset
             ▼
         watermark ──► Progress ──► Committing ──► commit ──► committed
      lowest open      position      one commit      │
      offset, else     per epoch,    at a time       └─ no answer for 15 s: send again
      next offset      only rises                       no success for 30 s: hold BROKER
```

- `Ledger`: counts each record once when it is polled and once when it is settled, with its bytes.
- `Account`, `ObjectAccounts`: the same counts per partition and per object.
- `watermark`: the position of a partition is its lowest open offset. If no record is open, it is
  the next offset to read. Holes and transaction markers need no special case.
- `Progress`: the latest position of each owned partition, and how long it has not moved.
- `Committing`: decides when a commit may be sent. It knows no offsets.

What may never happen:

- A position passes an open record, or moves back within an epoch.
- A result of an older epoch settles a record or moves a position of the current one.
- The equation polled = settled + open does not hold. `released` closes the account of a partition
  that goes to another owner.
"""
