"""Spools the rows of CRM jobs on disk, each with its record and its outcome."""

from __future__ import annotations

import csv
import sqlite3
from typing import TYPE_CHECKING, Final, NamedTuple

from consumer.bulk.csv import CRM, csv_line
from consumer.bulk.kept_records import KeptRecord, kept_records
from consumer.bulk.spool import OPERATIONS, Spool
from consumer.model import Operation

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from consumer.bulk.spool import SpooledRow

TRIES: Final = 5
"""How often a row is sent that the CRM could not take at that moment, before it is refused."""

_PENDING: Final = "FROM rows WHERE operation = ? AND tries >= 0 AND owner >= 0"
"""Rows without an outcome that still have an owner."""
_UNREPORTED: Final = "tries = -2 AND value_bytes >= -1"
"""Refused rows whose dead letter is not sent yet."""
_BY_MARK: Final = (
    "WHERE (key, turn) = (SELECT key, turn FROM rows WHERE mark = ? AND tries >= 0 AND sent"
    " > 0 LIMIT 1)"
)
"""One row per result row: equal rows (an insert without a key) have the same mark."""
_UPSERT: Final = OPERATIONS[Operation.UPSERT]


class RefusedRow(NamedTuple):
    """A refused row and its records: older records first, its own last."""

    error: str
    records: list[KeptRecord]


class CrmSpool(Spool):
    """A spool that merges partial changes of a key and keeps an outcome for each row.

    Columns of `rows` beside those of `Spool`: `tries` is how often the row was sent, -1 when it is
    accepted, -2 when it is refused. `sent` is 1 while the row is in a file under way. `mark`
    identifies the row in the result files. `value_bytes` becomes -2 once a refusal is reported.
    """

    _COLUMNS = (
        "key TEXT, turn INTEGER, operation INTEGER, owner INTEGER, value_bytes INTEGER,"
        " line BLOB, record BLOB,"
        " tries INTEGER DEFAULT 0, sent INTEGER DEFAULT 0, mark TEXT, error TEXT"
    )

    def __init__(self, path: Path, *, for_inserts: bool) -> None:
        """Create the table.

        `for_inserts`: rows of revoked assignments are kept once they may have been sent, and the
        file survives the end of the process at any moment.
        """
        self._for_inserts = for_inserts
        self._sealed = False
        super().__init__(path)

    def _make(self, sql: sqlite3.Connection) -> None:
        sql.create_function("joined", 4, joined, deterministic=True)
        sql.create_function("kept", 6, _kept, deterministic=True)
        super()._make(sql)

    @property
    def name(self) -> str:
        """Name of the file; the journal keeps it, so that a restart finds the rows."""
        return self._path.name

    def put(self, rows: Sequence[SpooledRow]) -> None:
        """Add rows in order; a row whose key and turn exist is merged, see `joined`."""
        # Unqualified columns are those of the older row: SQLite computes every new value before it
        # writes any, so `kept` still sees the older line.
        self._write(
            "INSERT INTO rows (key, turn, operation, owner, value_bytes, line, record)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key, turn) DO UPDATE SET"
            " record = kept(operation, line, record, excluded.operation, excluded.line,"
            " excluded.record),"
            " line = joined(operation, line, excluded.operation, excluded.line),"
            " operation = excluded.operation, owner = excluded.owner, value_bytes ="
            " excluded.value_bytes",
            rows,
        )

    def seal(self) -> None:
        """Accept no more rows: jobs send what is here.

        From now on the rows of inserts must survive the end of the process at any moment.
        """
        self._sealed = True
        if self._for_inserts:
            self._sql.execute("PRAGMA journal_mode = TRUNCATE")

    def drop_owners(self, owners: Collection[int]) -> None:
        """Drop the rows of revoked assignments.

        Inserts that may have been sent are kept without an owner, so that their outcome is still
        noted.
        """
        if not (self._for_inserts and self._sealed):
            super().drop_owners(owners)
            return
        # Without an owner the row is neither sent nor dead-lettered here. Its mark still matches a
        # result, and the insert journal needs that outcome.
        self._write(
            "UPDATE rows SET owner = -1, value_bytes = -1 WHERE owner = ?",
            [(owner,) for owner in owners],
        )

    def leave(self) -> None:
        """Close the table and keep its file for the next run."""
        if self._opened is not None:
            self._opened.close()

    # ── rows to send ─────────────────────────────────────────────────────────────────────────────

    def count(self, operation: Operation) -> int:
        """Return how many rows of an operation are accepted or pending, without refused ones."""
        query = "SELECT count(*) FROM rows WHERE operation = ? AND tries >= -1 AND owner >= 0"
        return int(self._sql.execute(query, (OPERATIONS[operation],)).fetchone()[0])

    def pending_count(self, operation: Operation) -> int:
        """Return how many rows of an operation have no outcome yet."""
        return int(
            self._sql.execute(
                _with("SELECT count(*)", _PENDING), (OPERATIONS[operation],)
            ).fetchone()[0]
        )

    def pending(
        self, operation: Operation, limit: int
    ) -> Iterator[list[tuple[str, int, bytes, bytes]]]:
        """Yield key, turn, line and record of the pending rows, `limit` at a time, in order."""
        after: tuple[str, int] = ("", -1)
        query = _with(
            "SELECT key, turn, line, record",
            _PENDING,
            "AND (key, turn) > (?, ?) ORDER BY key, turn LIMIT ?",
        )
        # Key-set paging instead of one cursor: the caller updates the same table between pages.
        while found := self._sql.execute(query, (OPERATIONS[operation], *after, limit)).fetchall():
            yield found
            after = found[-1][:2]

    def clear_sent(self) -> None:
        """Mark no row as sent: rows that the last job did not mention go into the next."""
        self._write("UPDATE rows SET sent = 0 WHERE sent > ?", [(0,)])

    def mark_sent(self, marks: Iterable[tuple[str, str, int]]) -> None:
        """Mark rows as sent. `marks` are mark, key and turn of each."""
        self._write("UPDATE rows SET sent = 1, mark = ? WHERE key = ? AND turn = ?", marks)

    def create_indexes(self) -> None:
        """Index the marks, and the refusals that are not reported yet."""
        with self._disk_errors():
            self._sql.execute("CREATE INDEX IF NOT EXISTS marks ON rows (mark)")
            self._sql.execute(
                f"CREATE INDEX IF NOT EXISTS refused ON rows (owner) WHERE {_UNREPORTED}"
            )

    def set_ids(self, ids: Iterable[tuple[bytes, str]]) -> None:
        """Store the ids of records to delete, each with its key, in the line of the row."""
        self._write("UPDATE rows SET line = ? WHERE key = ? AND operation = 1", ids)

    # ── outcomes ─────────────────────────────────────────────────────────────────────────────────

    def accepted_marks(self, marks: Iterable[str]) -> int:
        """Record rows as accepted; return how many were found."""
        statement = _with("UPDATE rows SET tries = -1, sent = 0", _BY_MARK)
        return self._write(statement, [(mark,) for mark in marks])

    def refused_marks(self, marks: Iterable[tuple[str, str]]) -> int:
        """Record rows as refused, each with its error; return how many were found."""
        rows = [(error, mark) for mark, error in marks]
        return self._write(_with("UPDATE rows SET tries = -2, sent = 0, error = ?", _BY_MARK), rows)

    def busy_marks(self, marks: Iterable[tuple[str, str]]) -> int:
        """Record rows to be retried, refused after `TRIES` times; return how many were found."""
        rows = [(TRIES, error, mark) for mark, error in marks]
        tries = (
            "UPDATE rows SET tries = CASE WHEN tries + 1 >= ? THEN -2 ELSE tries + 1 END, sent"
            " = 0, error = ?"
        )
        return self._write(_with(tries, _BY_MARK), rows)

    def unprocessed_marks(self, marks: Iterable[str]) -> int:
        """Record rows as not processed; return how many were found."""
        return self._write(_with("UPDATE rows SET sent = 0", _BY_MARK), [(mark,) for mark in marks])

    def settle_without_sending(self, keys: Iterable[str]) -> None:
        """Record deletes of records that do not exist as accepted."""
        rows = [(key,) for key in keys]
        self._write("UPDATE rows SET tries = -1 WHERE key = ? AND operation = 1", rows)

    def settle_turns(self, turns: Iterable[tuple[str | None, str, int]]) -> None:
        """Record outcomes that are already known: error or `None`, key and turn of each."""
        self._write(
            "UPDATE rows SET tries = CASE WHEN ?1 IS NULL THEN -1 ELSE -2 END, error = ?1"
            " WHERE key = ?2 AND turn = ?3",
            turns,
        )

    def unmentioned_count(self) -> int:
        """Return how many sent rows the result files did not mention."""
        return int(
            self._sql.execute("SELECT count(*) FROM rows WHERE sent > 0 AND tries >= 0").fetchone()[
                0
            ]
        )

    def withdraw_refusals(self, but: int) -> None:
        """Let refused rows be sent again, all but the first `but` of them."""
        self._write(
            f"UPDATE rows SET tries = 0 WHERE {_UNREPORTED} AND (key, turn) NOT IN"  # noqa: S608 - constants of this module
            f" (SELECT key, turn FROM rows WHERE {_UNREPORTED} ORDER BY key, turn LIMIT ?)",
            [(but,)],
        )

    def take_refused(self, limit: int) -> list[RefusedRow]:
        """Return refused rows that are not reported yet, and mark them as reported.

        From then on they are counted as dead letters.
        """
        query = _with(
            "SELECT key, turn, error, record FROM rows WHERE", _UNREPORTED, "AND owner >= 0 LIMIT ?"
        )
        found = self._sql.execute(query, (limit,)).fetchall()
        self._write(
            "UPDATE rows SET value_bytes = -2 WHERE key = ? AND turn = ?",
            [row[:2] for row in found],
        )
        return [RefusedRow(error or "", kept_records(record)) for _, _, error, record in found]

    def outcomes(self, limit: int) -> Iterator[list[tuple[bytes, str | None]]]:
        """Yield record and error of every row with an outcome, `limit` at a time."""
        query = (
            "SELECT record, CASE WHEN tries = -2 THEN coalesce(error, '') END FROM rows WHERE"
            " tries < 0"
        )
        cursor = self._sql.execute(query)
        while found := cursor.fetchmany(limit):
            yield found


class ReopenedSpool(CrmSpool):
    """The rows of a job that an earlier run left on disk."""

    def __init__(self, path: Path) -> None:
        """Open the table. Raises: `Fatal` when the file is damaged."""
        super().__init__(path, for_inserts=True)
        with self._disk_errors():
            self._sql.execute("SELECT count(*) FROM rows")

    def _open(self, path: Path) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{path}?mode=rw", uri=True, isolation_level=None)


def joined(older_operation: int, older: bytes, operation: int, newer: bytes) -> bytes:
    """Return the line of a key whose older change is still here.

    A newer partial row is laid over the older one: a column that it does not have is blank, which
    the CRM leaves unchanged. After a delete the row is a new one, so a blank column becomes null.
    """
    if operation != _UPSERT or not _may_have_blanks(newer):
        return newer
    # A blank column of the newer row keeps the older value; null is written as #N/A, not blank.
    values = _values(newer)
    below = _values(older) if older_operation == _UPSERT else [CRM.null] * len(values)
    return csv_line([value or under for value, under in zip(values, below, strict=True)])


def _kept(  # noqa: PLR0917 - as SQL calls it
    older_operation: int,
    older: bytes,
    older_record: bytes,
    operation: int,
    newer: bytes,
    record: bytes,
) -> bytes:
    """Return the records of a key whose older change is still here.

    Both records, where the merged row has values of each.
    """
    if _UPSERT == operation == older_operation and _may_have_blanks(newer):
        # The older record is only needed if one of its values is still in the merged row.
        both = zip(_values(newer), _values(older), strict=True)
        if any(under and not value for value, under in both):
            return older_record + record
    return record


def _with(*parts: str) -> str:
    return " ".join(parts)


def _may_have_blanks(line: bytes) -> bool:
    return b",," in line or line.startswith(b",") or line.endswith(b",\n")


def _values(line: bytes) -> list[str]:
    return next(csv.reader([line.decode()[:-1]], strict=True))
