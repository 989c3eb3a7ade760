"""Rows gathered for one job, on disk.

The newest of each key, or all of them in turn; memory holds none.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from consumer.errors import Fatal
from consumer.model import Operation, RecordCount

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

_CACHE_KIB = 16 * 1024
OPERATIONS = {Operation.UPSERT: 0, Operation.DELETE: 1}


class SpooledRow(NamedTuple):
    """One row. `turn` is 0 where the newest of a key replaces the older, else it tells them apart.

    `owner` numbers the assignment whose record it is; `value_bytes` are of that record, -1 where
    the record has other parts elsewhere and is accounted by its ticket. `record` is kept where a
    row can be refused alone.
    """

    key: str
    turn: int
    operation: int
    owner: int
    value_bytes: int
    line: bytes
    record: bytes = b""


class Spool:
    """A table of its own, that nobody needs after a crash.

    What was gathered is read from Kafka again.
    """

    _JOURNAL = "OFF"
    _COLUMNS = (
        "key TEXT, turn INTEGER, operation INTEGER, owner INTEGER, value_bytes INTEGER, line BLOB"
    )

    def __init__(self, path: Path) -> None:
        """Make the table. Raises: `Fatal`, as all that writes, when the disk does not take it."""
        self._path = path
        with self._disk_errors():
            self._make(path)

    def _make(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self._sql = sqlite3.connect(path, isolation_level=None)
        for pragma in (
            f"journal_mode = {self._JOURNAL}",
            "synchronous = OFF",
            f"cache_size = -{_CACHE_KIB}",
            "temp_store = FILE",
        ):
            self._sql.execute(f"PRAGMA {pragma}")
        # With row ids: a tree of keys that held whole rows, which come in no order, would be deep
        # and slow to fill.
        self._sql.execute(f"CREATE TABLE rows ({self._COLUMNS}, PRIMARY KEY (key, turn))")

    def put(self, rows: Sequence[SpooledRow]) -> None:
        """Take rows, in order: one whose key and turn are there already replaces what is there."""
        with self._disk_errors():
            self._sql.execute("BEGIN")
            self._sql.executemany(
                "INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?, ?, ?)", [row[:6] for row in rows]
            )
            self._sql.execute("COMMIT")

    def drop_key(self, key: str) -> None:
        """Drop every turn of a key: it is about to be deleted."""
        with self._disk_errors():
            self._sql.execute("DELETE FROM rows WHERE key = ?", (key,))

    def drop_owners(self, owners: Collection[int]) -> None:
        """Drop the rows of assignments that are not ours any more."""
        with self._disk_errors():
            self._sql.executemany(
                "DELETE FROM rows WHERE owner = ?", [(owner,) for owner in owners]
            )

    def line_bytes(self) -> int:
        """Return how many bytes the lines have."""
        (found,) = self._sql.execute("SELECT coalesce(sum(length(line)), 0) FROM rows").fetchone()
        return int(found)

    def count(self, operation: Operation) -> int:
        """Return how many rows are to be written, or removed."""
        query = "SELECT count(*) FROM rows WHERE operation = ?"
        return int(self._sql.execute(query, (OPERATIONS[operation],)).fetchone()[0])

    def record_counts(self) -> dict[int, RecordCount]:
        """Return by owner how many records with no other parts are here.

        And the bytes of their values.
        """
        query = (
            "SELECT owner, count(*), sum(value_bytes) FROM rows WHERE value_bytes >= 0 GROUP BY"
            " owner"
        )
        found: dict[int, RecordCount] = {}
        for owner, count, value_bytes in self._sql.execute(query):
            found[owner] = RecordCount()
            found[owner].add(count, value_bytes)
        return found

    def lines(self, operation: Operation, limit: int) -> Iterator[list[tuple[str, bytes]]]:
        """Yield keys and lines of one operation, so many at a time, by key and turn.

        Same rows, same file.
        """
        query = "SELECT key, line FROM rows WHERE operation = ? ORDER BY key, turn"
        cursor = self._sql.execute(query, (OPERATIONS[operation],))
        while found := cursor.fetchmany(limit):
            yield found

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        """Tell what the disk did not take by the name of the place."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            detail = (
                f"cannot spool to {self._path}: {error}; nothing gathered is lost, it is read"
                f" from Kafka again"
            )
            raise Fatal(detail) from error

    def close(self) -> None:
        """Let go of the table and of its file."""
        self._sql.close()
        self._path.unlink(missing_ok=True)
