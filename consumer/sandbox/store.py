"""Store the accepted records of the tenant: rows, problem records, and a log of acceptances."""

from __future__ import annotations

import heapq
import json
import re
import sqlite3
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from consumer.model import Operation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from consumer.mapping.settings import ObjectSettings

_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")


class IncomingRow(msgspec.Struct, frozen=True, gc=False):
    """An accepted row that is not stored yet.

    `modified_us` is its Record Modified. `event_date` is set for engagement objects only.
    """

    key: str
    event_date: str
    modified_us: int | None
    text: str


class Problem(msgspec.Struct, frozen=True):
    """A row that was accepted and could not be stored: the columns of a problem record."""

    error_code: str
    error_timestamp_ms: int
    detailed_error: str
    error_row: str


class Acceptance(msgspec.Struct, frozen=True):
    """One request that was answered with 202. `versions` are the Record Modified values in µs."""

    sequence: int
    now_s: float
    wall_ms: int
    object: str
    operation: Operation
    keys: tuple[str, ...]
    versions: tuple[int | None, ...]
    request: int


class Instant(msgspec.Struct, frozen=True):
    """The time of an acceptance, and its request."""

    now_s: float
    wall_ms: int
    request: int


class StoreCounts(msgspec.Struct):
    """The accepted records of an object, counted by outcome."""

    upserts: int = 0
    deletes: int = 0
    stale: int = 0
    """Upserts that were ignored, because the stored row was not older."""
    kept: int = 0
    """Deletes that were ignored, because Record Modified was ahead of the time of the server."""


class _Pending(msgspec.Struct, frozen=True, order=True):
    due_s: float
    sequence: int
    object: str
    rows: tuple[IncomingRow, ...] = ()
    problems: tuple[Problem, ...] = ()
    deleted: tuple[str, ...] = ()


class Store:
    """The tables of the tenant, in SQLite. Due rows are stored in `apply_due` only."""

    def __init__(self, objects: Mapping[str, ObjectSettings], path: Path | None = None) -> None:
        self.objects = dict(objects)
        self.counts = {name: StoreCounts() for name in objects}
        self._pending: list[_Pending] = []
        self._sql = sqlite3.connect(path or ":memory:", isolation_level=None)
        if path is not None:
            # Tests read the file while the sandbox writes it, and it need not survive a power cut.
            self._sql.execute("PRAGMA journal_mode = WAL")
            self._sql.execute("PRAGMA synchronous = OFF")
        self._sql.execute(
            "CREATE TABLE IF NOT EXISTS acceptances (sequence INTEGER PRIMARY KEY,"
            " now_s REAL, wall_ms INTEGER, object TEXT, operation TEXT, keys TEXT, versions TEXT,"
            " request INTEGER)"
        )
        self._sql.execute(
            "CREATE TABLE IF NOT EXISTS problems (sequence INTEGER PRIMARY KEY,"
            " object TEXT, code TEXT, wall_ms INTEGER, detail TEXT, row TEXT)"
        )
        self._writes = {name: self._prepare(settings) for name, settings in objects.items()}
        (self._sequence,) = self._sql.execute(
            "SELECT coalesce(max(sequence), 0) FROM acceptances"
        ).fetchone()

    def _prepare(self, settings: ObjectSettings) -> str:
        """Create the table of an object, and return the statement that stores its rows."""
        if _NAME.fullmatch(settings.name) is None:
            message = (
                f"object name: expected 1 to 80 of A-Z, a-z, 0-9, _ and -, got {settings.name!r}"
            )
            raise ValueError(message)
        table = f'"rows {settings.name}"'
        self._sql.execute(
            f"CREATE TABLE IF NOT EXISTS {table} (key TEXT, event_date TEXT,"
            " modified_us INTEGER, row TEXT, PRIMARY KEY (key, event_date))"
        )
        row = "excluded.row"
        if settings.refresh_mode == "partial":
            # RFC 7396: a null removes the member, and a missing member is read as null.
            row = "json_patch(row, excluded.row)"
        newer = (
            "" if settings.record_modified is None else " WHERE excluded.modified_us > modified_us"
        )
        return (
            # A row that is not newer leaves the stored one unchanged, and is counted as stale.
            f"INSERT INTO {table} VALUES (?, ?, ?, ?) ON CONFLICT (key, event_date)"  # noqa: S608 - the name was checked
            f" DO UPDATE SET modified_us = excluded.modified_us, row = {row}{newer}"
        )

    # ---- accepting

    def accept_rows(
        self,
        name: str,
        rows: Sequence[IncomingRow],
        problems: Sequence[Problem],
        *,
        now_s: float,
        wall_ms: int,
        due_s: float,
        request: int,
    ) -> None:
        """Accept an upsert: it is logged at once, and stored from `due_s` on."""
        versions = [(row.key, row.modified_us) for row in rows]
        self._log(name, Operation.UPSERT, versions, now_s=now_s, wall_ms=wall_ms, request=request)
        self.counts[name].upserts += len(rows) + len(problems)
        heapq.heappush(
            self._pending, _Pending(due_s, self._sequence, name, tuple(rows), tuple(problems))
        )

    def accept_deletes(
        self,
        name: str,
        keys: Sequence[str],
        *,
        now_s: float,
        wall_ms: int,
        due_s: float,
        request: int,
    ) -> None:
        """Accept a delete: it is logged at once, and the rows are removed from `due_s` on."""
        versions = [(key, None) for key in keys]
        self._log(name, Operation.DELETE, versions, now_s=now_s, wall_ms=wall_ms, request=request)
        self.counts[name].deletes += len(keys)
        heapq.heappush(self._pending, _Pending(due_s, self._sequence, name, deleted=tuple(keys)))

    def remove_older(
        self, name: str, keys: Sequence[tuple[str, int | None]], *, moment: Instant
    ) -> None:
        """Apply the deletes of a bulk job: remove rows that are older than the given version.

        Units: Record Modified in µs; `None` removes only rows that have none either.
        """
        versions = [(key, older_us) for key, older_us in keys]
        self._log(
            name,
            Operation.DELETE,
            versions,
            now_s=moment.now_s,
            wall_ms=moment.wall_ms,
            request=moment.request,
        )
        counted = self.counts[name]
        counted.deletes += len(keys)
        statement = (
            f'DELETE FROM "rows {name}" WHERE key = ? AND (modified_us IS NULL OR modified_us < ?)'  # noqa: S608 - a checked name
        )
        self._sql.executemany(statement, versions)
        for key, _ in keys:
            counted.kept += self._sql.execute(
                f'SELECT count(*) FROM "rows {name}" WHERE key = ?',  # noqa: S608 - a checked name
                (key,),
            ).fetchone()[0]

    def _log(
        self,
        name: str,
        operation: Operation,
        versions: Sequence[tuple[str, int | None]],
        *,
        now_s: float,
        wall_ms: int,
        request: int,
    ) -> None:
        self._sequence += 1
        keys = orjson.dumps([key for key, _ in versions])
        moments = orjson.dumps([version for _, version in versions])
        line = (self._sequence, now_s, wall_ms, name, operation, keys, moments, request)
        self._sql.execute("INSERT INTO acceptances VALUES (?, ?, ?, ?, ?, ?, ?, ?)", line)

    def apply_due(self, now_s: float, wall_ms: int) -> None:
        """Store what is due, by due time and then in the order of acceptance."""
        if not self._pending or self._pending[0].due_s > now_s:
            return
        self._sql.execute("BEGIN")
        while self._pending and self._pending[0].due_s <= now_s:
            self._apply(heapq.heappop(self._pending), wall_ms)
        self._sql.execute("COMMIT")

    def _apply(self, pending: _Pending, wall_ms: int) -> None:
        name, counted = pending.object, self.counts[pending.object]
        if pending.rows:
            values = [(row.key, row.event_date, row.modified_us, row.text) for row in pending.rows]
            counted.stale += (
                len(values) - self._sql.executemany(self._writes[name], values).rowcount
            )
        if pending.problems:
            lines = [
                (
                    name,
                    problem.error_code,
                    problem.error_timestamp_ms,
                    problem.detailed_error,
                    problem.error_row,
                )
                for problem in pending.problems
            ]
            self._sql.executemany("INSERT INTO problems VALUES (NULL, ?, ?, ?, ?, ?)", lines)
        if pending.deleted:
            self._remove(name, pending.deleted, wall_ms, counted)

    def _remove(self, name: str, keys: Sequence[str], wall_ms: int, counted: StoreCounts) -> None:
        table = f'"rows {name}"'
        older = "(modified_us IS NULL OR modified_us < ?)"
        values = [(key, wall_ms * 1000) for key in keys]
        self._sql.executemany(f"DELETE FROM {table} WHERE key = ? AND {older}", values)  # noqa: S608 - a checked name
        if self.objects[name].record_modified is None:
            return
        # A row that is left is ahead of the time of the server.
        for key in keys:
            (left,) = self._sql.execute(
                f"SELECT count(*) FROM {table} WHERE key = ?",  # noqa: S608 - a checked name
                (key,),
            ).fetchone()
            counted.kept += left

    # ---- reading

    def rows(self, name: str) -> dict[str, dict[str, Any]]:
        """Return the rows of an object by identity, with every field of the schema.

        Shape: the identity is the primary key; for engagement objects it is `key date`, because the
        same key on another day is another row. Numbers with a fraction are `Decimal`, with all
        their digits.
        """
        return {identity: self._full(name, text) for identity, text in self.row_texts(name).items()}

    def row_texts(self, name: str) -> dict[str, str]:
        """Return the rows of an object by identity, as their original JSON text."""
        query = f'SELECT key, event_date, row FROM "rows {name}" ORDER BY key, event_date'  # noqa: S608 - a checked name
        found = self._sql.execute(query)
        return {
            f"{key} {event_date}" if event_date else key: text for key, event_date, text in found
        }

    def _full(self, name: str, text: str) -> dict[str, Any]:
        row = json.loads(text, parse_float=Decimal)
        return {field: row.get(field) for field in self.objects[name].fields}

    def acceptances(self, name: str | None = None) -> list[Acceptance]:
        """Return the requests that were answered with 202, in order, of one object or of all."""
        found = self._sql.execute(
            "SELECT * FROM acceptances WHERE ? IS NULL OR object = ? ORDER BY sequence",
            (name, name),
        )
        return [
            Acceptance(
                sequence=sequence,
                now_s=now_s,
                wall_ms=wall_ms,
                object=object_,
                operation=Operation(operation),
                keys=tuple(orjson.loads(keys)),
                versions=tuple(orjson.loads(versions)),
                request=request,
            )
            for sequence, now_s, wall_ms, object_, operation, keys, versions, request in found
        ]

    def problems(self, name: str, limit: int = -1) -> list[Problem]:
        """Return the problem records of an object, the newest first."""
        query = (
            "SELECT code, wall_ms, detail, row FROM problems WHERE object = ? ORDER BY sequence"
            " DESC LIMIT ?"
        )
        return [Problem(*line) for line in self._sql.execute(query, (name, limit))]

    def count(self, name: str) -> int:
        """Return the number of rows of an object."""
        query = f'SELECT count(*) FROM "rows {name}"'  # noqa: S608 - a checked name
        return int(self._sql.execute(query).fetchone()[0])

    def problem_count(self, name: str) -> int:
        """Return the number of problem records of an object."""
        return int(
            self._sql.execute("SELECT count(*) FROM problems WHERE object = ?", (name,)).fetchone()[
                0
            ]
        )

    def pending_count(self) -> int:
        """Return the number of accepted requests that are not stored yet."""
        return len(self._pending)

    def search(self, name: str, text: str, *, offset: int, limit: int) -> tuple[int, list[str]]:
        """Return the number of rows that contain `text`, and one page of them by key."""
        if not text:
            query = f'SELECT row FROM "rows {name}" ORDER BY key, event_date LIMIT ? OFFSET ?'  # noqa: S608 - a checked name
            return self.count(name), [row for (row,) in self._sql.execute(query, (limit, offset))]
        pattern = "%" + re.sub(r"([\\%_])", r"\\\1", text) + "%"
        where = f"FROM \"rows {name}\" WHERE row LIKE ? ESCAPE '\\'"
        (total,) = self._sql.execute(f"SELECT count(*) {where}", (pattern,)).fetchone()
        query = f"SELECT row {where} ORDER BY key, event_date LIMIT ? OFFSET ?"
        return total, [row for (row,) in self._sql.execute(query, (pattern, limit, offset))]

    def close(self) -> None:
        """Close the database."""
        self._sql.close()
