"""Reads and maps the range of a replay into the checkpoint, in steps that can be resumed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol, Self

from consumer.operations.kafka.ranges import OffsetRange
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
    from consumer.operations.replay.rules import ReplayRules
    from consumer.operations.replay.state import ReplayPartition
    from consumer.operations.schema_prefetch import SchemaPrefetch

READ_S: Final = 0.2
READ_RECORDS: Final = 1_000
"""Records mapped at a time: about ten milliseconds of work on the event loop."""

STEP_S: Final = 1.0
"""Time between two writes of the checkpoint. A write touches most pages of a large one, however few
rows are new."""


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

    async def _read(self, part: ReplayPartition, records: Sequence[Record]) -> ReadStep:
        """Map records, and yield to the event loop."""
        if self._routes.is_encoded(part.topic):
            await self._schemas.at_hand(records)
        reading = ChangeReader(self._routes.mappers(part.topic), part, self._rules)
        await asyncio.sleep(0)
        return reading.read(records, self._clock.wall_ms())
