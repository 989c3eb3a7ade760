"""The brokers of a replay, in memory."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from typing import TYPE_CHECKING, Self

from consumer.model import PlainRecord
from consumer.operations.kafka.range_bounds import AtTime
from consumer.operations.kafka.ranges import OffsetRange, PartitionOffsets, clipped_range

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from types import TracebackType

    from consumer.model import PartitionKey, Record
    from consumer.operations.kafka.range_bounds import RangeBound
    from consumer.sandbox.memory_source import MemoryLog

READ_S = 0.02


class MemoryRecordLog:
    """A `RecordLog` without brokers."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log

    async def offset_ranges(
        self,
        topic: str,
        begin: RangeBound | None,
        end: RangeBound | None,
        partitions: Collection[int],
    ) -> list[OffsetRange]:
        """Return a range in the partitions of a topic."""
        places = sorted(
            one
            for one in self._log.ends
            if one[0] == topic and (not partitions or one[1] in partitions)
        )
        return [clipped_range(place, begin, end, self._held(place, begin, end)) for place in places]

    async def positions(self, places: Iterable[PartitionKey]) -> dict[PartitionKey, int]:
        """Return the positions of the group."""
        return {
            place: self._log.committed[place] for place in places if place in self._log.committed
        }

    async def ends(self, places: Iterable[PartitionKey]) -> dict[PartitionKey, int]:
        """Return the ends of partitions."""
        return {place: self._log.ends[place] for place in places}

    async def reader(self, offset_ranges: Iterable[OffsetRange]) -> MemoryReader:
        """Return a reader of these ranges."""
        return MemoryReader(self._log, [*offset_ranges])

    def _held(
        self, place: PartitionKey, begin: RangeBound | None, end: RangeBound | None
    ) -> PartitionOffsets:
        return PartitionOffsets(
            0, self._log.ends[place], self._at(place, begin), self._at(place, end)
        )

    def _at(self, place: PartitionKey, edge: RangeBound | None) -> int | None:
        if not isinstance(edge, AtTime):
            return None
        return next(
            (
                one.offset()
                for one in self._log.records[place]
                if one.timestamp()[1] >= edge.wall_ms
            ),
            None,
        )


class MemoryReader:
    """Reads some records of each range at a time."""

    trouble = ""

    def __init__(self, log: MemoryLog, offset_ranges: Sequence[OffsetRange]) -> None:
        self._log = log
        self._ends = {one.place: one.end for one in offset_ranges}
        self._positions = {one.place: one.begin for one in offset_ranges}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    @property
    def positions(self) -> Mapping[PartitionKey, int]:
        """The next offset of each range."""
        return self._positions

    @property
    def is_complete(self) -> bool:
        """Whether every record was returned."""
        return self._positions == self._ends

    async def read(self, _wait_s: float, most: int) -> Mapping[PartitionKey, Sequence[Record]]:
        """Return the next records by partition."""
        await asyncio.sleep(READ_S)
        found: dict[PartitionKey, Sequence[Record]] = {}
        for place, end in self._ends.items():
            records = self._log.records[place]
            first = bisect_left(records, self._positions[place], key=PlainRecord.offset)
            chunk = [one for one in records[first : first + min(most, 50)] if one.offset() < end]
            self._positions[place] = chunk[-1].offset() + 1 if chunk else end
            if chunk:
                found[place] = chunk
        return found
