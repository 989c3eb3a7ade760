"""Keeps the outcomes of inserted rows until their positions are committed."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from consumer.bulk.disk import disk_error
from consumer.bulk.kept_records import kept_records

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from consumer.bulk.crm_spool import CrmSpool
    from consumer.clock import Clock

INSERT_JOURNAL: Final = "inserted.book"
_PIECE_ROWS: Final = 2_000


class InsertJournal:
    """Outcomes on disk, by the record and row that they belong to.

    1. A job inserts rows. Its results are noted here, then its job journal is cleared.
    2. The process is killed before the positions are committed.
    3. The records are read again. Their noted outcome counts, and nothing is sent again.
    4. Later records of a partition are read: earlier ones are committed, so they are dropped.
    """

    def __init__(self, path: Path) -> None:
        """Open or create the file.

        Raises: `Hold(SPOOL)` when the disk does not take a write, as every method that writes: the
        call may be repeated. `Fatal` when the file is damaged.
        """
        self._path = path
        try:
            self._sql = sqlite3.connect(path, isolation_level=None)
        except sqlite3.Error as error:
            raise disk_error(error, path) from error
        with self._disk_errors():
            self._sql.execute("PRAGMA synchronous = OFF")
            self._sql.execute(
                "CREATE TABLE IF NOT EXISTS done (topic TEXT, partition INTEGER, position"
                " INTEGER, part INTEGER,"
                " error TEXT, PRIMARY KEY (topic, partition, position, part)) WITHOUT ROWID"
            )

    async def note(self, spool: CrmSpool, clock: Clock) -> None:
        """Note every outcome of a spool; an outcome that is noted already stays."""
        for piece in spool.outcomes(_PIECE_ROWS):
            rows = [(*kept_records(record)[-1].place, error) for record, error in piece]
            with self._disk_errors():
                self._sql.execute("BEGIN")
                self._sql.executemany("INSERT OR IGNORE INTO done VALUES (?, ?, ?, ?, ?)", rows)
                self._sql.execute("COMMIT")
            await clock.sleep(0)

    def forget_before(self, lows: Iterable[tuple[str, int, int]]) -> None:
        """Drop partitions whose noted offsets are all below the offsets that are read now.

        `lows`: topic, partition and lowest offset of each.
        """
        with self._disk_errors():
            self._sql.executemany(
                "DELETE FROM done WHERE topic = ?1 AND partition = ?2 AND ?3 >"
                " (SELECT max(position) FROM done WHERE topic = ?1 AND partition = ?2)",
                [*lows],
            )

    def knows_any(self, partitions: Iterable[tuple[str, int]]) -> bool:
        """Whether any outcome of these partitions is noted."""
        query = "SELECT 1 FROM done WHERE topic = ? AND partition = ? LIMIT 1"
        return any(self._sql.execute(query, one).fetchone() for one in partitions)

    def outcome(self, record: bytes) -> tuple[str | None] | None:
        """Return the outcome of a row that an earlier job sent, `None` when none did.

        The outcome is a tuple of the error, or of `None` when the row was accepted.
        """
        query = (
            "SELECT error FROM done WHERE topic = ? AND partition = ? AND position = ? AND part = ?"
        )
        found: tuple[str | None] | None = self._sql.execute(
            query, kept_records(record)[-1].place
        ).fetchone()
        return found

    def close(self) -> None:
        """Close the file."""
        self._sql.close()

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if self._sql.in_transaction:
                self._sql.execute("ROLLBACK")
            raise disk_error(error, self._path) from error
