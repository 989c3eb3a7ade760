"""Checkpoint of a replay in SQLite: request, newest change of every row, and progress."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Self

import msgspec

from consumer.errors import Fatal, Refusal
from consumer.operations.replay.given_versions import GivenVersions
from consumer.operations.replay.state import (
    CheckpointHeader,
    ReplayPartition,
    ReplayPhase,
    RowCounts,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from consumer.operations.replay.state import ReadStep

_CACHE_KIB: Final = 32 * 1024
_TABLES: Final = (
    "CREATE TABLE about (content BLOB)",
    "CREATE TABLE counts (name TEXT PRIMARY KEY, count INTEGER) WITHOUT ROWID",
    """CREATE TABLE parts (number INTEGER PRIMARY KEY, topic TEXT, partition INTEGER, begin INTEGER,
     end INTEGER, stop INTEGER, window INTEGER, scanned INTEGER, sent INTEGER, remark TEXT)""",
    """CREATE TABLE states (object TEXT, key TEXT, part INTEGER, offset INTEGER,
     timestamp_ms INTEGER, is_delete INTEGER, was_deleted INTEGER, PRIMARY KEY (object, key))
     WITHOUT ROWID""",
    "CREATE TABLE also (part INTEGER, offset INTEGER, PRIMARY KEY (part, offset)) WITHOUT ROWID",
)

_NEWER: Final = "(states.part = :part OR states.timestamp_ms <= :timestamp_ms)"
"""Offsets order the changes of a row within a partition. Across partitions only the record
timestamp does."""

_PUT: Final = f"""INSERT INTO states VALUES
 (:object, :key, :part, :offset, :timestamp_ms, :is_delete, :is_delete)
 ON CONFLICT (object, key) DO UPDATE SET part = :part, offset = :offset,
 timestamp_ms = :timestamp_ms, is_delete = :is_delete WHERE {_NEWER}"""  # noqa: S608 - no value
_MARK: Final = "UPDATE states SET was_deleted = 1 WHERE object = :object AND key = :key"
_FOLLOWED: Final = "object = :object AND key = :key AND (was_deleted OR :undated)"
_MOVE: Final = f"""UPDATE states SET part = :part, offset = :offset, timestamp_ms = :timestamp_ms,
 is_delete = :is_delete WHERE {_FOLLOWED} AND {_NEWER}"""  # noqa: S608 - no value
_MOVE_ALSO: Final = (
    f"INSERT OR IGNORE INTO also SELECT :part, :offset FROM states WHERE {_FOLLOWED}"  # noqa: S608
)


class Checkpoint:
    """One file, open in one process at a time. Every method is one transaction."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.parts: list[ReplayPartition] = []
        self._header: CheckpointHeader | None = None

    def __enter__(self) -> Self:
        """Open and lock the file.

        Raises: `Refusal` while another process has it; `Fatal` when it cannot be opened.
        """
        with self._disk_errors():
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._sql = sqlite3.connect(self.path, isolation_level=None, timeout=0)
            self._claim()
            self._read()
            self.versions = GivenVersions(self._sql, self._transaction)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._sql.close()
        # A plan, a finished replay, or a discarded one.
        if self._header is None or self._header.phase is ReplayPhase.PLANNING:
            self._remove()

    @property
    def header(self) -> CheckpointHeader | None:
        """Header of the checkpoint; `None` when the file is new."""
        return self._header

    @property
    def phase(self) -> ReplayPhase:
        """The next phase of the replay."""
        return self._header.phase if self._header is not None else ReplayPhase.PLANNING

    def begin(self, header: CheckpointHeader, parts: Sequence[ReplayPartition]) -> None:
        """Start over with these partitions, of which nothing is read."""
        with self._transaction():
            for table in ("about", "counts", "parts", "states", "also"):
                self._sql.execute(f"DELETE FROM {table}")  # noqa: S608 - a constant
            self.versions.clear()
            self._sql.execute("DROP INDEX IF EXISTS states_by_place")
            rows = [msgspec.structs.astuple(part) for part in parts]
            self._sql.executemany("INSERT INTO parts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
            self._sql.execute("INSERT INTO about VALUES (?)", (msgspec.json.encode(header),))
        self._header, self.parts = header, list(parts)

    def enter(self, phase: ReplayPhase) -> None:
        """Enter a phase."""
        with self._transaction():
            self._set_phase(phase)

    def add_step(self, step: ReadStep, scanned: Mapping[int, int]) -> None:
        """Store the changes of a read step, and by partition number the next offset to read."""
        with self._transaction():
            self._sql.executemany(_PUT, step.inside)
            # Remembered even if the row is written again: a delete has no version to compare.
            self._sql.executemany(_MARK, [row for row in step.inside if row["is_delete"]])
            # Partial rows: later changes are sent in addition. Before `_MOVE`, which moves the row
            # itself.
            self._sql.executemany(_MOVE_ALSO, step.beyond_also)
            # Changes after the range move only rows of the range, see `_FOLLOWED`.
            self._sql.executemany(_MOVE, step.beyond)
            self._sql.executemany("INSERT OR IGNORE INTO also VALUES (?, ?)", step.also)
            for name, count in step.counts.items():
                self._sql.execute(
                    (
                        "INSERT INTO counts VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET"
                        " count = count + ?2"
                    ),
                    (name, count),
                )
            # In the same transaction as the changes: a restart reads neither twice nor too little.
            self._move("scanned", scanned)

    def index(self) -> None:
        """Index the selected changes by offset.

        Done after reading: keeping the index up to date would be most of the work of a read step.
        """
        with self._transaction():
            self._sql.execute("CREATE INDEX IF NOT EXISTS states_by_place ON states (part, offset)")

    def read_on(self, stops: Mapping[int, int]) -> None:
        """Raise the stops to these offsets, by partition number; a stop never goes down."""
        with self._transaction():
            self._move("stop", {one.number: max(one.stop, stops[one.number]) for one in self.parts})

    def sent(self, positions: Mapping[int, int]) -> None:
        """Everything below these offsets is sent and settled."""
        with self._transaction():
            self._move("sent", positions)

    def begin_recheck(self, ends: Mapping[int, int]) -> None:
        """Start to look for rows that changed while they were sent; `ends` are the log ends."""
        with self._transaction():
            # The window begins where the last round ended; `finish_recheck` keeps only its changes.
            self._move("window", {one.number: one.stop for one in self.parts})
            self._move("stop", {one.number: max(one.stop, ends[one.number]) for one in self.parts})
            self._set_phase(ReplayPhase.RECHECKING, looks=1)

    def finish_recheck(self) -> bool:
        """Select only the changes of the new window; return whether there are any.

        A row without a change in the window is done. A change after the window was written after
        everything had been sent, so the group sends it later than the replay did. Only where its
        version does not exceed the one that the replay has sent, the window grows to take it in.
        """
        with self._transaction():
            overtaken = {*self.versions.overtaken()}
            self._move(
                "stop", {one.number: one.scanned for one in self.parts if one.number in overtaken}
            )
            for part in self.parts:
                for table in ("states", "also"):
                    self._sql.execute(
                        f"DELETE FROM {table} WHERE part = ? AND (offset < ? OR offset >= ?)",  # noqa: S608 - a constant
                        (part.number, part.window, part.stop),
                    )
            # Sending starts at the window: everything below it is settled.
            self._move("sent", {one.number: one.window for one in self.parts})
            self._set_phase(ReplayPhase.SENDING)
        return self.selected_count() > 0

    def discard(self) -> None:
        """Delete the file on exit: the replay is finished, or starts over."""
        self._header = None

    def selected_offsets(self, part: int, begin: int, end: int, most: int) -> list[int]:
        """Return the first selected offsets of a partition in this range, at most `most`."""
        query = (
            "SELECT offset FROM states WHERE part = ?1 AND offset >= ?2 AND offset < ?3"
            " UNION SELECT offset FROM also WHERE part = ?1 AND offset >= ?2 AND offset <"
            " ?3 ORDER BY 1 LIMIT ?4"
        )
        return [offset for (offset,) in self._sql.execute(query, (part, begin, end, most))]

    def selected_count(self) -> int:
        """Return how many records are selected."""
        return self._one(
            "SELECT count(*) FROM (SELECT part, offset FROM states UNION SELECT part,"
            " offset FROM also)"
        )

    def selected_in_range_count(self) -> int:
        """Return how many selected records are in the requested range itself."""
        return self._one(
            "SELECT count(*) FROM (SELECT part, offset FROM states UNION SELECT part,"
            " offset FROM also)"
            " JOIN parts ON parts.number = part WHERE offset < end"
        )

    def is_newest(self, name: str, key: str, part: int, offset: int) -> bool:
        """Whether this change is the newest of its row."""
        query = "SELECT 1 FROM states WHERE object = ? AND key = ? AND part = ? AND offset = ?"
        return self._sql.execute(query, (name, key, part, offset)).fetchone() is not None

    def follows_row(self, name: str, key: str, *, undated: bool) -> bool:
        """Whether later changes of a row are sent too."""
        query = f"SELECT 1 FROM states WHERE {_FOLLOWED}"  # noqa: S608 - no value
        return (
            self._sql.execute(query, {"object": name, "key": key, "undated": undated}).fetchone()
            is not None
        )

    def has_deleted(self) -> bool:
        """Whether the range deletes any row."""
        return (
            self._sql.execute("SELECT 1 FROM states WHERE was_deleted LIMIT 1").fetchone()
            is not None
        )

    def row_counts(self, name: str) -> RowCounts:
        """Return the rows of an object by the state of their newest change."""
        query = (
            "SELECT count(*), coalesce(sum(is_delete), 0), coalesce(sum(was_deleted), 0),"
            " coalesce(sum(was_deleted AND NOT is_delete), 0), coalesce(sum(offset >= end), 0),"
            " coalesce(sum(was_deleted AND NOT is_delete AND offset >= end), 0)"
            " FROM states JOIN parts ON parts.number = part WHERE object = ?"
        )
        return RowCounts(*self._sql.execute(query, (name,)).fetchone())

    def counts(self) -> dict[str, int]:
        """Return the counters of the read steps."""
        return dict(self._sql.execute("SELECT name, count FROM counts"))

    def _one(self, query: str) -> int:
        return int(self._sql.execute(query).fetchone()[0])

    def _claim(self) -> None:
        try:
            # Exclusive for the life of the connection, so that a second process fails at once.
            self._sql.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._sql.execute("PRAGMA journal_mode = WAL")
            self._sql.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            self._sql.close()
            # Any other error is of the disk, or the file is not a database.
            if error.sqlite_errorcode not in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                raise
            message = (
                f"another process is running this replay ({self.path}: {error}); wait for it, or "
                "stop it"
            )
            raise Refusal(message) from error
        if self._one("SELECT count(*) FROM sqlite_master WHERE name = 'about'") == 0:
            for statement in _TABLES:
                self._sql.execute(statement)
        self._sql.execute("COMMIT")
        for pragma in ("synchronous = NORMAL", f"cache_size = -{_CACHE_KIB}", "temp_store = FILE"):
            self._sql.execute(f"PRAGMA {pragma}")

    def _read(self) -> None:
        found = self._sql.execute("SELECT content FROM about").fetchone()
        self._header = (
            None if found is None else msgspec.json.decode(found[0], type=CheckpointHeader)
        )
        names = ReplayPartition.__struct_fields__
        self.parts = [
            msgspec.convert(dict(zip(names, row, strict=True)), ReplayPartition)
            for row in self._sql.execute("SELECT * FROM parts ORDER BY number")
        ]

    def _remove(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name(f"{self.path.name}{suffix}").unlink(missing_ok=True)

    def _move(self, column: str, offsets: Mapping[int, int]) -> None:
        self._sql.executemany(
            f"UPDATE parts SET {column} = ? WHERE number = ?",  # noqa: S608 - a constant
            [(offset, number) for number, offset in offsets.items()],
        )
        for part in self.parts:
            if part.number in offsets:
                setattr(part, column, offsets[part.number])

    def _set_phase(self, phase: ReplayPhase, *, looks: int = 0) -> None:
        assert self._header is not None  # noqa: S101 - `begin` came first
        header = msgspec.structs.replace(
            self._header, phase=phase, look_count=self._header.look_count + looks
        )
        self._sql.execute("UPDATE about SET content = ?", (msgspec.json.encode(header),))
        self._header = header

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commit all statements of the block, or none of them."""
        with self._disk_errors():
            self._sql.execute("BEGIN")
            yield
            self._sql.execute("COMMIT")

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        """Raise errors of the disk, or of a file that is not a database, as `Fatal`."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            detail = (
                f"cannot use the checkpoint {self.path}: {error}; make it writable and run the"
                " same command again to resume, or set another --checkpoint file"
            )
            raise Fatal(detail) from error
