"""What a replay asks the brokers, on Kafka.

Each question by a client beside the group, off the event loop.
"""

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
    """Asks and reads; joins nothing and commits nothing.

    Every call raises `Refusal` without an answer.
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
        """Find a range in the partitions of a topic."""

        def ask() -> list[OffsetRange]:
            with RangeFinder(self._settings) as finder:
                return finder.offset_ranges(topic, begin, end, partitions)

        return await asyncio.to_thread(ask)

    async def positions(self, places: Iterable[PartitionKey]) -> dict[PartitionKey, int]:
        """Return where the group stands; a partition where it has no position is absent."""

        def ask() -> dict[PartitionKey, int]:
            with RangeFinder(self._settings) as finder:
                return finder.positions(places)

        return await asyncio.to_thread(ask)

    async def ends(self, places: Iterable[PartitionKey]) -> dict[PartitionKey, int]:
        """Return the ends of partitions, as far as they may be read now."""
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
        """Return a reader of exactly these."""
        return KafkaRangeReader(
            await asyncio.to_thread(RangeReader, self._settings, [*offset_ranges])
        )


class KafkaRangeReader:
    """A range reader whose waiting is done in a thread, one read at a time."""

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
        # Who cancels a read does not end its thread: the client is closed when that is done, a
        # moment later.
        with self._reading:
            self._reader.__exit__(kind, error, trace)

    @property
    def positions(self) -> Mapping[PartitionKey, int]:
        """The next offset of each stretch."""
        return self._reader.positions

    @property
    def trouble(self) -> str:
        """What the client last complained of."""
        return self._reader.trouble

    @property
    def is_complete(self) -> bool:
        """Whether every record of every stretch was given."""
        return self._reader.is_complete

    async def read(self, wait_s: float, most: int) -> Mapping[PartitionKey, Sequence[Record]]:
        """Return the next records by partition."""

        def read() -> Mapping[PartitionKey, Sequence[Record]]:
            with self._reading:
                return self._reader.read(wait_s, most)

        return await asyncio.to_thread(read)
