"""Reads and maps the range of a replay into the checkpoint, in steps that can be resumed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol, Self

from consumer.operations.kafka.ranges import OffsetRange
from consumer.operations.replay.given_versions import VersionsRead
from consumer.operations.replay.rules import ChangeReader
from consumer.operations.replay.state import ReadStep

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from types import TracebackType

    from consumer.clock import Clock
    from consumer.mapping.routing import RouteTable
    from consumer.model import PartitionKey, Record
    from consumer.operations.kafka.range_bounds import RangeBound
    from consumer.operations.progress_display import ProgressDisplay
    from consumer.operations.replay.checkpoint import Checkpoint
    from consumer.operations.replay.given_versions import OwnVersion
    from consumer.operations.replay.rules import ReplayRules
    from consumer.operations.replay.state import ReplayPartition
    from consumer.operations.schema_prefetch import SchemaPrefetch

READ_S: Final = 0.2
READ_RECORDS: Final = 1_000
"""Records mapped at a time: about ten milliseconds of work on the event loop."""

STEP_S: Final = 1.0
"""Time between two writes of the checkpoint. A write touches most pages of a large one, however few
rows are new."""

_NEVER_MS: Final = 1 << 60


class RecordReader(Protocol):
    """Reads the records of offset ranges; `RangeReader` as a protocol."""

    @property
    def positions(self) -> Mapping[PartitionKey, int]:
        """Next offset of each range; its end once the range is complete."""
        ...

    @property
    def trouble(self) -> str:
        """Last error of the client, empty once records arrive again."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    @property
    def is_complete(self) -> bool:
        """Whether every record of every range was returned."""
        ...

    async def read(self, wait_s: float, most: int) -> Mapping[PartitionKey, Sequence[Record]]:
        """Return the next records by partition in offset order; empty after `wait_s`."""
        ...


class RecordLog(Protocol):
    """Queries of a replay to the brokers. Every method may take time. Raises: `Refusal`."""

    async def offset_ranges(
        self,
        topic: str,
        begin: RangeBound | None,
        end: RangeBound | None,
        partitions: Collection[int],
    ) -> list[OffsetRange]:
        """Return the requested range in each partition of a topic."""
        ...

    async def positions(self, places: Iterable[PartitionKey]) -> dict[PartitionKey, int]:
        """Return the group's positions; a partition without one is absent."""
        ...

    async def ends(self, places: Iterable[PartitionKey]) -> dict[PartitionKey, int]:
        """Return the ends of partitions, as far as they can be read now."""
        ...

    async def reader(self, offset_ranges: Iterable[OffsetRange]) -> RecordReader:
        """Return a reader of exactly these ranges."""
        ...


class RangeScan:
    """Maps the records of a range with its own route table, and stores the result."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        log: RecordLog,
        routes: RouteTable,
        schemas: SchemaPrefetch,
        *,
        rules: ReplayRules,
        clock: Clock,
        display: ProgressDisplay,
    ) -> None:
        self._checkpoint = checkpoint
        self._log = log
        self._routes = routes
        self._schemas = schemas
        self._rules = rules
        self._clock = clock
        self._display = display

    async def up_to(self, ends: Mapping[int, int], name: str) -> None:
        """Read every partition from where reading stopped up to these offsets.

        Raises: `Refusal` when records are no longer there; `Fatal` when the disk or the client
        fails.
        """
        parts = {one.place: one for one in self._checkpoint.parts if one.scanned < ends[one.number]}
        first = {place: part.scanned for place, part in parts.items()}
        total = sum(ends[part.number] - part.scanned for part in parts.values())
        offset_ranges = [
            OffsetRange(*place, part.scanned, ends[part.number]) for place, part in parts.items()
        ]
        if not offset_ranges:
            return
        step, kept_s = ReadStep(), self._clock.now_s()
        with await self._log.reader(offset_ranges) as reader:
            while not reader.is_complete:
                found = await reader.read(READ_S, READ_RECORDS)
                self._display.waits(reader.trouble)
                for place, records in found.items():
                    # Collected in memory and stored once a second: a write costs more than the
                    # mapping.
                    step.add(await self._read(parts[place], records))
                self._display.step(
                    name, sum(at - first[place] for place, at in reader.positions.items()), total
                )
                if self._clock.now_s() - kept_s >= STEP_S:
                    self._checkpoint.add_step(
                        step, {parts[place].number: at for place, at in reader.positions.items()}
                    )
                    step, kept_s = ReadStep(), self._clock.now_s()
            self._checkpoint.add_step(
                step, {parts[place].number: at for place, at in reader.positions.items()}
            )

    async def versions(self) -> None:
        """Read the versions of the rows to lift, from the beginning of the log to where it is read.

        Changes before the range count: they can have raised the versions of later ones.
        Raises: `Refusal`, `Fatal`.
        """
        lifted = {
            topic
            for topic in {part.topic for part in self._checkpoint.parts}
            for mapper in self._routes.mappers(topic)
            if self._rules.is_lifted(mapper.object)
        }
        versions, read = self._checkpoint.versions, self._checkpoint.versions.read()
        parts = {part.place: part for part in self._checkpoint.parts if part.topic in lifted}
        for topic in sorted(lifted):
            numbers = [number for name, number in parts if name == topic]
            for held in await self._log.offset_ranges(topic, None, None, numbers):
                number = parts[held.place].number
                known = read.setdefault(
                    number, VersionsRead(part=number, begin=held.begin, next=held.begin)
                )
                known.next = max(known.next, min(held.begin, parts[held.place].scanned))
        first = {place: read[part.number].next for place, part in parts.items()}
        offset_ranges = [
            OffsetRange(*place, first[place], part.scanned)
            for place, part in parts.items()
            if first[place] < part.scanned
        ]
        if not offset_ranges:
            return
        total = sum(one.offset_count for one in offset_ranges)
        own_versions: list[OwnVersion] = []
        kept_s = self._clock.now_s()
        with await self._log.reader(offset_ranges) as reader:
            while not reader.is_complete:
                found = await reader.read(READ_S, READ_RECORDS)
                self._display.waits(reader.trouble)
                for place, records in found.items():
                    known = read[parts[place].number]
                    if not known.record_count:
                        known.first_timestamp_ms = _timestamp_ms(records[0])
                    known.record_count += len(records)
                    own_versions += await self._own_versions(place[0], records)
                for place, at in reader.positions.items():
                    read[parts[place].number].next = at
                done = sum(at - first[place] for place, at in reader.positions.items())
                self._display.step("reading versions", done, total)
                if self._clock.now_s() - kept_s >= STEP_S or reader.is_complete:
                    versions.add(own_versions, read.values())
                    own_versions, kept_s = [], self._clock.now_s()

    async def _own_versions(self, topic: str, records: Sequence[Record]) -> list[OwnVersion]:
        """Return the version of each change by its own time, and yield to the event loop."""
        if self._routes.is_encoded(topic):
            await self._schemas.at_hand(records)
        wall_ms = self._clock.wall_ms()
        await asyncio.sleep(0)
        return [
            {"object": described.name, "key": key, "own_ms": own_ms}
            for record in records
            for described, key, own_ms in self._routes.own_versions(record, wall_ms)
            if self._rules.is_lifted(described)
        ]

    async def _read(self, part: ReplayPartition, records: Sequence[Record]) -> ReadStep:
        """Map records, and yield to the event loop."""
        if self._routes.is_encoded(part.topic):
            await self._schemas.at_hand(records)
        reading = ChangeReader(self._routes.mappers(part.topic), part, self._rules)
        await asyncio.sleep(0)
        return reading.read(records, self._clock.wall_ms())


def _timestamp_ms(record: Record) -> int:
    """Return the timestamp of a record; without one, a time after every other."""
    found_ms = record.timestamp()[1]
    return found_ms if found_ms > 0 else _NEVER_MS
