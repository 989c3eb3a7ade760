"""Records offered to one route, as rows of CSV.

What each becomes, what is filtered, and what is at fault.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.bulk.csv import INGESTION, CsvRows
from consumer.bulk.job_state import FILE_BYTES
from consumer.bulk.sorted_runs import KeptRow
from consumer.errors import Reason, RecordError
from consumer.model import Filtered, Record, Upsert

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.mapping.port import Mapped, RouteMapper
    from consumer.model import Change


class RowFault(msgspec.Struct, frozen=True):
    """A record at fault, and its place among those that were offered."""

    at: int
    record: Record
    error: RecordError


class OfferedRows(msgspec.Struct):
    """What became of records, in order: rows, filtered ones, faults."""

    rows: list[KeptRow]
    filtered_count: int
    faults: list[RowFault]


class RowMaker:
    """Maps the records of one topic for one object."""

    def __init__(self, mapper: RouteMapper) -> None:
        self.object = mapper.target.object
        self._mapper = mapper
        self._csv = CsvRows(mapper.object.fields, INGESTION)

    def map_records(self, records: Sequence[Record], wall_ms: int) -> OfferedRows:
        """Map records. One that is at fault in any of its rows becomes none."""
        offered = OfferedRows([], 0, [])
        at = 0
        while at < len(records):
            changes: list[Change] = []
            reached = self._mapper.map_run(records, at, wall_ms, changes.append)
            for place, change in enumerate(changes, at):
                self._take(offered, place, records[place], change)
            at = reached + 1
            if reached < len(records):
                try:
                    mapped = self._mapper.map(records[reached], wall_ms)
                except RecordError as error:
                    offered.faults.append(RowFault(reached, records[reached], error))
                else:
                    self._take(offered, reached, records[reached], mapped)
        return offered

    def _take(
        self, offered: OfferedRows, at: int, record: Record, mapped: Mapped | tuple[Mapped, ...]
    ) -> None:
        """Add what became of one record."""
        parts = mapped if isinstance(mapped, tuple) else (mapped,)
        try:
            rows = [self._row(part) for part in parts if not isinstance(part, Filtered)]
        except RecordError as error:
            offered.faults.append(RowFault(at, record, error))
            return
        if rows:
            rows[0].own_count = rows[0].record_count = 1
            offered.rows += rows
        else:
            offered.filtered_count += 1

    def _row(self, change: Change) -> KeptRow:
        """Return the row of a change, that no record is counted by yet."""
        if not isinstance(change, Upsert):
            return KeptRow(change.key, 0, 0, b"")
        line = self._csv.line(change.encoded)
        if len(line) + len(self._csv.header) > FILE_BYTES:
            detail = f"the row has {len(line)} bytes of CSV, more than one file carries"
            raise RecordError(Reason.RECORD_SIZE, detail)
        return KeptRow(change.key, 0, 0, line)
