"""Plans a backfill: which offsets are read, and about how many rows, files and jobs result."""

from __future__ import annotations

import asyncio
import math
import shutil
from typing import TYPE_CHECKING, Final

import msgspec

from consumer.bulk.csv import delete_line
from consumer.bulk.job_state import FILE_BYTES, FILES_PER_JOB, JOBS_PER_HOUR
from consumer.config.effective import mapping_sha256_of
from consumer.errors import Refusal
from consumer.mapping.times import moment_text
from consumer.model import PartitionKey
from consumer.operations.backfill.routes import find_ranges
from consumer.operations.backfill.state import Backfill
from consumer.operations.kafka.range_reader import RangeReader
from consumer.operations.kafka.ranges import OffsetRange
from consumer.operations.kafka.standalone_client import ANSWER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from consumer.clock import Clock
    from consumer.config.settings import Settings
    from consumer.mapping.settings import RouteSettings
    from consumer.model import Record
    from consumer.operations.backfill.offered_rows import OfferedRows
    from consumer.operations.backfill.routes import RowMakers
    from consumer.operations.backfill.state import BackfillFolder, BackfillRequest
    from consumer.operations.kafka.group import ConsumerGroup
    from consumer.operations.schema_prefetch import SchemaPrefetch

SAMPLE_RECORDS: Final = 1_000
"""Records that are mapped for the estimate, over all partitions."""

_FEWEST: Final = 20
"""Fewest sampled records of one partition."""

_READ_S: Final = 0.2


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """Upper estimate for one object.

    Only the newest row of a key is sent, so fewer rows go out where keys repeat.
    """

    object: str
    upsert_count: int
    delete_count: int
    csv_bytes: int
    file_count: int
    job_count: int


class BackfillPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A backfill before it is executed.

    `positions` are the group's. `sampled_count` records were mapped for the estimates. `was_begun`:
    `backfill` is the checkpoint of an earlier run. `needed_bytes` are disk space at `folder`.
    """

    backfill: Backfill
    was_begun: bool
    folder: str
    group_id: str
    group_in_use: bool
    positions: dict[PartitionKey, int]
    sampled_count: int
    filtered_count: int
    dead_lettered_count: int
    estimates: tuple[Estimate, ...]
    free_bytes: int

    @property
    def job_count(self) -> int:
        """How many jobs are needed at most."""
        return sum(one.job_count for one in self.estimates)

    @property
    def limit_hours(self) -> int:
        """How many hours the hourly job limit takes at least."""
        return max(0, self.job_count - 1) // JOBS_PER_HOUR

    @property
    def continues_from(self) -> dict[PartitionKey, int]:
        """Offset of each partition from which neither jobs nor the group have sent anything."""
        return {
            one.place: max(one.end, self.positions.get(one.place, 0))
            for one in self.backfill.offset_ranges
        }

    @property
    def needed_bytes(self) -> int:
        """Disk space needed at most: the sorted rows, and the files of all jobs."""
        return 2 * sum(one.csv_bytes for one in self.estimates)


class SampleCounts:
    """Counts of the mapped sample of one object."""

    def __init__(self) -> None:
        self.record_count = self.filtered_count = self.dead_lettered_count = 0
        self.upsert_count = self.delete_count = self.upsert_bytes = self.delete_bytes = 0

    def add(self, record_count: int, offered: OfferedRows, deleted_at: str) -> None:
        """Add the result of mapping some records."""
        self.record_count += record_count
        self.filtered_count += offered.filtered_count
        self.dead_lettered_count += len(offered.faults)
        upserts = [row for row in offered.rows if row.line]
        deletes = [row for row in offered.rows if not row.line]
        self.upsert_count += len(upserts)
        self.delete_count += len(deletes)
        self.upsert_bytes += sum(len(row.line) for row in upserts)
        self.delete_bytes += sum(len(delete_line(row.key, deleted_at)) for row in deletes)

    def estimate(self, name: str, offered_count: int) -> Estimate:
        """Return the estimate for so many records that are like those of the sample."""
        scale = offered_count / max(1, self.record_count)
        files = [
            math.ceil(scale * size / FILE_BYTES) for size in (self.upsert_bytes, self.delete_bytes)
        ]
        return Estimate(
            object=name,
            upsert_count=math.ceil(scale * self.upsert_count),
            delete_count=math.ceil(scale * self.delete_count),
            csv_bytes=math.ceil(scale * (self.upsert_bytes + self.delete_bytes)),
            file_count=sum(files),
            job_count=sum(math.ceil(count / FILES_PER_JOB) for count in files),
        )


async def make_plan(
    settings: Settings,
    request: BackfillRequest,
    routes: Sequence[RouteSettings],
    *,
    makers: RowMakers,
    schemas: SchemaPrefetch,
    group: ConsumerGroup,
    folder: BackfillFolder,
    clock: Clock,
) -> BackfillPlan:
    """Find the offsets, map a sample, and estimate. Raises: `Refusal`, `InvalidBound`."""
    offset_ranges, positions = await asyncio.to_thread(
        find_ranges, settings, request, routes, clock.wall_ms()
    )
    group_in_use = await asyncio.to_thread(group.is_in_use)
    left = folder.left()
    sha256 = mapping_sha256_of(settings)
    if left is not None and left.mapping_sha256 != sha256:
        message = (
            f"the checkpoint in {folder.path} was made with other routes or another connector;"
            " restore that configuration, or add --afresh to start over"
        )
        raise Refusal(message)
    # A checkpoint keeps its range: what was read is a part of that range only.
    backfill = left or Backfill.begun(request, sha256, offset_ranges, makers.objects)
    sampled = {name: SampleCounts() for name in makers.objects}
    for topic, records in (await _sample(settings, backfill.offset_ranges)).items():
        if makers.is_encoded(topic):
            await schemas.at_hand(records)
        for maker in makers.of(topic):
            offered = maker.map_records(records, clock.wall_ms())
            sampled[maker.object].add(len(records), offered, moment_text(clock.wall_ms()))
    # Offsets of the topics of each object, to scale the sample by.
    counts = {
        name: sum(
            one.offset_count
            for one in backfill.offset_ranges
            if name in {maker.object for maker in makers.of(one.topic)}
        )
        for name in sampled
    }
    return BackfillPlan(
        backfill=backfill,
        was_begun=left is not None,
        folder=str(folder.path),
        group_id=settings.kafka.group_id,
        group_in_use=group_in_use,
        positions=positions,
        sampled_count=sum(one.record_count for one in sampled.values()),
        filtered_count=sum(one.filtered_count for one in sampled.values()),
        dead_lettered_count=sum(one.dead_lettered_count for one in sampled.values()),
        estimates=tuple(one.estimate(name, counts[name]) for name, one in sampled.items()),
        free_bytes=shutil.disk_usage(folder.path).free,
    )


async def _sample(
    settings: Settings, offset_ranges: Iterable[OffsetRange]
) -> dict[str, list[Record]]:
    """Read some records from the middle of each range, by topic.

    Raises: `Refusal` when the brokers return none.
    """
    filled = [one for one in offset_ranges if one.offset_count]
    share = max(_FEWEST, SAMPLE_RECORDS // max(1, len(filled)))
    found: dict[str, list[Record]] = {}
    silent_s = 0.0
    with RangeReader(settings.kafka, [middle_of(one, share) for one in filled]) as reader:
        while not reader.is_complete:
            read = await asyncio.to_thread(reader.read, _READ_S)
            silent_s = 0.0 if read else silent_s + _READ_S
            if silent_s > ANSWER_S:
                reason = reader.trouble or "the client reports no error"
                message = f"the brokers returned no records for the sample: {reason}"
                raise Refusal(message)
            for (topic, _), records in read.items():
                found.setdefault(topic, []).extend(records)
    return found


def middle_of(offset_range: OffsetRange, count: int) -> OffsetRange:
    """Return `count` offsets from the middle of a range, or all if it has no more."""
    begin = max(offset_range.begin, (offset_range.begin + offset_range.end - count) // 2)
    return OffsetRange(
        offset_range.topic, offset_range.partition, begin, min(begin + count, offset_range.end)
    )
