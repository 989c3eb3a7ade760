"""Spools the rows of one job in an SQLite file: the newest row of each key, or all in order."""

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
    """One row.

    `turn` is 0 where the newest row of a key replaces the older one, otherwise it tells them apart.
    `owner` numbers the assignment of the record. `value_bytes` is the size of the record's value,
    -1 where the record has other parts and is counted as a partial record. `record` is the packed
    record where single rows can be refused.
    """

    key: str
    turn: int
    operation: int
    owner: int
    value_bytes: int
    line: bytes
    record: bytes = b""


class Spool:
    """A table without journal: after a crash, its rows are read from Kafka again.

    Raises: `Fatal`, from the constructor and every method that writes, when the disk fails.
    """

    _JOURNAL = "OFF"
    _COLUMNS = (
        "key TEXT, turn INTEGER, operation INTEGER, owner INTEGER, value_bytes INTEGER, line BLOB"
    )

    def __init__(self, path: Path) -> None:
        """Create the table, replacing a file of an earlier run."""
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
        # With row ids: keys come in random order, and a b-tree of keys with whole rows (WITHOUT
        # ROWID) would be deep and slow to fill.
        self._sql.execute(f"CREATE TABLE rows ({self._COLUMNS}, PRIMARY KEY (key, turn))")

    def put(self, rows: Sequence[SpooledRow]) -> None:
        """Add rows in order; a row whose key and turn exist replaces the older one."""
        with self._disk_errors():
            self._sql.execute("BEGIN")
            self._sql.executemany(
                "INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?, ?, ?)", [row[:6] for row in rows]
            )
            self._sql.execute("COMMIT")

    def drop_key(self, key: str) -> None:
        """Drop every row of a key: it is about to be deleted."""
        with self._disk_errors():
            self._sql.execute("DELETE FROM rows WHERE key = ?", (key,))

    def drop_owners(self, owners: Collection[int]) -> None:
        """Drop the rows of revoked assignments."""
        with self._disk_errors():
            self._sql.executemany(
                "DELETE FROM rows WHERE owner = ?", [(owner,) for owner in owners]
            )

    def line_bytes(self) -> int:
        """Return the size of all lines."""
        (found,) = self._sql.execute("SELECT coalesce(sum(length(line)), 0) FROM rows").fetchone()
        return int(found)

    def count(self, operation: Operation) -> int:
        """Return how many rows of an operation there are."""
        query = "SELECT count(*) FROM rows WHERE operation = ?"
        return int(self._sql.execute(query, (OPERATIONS[operation],)).fetchone()[0])

    def record_counts(self) -> dict[int, RecordCount]:
        """Return by owner the number of records that have no other parts, and their bytes."""
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
        """Yield keys and lines of one operation by key and turn, `limit` at a time.

        The same rows always give the same file.
        """
        query = "SELECT key, line FROM rows WHERE operation = ? ORDER BY key, turn"
        cursor = self._sql.execute(query, (OPERATIONS[operation],))
        while found := cursor.fetchmany(limit):
            yield found

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        """Raise errors of the disk as `Fatal`, with the path."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            detail = (
                f"cannot spool to {self._path}: {error}; free disk space and restart: nothing is "
                "lost, the rows are read from Kafka again"
            )
            raise Fatal(detail) from error

    def close(self) -> None:
        """Close the table and delete its file."""
        self._sql.close()
        self._path.unlink(missing_ok=True)
