"""Finds and reads offset ranges as coroutines: each blocking call runs in a thread."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Self

from consumer.operations.kafka.range_reader import RangeReader
from consumer.operations.kafka.ranges import RangeFinder

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from types import TracebackType

    from consumer.model import PartitionKey, Record
    from consumer.operations.kafka.range_bounds import RangeBound
    from consumer.operations.kafka.ranges import OffsetRange
    from consumer.source.settings import KafkaSettings


class KafkaRangeLog:
    """Finds ranges and reads records, without joining the group and without commits.

    Every method raises `Refusal` if the brokers do not answer.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings

    async def offset_ranges(
        self,
        topic: str,
        begin: RangeBound | None,
        end: RangeBound | None,
        partitions: Collection[int],
    ) -> list[OffsetRange]:
        """Return the offsets of a range in each partition of a topic."""

        def find() -> list[OffsetRange]:
            with RangeFinder(self._settings) as finder:
                return finder.offset_ranges(topic, begin, end, partitions)

        return await asyncio.to_thread(find)

    async def positions(self, places: Iterable[PartitionKey]) -> dict[PartitionKey, int]:
        """Return the group's committed positions; a partition without one is absent."""

        def find() -> dict[PartitionKey, int]:
            with RangeFinder(self._settings) as finder:
                return finder.positions(places)

        return await asyncio.to_thread(find)

    async def ends(self, places: Iterable[PartitionKey]) -> dict[PartitionKey, int]:
        """Return the last stable offset of each partition."""
        by_topic: dict[str, list[int]] = {}
        for topic, partition in places:
            by_topic.setdefault(topic, []).append(partition)
        found = [
            one
            for topic, parts in by_topic.items()
            for one in await self.offset_ranges(topic, None, None, parts)
        ]
        return {one.place: one.end for one in found}

    async def reader(self, offset_ranges: Iterable[OffsetRange]) -> KafkaRangeReader:
        """Return a reader of exactly these ranges."""
        return KafkaRangeReader(
            await asyncio.to_thread(RangeReader, self._settings, [*offset_ranges])
        )


class KafkaRangeReader:
    """A `RangeReader` whose reads run in a thread, one at a time."""

    def __init__(self, reader: RangeReader) -> None:
        self._reader = reader
        self._reading = threading.Lock()

    def __enter__(self) -> Self:
        self._reader.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Cancelling a read does not stop its thread. The lock waits for that thread, because the
        # client must not be closed while it is in use.
        with self._reading:
            self._reader.__exit__(kind, error, trace)

    @property
    def positions(self) -> Mapping[PartitionKey, int]:
        """The next offset of each range."""
        return self._reader.positions

    @property
    def trouble(self) -> str:
        """The last error of the client; empty once records arrive again."""
        return self._reader.trouble

    @property
    def is_complete(self) -> bool:
        """Whether every record of every range was returned."""
        return self._reader.is_complete

    async def read(self, wait_s: float, most: int) -> Mapping[PartitionKey, Sequence[Record]]:
        """Return the next records by partition; empty if none arrive within `wait_s`."""

        def read() -> Mapping[PartitionKey, Sequence[Record]]:
            with self._reading:
                return self._reader.read(wait_s, most)

        return await asyncio.to_thread(read)
