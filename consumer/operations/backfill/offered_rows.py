"""Maps records to CSV rows for one route, and counts filtered and faulty records."""

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
    """A record at fault, and its index among the mapped records."""

    at: int
    record: Record
    error: RecordError


class OfferedRows(msgspec.Struct):
    """The result of mapping records, in order: rows, number of filtered records, faults."""

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
        """Map records. A record that is at fault in any of its rows gives no row at all."""
        offered = OfferedRows([], 0, [])
        at = 0
        while at < len(records):
            changes: list[Change] = []
            # The fast path maps a run of simple records; the record that stops it is mapped by
            # itself.
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
        """Add the result of one record."""
        parts = mapped if isinstance(mapped, tuple) else (mapped,)
        try:
            rows = [self._row(part) for part in parts if not isinstance(part, Filtered)]
        except RecordError as error:
            offered.faults.append(RowFault(at, record, error))
            return
        if rows:
            # The first row counts the record, so that the totals are numbers of records, not of
            # rows.
            rows[0].own_count = rows[0].record_count = 1
            offered.rows += rows
        else:
            offered.filtered_count += 1

    def _row(self, change: Change) -> KeptRow:
        """Return the row of a change; it counts no record yet."""
        if not isinstance(change, Upsert):
            return KeptRow(change.key, 0, 0, b"")
        line = self._csv.line(change.encoded)
        if len(line) + len(self._csv.header) > FILE_BYTES:
            detail = (
                f"expected at most {FILE_BYTES} bytes of CSV in a row and its header, got "
                f"{len(line) + len(self._csv.header)}; map fewer fields"
            )
            raise RecordError(Reason.RECORD_SIZE, detail)
        return KeptRow(change.key, 0, 0, line)
