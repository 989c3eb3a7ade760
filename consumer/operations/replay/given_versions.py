"""The versions of a lifted replay: per row, what the daemons can have given it and what was sent.

They are tables of the checkpoint. `consumer/mapping/version.py` says why a lifted row is newer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from consumer.mapping.version import LARGEST_LEAD_MS, LIFT_SHARE, lift_base_ms

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

_TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS versions (object TEXT, key TEXT, given_ms INTEGER, own_ms INTEGER,
     lifted_ms INTEGER, PRIMARY KEY (object, key)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS versions_read (part INTEGER PRIMARY KEY, begin INTEGER,
     next INTEGER, record_count INTEGER, first_timestamp_ms INTEGER)""",
)

# Only rows of the range have a line. Each change raises the version as a daemon does that forgets
# nothing, see `VersionMemory.next_version`.
_RAISE: Final = """INSERT INTO versions
 SELECT :object, :key, :own_ms, :own_ms, NULL
 WHERE EXISTS (SELECT 1 FROM states WHERE object = :object AND key = :key)
 ON CONFLICT (object, key) DO UPDATE SET given_ms = max(given_ms + 1, :own_ms), own_ms = :own_ms"""

_KNOWN: Final = """(begin = 0 OR given_ms > first_timestamp_ms + :lead_ms)
 AND next - begin - record_count <= max(0, :wall_ms - given_ms) / :share"""
"""Whether every change of the row that can have raised its version was read.

Retention: removed changes were sent, and have a version of at most the lead after the time of the
first record that is left. Compaction and transactions: each missing record raises it by 1 ms.
"""

_REFUSED: Final = "given_ms >= :wall_ms + :lead_ms"
"""Whether a higher version would be too far ahead of now."""

OwnVersion: TypeAlias = dict[str, str | int]
"""`object`, `key` and `own_ms` of one change."""


class ExpectedRows(msgspec.Struct, frozen=True):
    """Rows that are written, by what the tenant is expected to do.

    `win_count`: it takes the row. `lose_count`: it keeps its own. `unknown_count`: it takes the row
    only if its own has an older version, and that is not known.
    """

    win_count: int = 0
    lose_count: int = 0
    unknown_count: int = 0


class VersionsRead(msgspec.Struct, kw_only=True):
    """How far the versions of a partition were read: from `begin`, up to `next`.

    `record_count` is the number of records in between, `first_timestamp_ms` that of the first one.
    """

    part: int
    begin: int
    next: int
    record_count: int = 0
    first_timestamp_ms: int = 0


class GivenVersions:
    """The versions of one checkpoint."""

    def __init__(
        self, sql: sqlite3.Connection, transaction: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._sql = sql
        self._transaction = transaction
        with transaction():
            for statement in _TABLES:
                sql.execute(statement)

    def clear(self) -> None:
        """Forget everything. Called inside a transaction."""
        for table in ("versions", "versions_read"):
            self._sql.execute(f"DELETE FROM {table}")  # noqa: S608 - a constant

    def read(self) -> dict[int, VersionsRead]:
        """Return by partition number how far versions were read."""
        found = self._sql.execute("SELECT * FROM versions_read")
        names = VersionsRead.__struct_fields__
        return {
            row[0]: VersionsRead(**dict(zip(names, row, strict=True))) for row in found.fetchall()
        }

    def add(self, own_versions: Iterable[OwnVersion], read: Iterable[VersionsRead]) -> None:
        """Raise the versions of rows in log order, and store how far that was read."""
        with self._transaction():
            self._sql.executemany(_RAISE, own_versions)
            self._sql.executemany(
                "INSERT OR REPLACE INTO versions_read VALUES (?, ?, ?, ?, ?)",
                [msgspec.structs.astuple(one) for one in read],
            )

    def lift(self, name: str, key: str, wall_ms: int) -> int | None:
        """Return the version that the next change of this row must exceed by 1 ms.

        `None` when no change with a version was read. The version to send is stored first: a
        resumed replay continues above it, and never sends two changes of a row with one version.
        """
        with self._transaction():
            found = self._sql.execute(
                "SELECT given_ms, lifted_ms FROM versions WHERE object = ? AND key = ?", (name, key)
            ).fetchone()
            if found is None:
                return None
            given_ms, lifted_ms = found
            base_ms = lift_base_ms(given_ms, wall_ms)
            if lifted_ms is not None:
                base_ms = min(max(base_ms, lifted_ms), wall_ms + LARGEST_LEAD_MS - 1)
            self._sql.execute(
                "UPDATE versions SET lifted_ms = ? WHERE object = ? AND key = ?",
                (base_ms + 1, name, key),
            )
        return base_ms + 1

    def overtaken(self) -> list[int]:
        """Return the partitions with a change after the stop that is older than a lifted row.

        The daemons send that change with its own version, and the tenant would keep the older row.
        """
        query = (
            "SELECT DISTINCT part FROM states JOIN versions USING (object, key)"
            " JOIN parts ON parts.number = part WHERE offset >= stop AND NOT is_delete"
            " AND own_ms <= lifted_ms"
        )
        return [part for (part,) in self._sql.execute(query)]

    def counts(self, name: str, wall_ms: int) -> ExpectedRows:
        """Return what is expected of the rows of an object that are not deleted."""
        query = (
            f"SELECT coalesce(sum(NOT ({_REFUSED}) AND {_KNOWN}), 0),"  # noqa: S608 - no value
            f" coalesce(sum({_REFUSED}), 0),"
            f" coalesce(sum(NOT ({_REFUSED}) AND NOT ({_KNOWN})), 0)"
            " FROM states JOIN versions USING (object, key)"
            " JOIN versions_read USING (part) WHERE object = :object AND NOT is_delete"
        )
        values = {
            "object": name,
            "wall_ms": wall_ms,
            "lead_ms": LARGEST_LEAD_MS,
            "share": LIFT_SHARE,
        }
        return ExpectedRows(*self._sql.execute(query, values).fetchone())
