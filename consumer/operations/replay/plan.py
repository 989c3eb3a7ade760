"""Plans a replay: which offsets are read, what is sent per object, and how long it takes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from consumer.batching.batch import ENVELOPE_BYTES
from consumer.delivery.settings import SERVICE_DELETE_IDS
from consumer.mapping.routing import takes
from consumer.model import Operation
from consumer.operations.replay.given_versions import ExpectedRows
from consumer.operations.replay.rules import ReplayRule, ReplayRules
from consumer.operations.replay.state import ReplayRequest, RowCounts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from consumer.config.settings import Settings
    from consumer.mapping.settings import ObjectSettings
    from consumer.operations.replay.checkpoint import Checkpoint

SPARE_SHARE: Final = 0.04
"""Share of the tenant's rate that the daemons never use: with it, both together stay within the
rate."""


class PartitionPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The range of one partition, and `read_to`, up to where newer changes are read.

    `position` is the group's.
    """

    topic: str
    partition: int
    begin: int
    end: int
    read_to: int
    position: int | None
    remark: str = ""


class ObjectPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What one object receives. `rows` are set for rules that keep one change per row.

    `expected` counts the rows that are written, by whether the tenant takes them.
    """

    object: str
    rule: ReplayRule
    upsert_count: int
    delete_count: int
    request_count: int
    rows: RowCounts
    expected: ExpectedRows


class ReplayPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A replay before it is executed.

    `sent_count` records of the range are sent, `superseded_count` are not, because a newer change
    of their row is; `later_count` more come from after the range. `was_begun`: the checkpoint is of
    an earlier, unfinished run.
    """

    request: ReplayRequest = msgspec.field(name="asked")
    group_id: str
    group_in_use: bool
    checkpoint: str
    was_begun: bool
    reads_on: bool
    parts: tuple[PartitionPlan, ...]
    sent_count: int
    superseded_count: int
    filtered_count: int
    other_count: int
    faulty_count: int
    later_count: int
    reasons: dict[str, int]
    objects: tuple[ObjectPlan, ...]
    requests_per_second: int
    tenant_requests_per_second: int
    warnings: tuple[str, ...] = ()

    @property
    def record_count(self) -> int:
        """How many records the range has."""
        known = self.sent_count + self.superseded_count + self.filtered_count
        return known + self.other_count + self.faulty_count

    @property
    def request_count(self) -> int:
        """About how many requests are needed."""
        return sum(one.request_count for one in self.objects)

    @property
    def duration_s(self) -> float:
        """How long the requests take at least, at the rate of the replay."""
        return self.request_count / self.requests_per_second


def default_rate(settings: Settings) -> int:
    """Return the requests per second of a replay without --rate."""
    return max(1, math.floor(settings.delivery.requests_per_second * SPARE_SHARE))


def plan_of(
    settings: Settings,
    checkpoint: Checkpoint,
    positions: Mapping[tuple[str, int], int],
    *,
    group_in_use: bool,
    was_begun: bool,
    reads_on: bool,
    requests_per_second: int,
    wall_ms: int,
) -> ReplayPlan:
    """Build the plan from a checkpoint whose range is read completely."""
    header = checkpoint.header
    assert header is not None  # noqa: S101 - `begin` writes the header before anything is read
    counts = checkpoint.counts()
    faulty_count, inside_count = counts.get("faulty", 0), checkpoint.selected_in_range_count()
    sent_count = inside_count - faulty_count
    return ReplayPlan(
        request=header.request,
        group_id=settings.kafka.group_id,
        group_in_use=group_in_use,
        checkpoint=str(checkpoint.path),
        was_begun=was_begun,
        reads_on=reads_on,
        parts=tuple(
            PartitionPlan(
                topic=one.topic,
                partition=one.partition,
                begin=one.begin,
                end=one.end,
                read_to=one.stop,
                position=positions.get(one.place),
                remark=one.remark,
            )
            for one in checkpoint.parts
        ),
        sent_count=sent_count,
        superseded_count=max(0, counts.get("sent", 0) - sent_count),
        filtered_count=counts.get("filtered", 0),
        other_count=counts.get("other", 0),
        faulty_count=faulty_count,
        later_count=checkpoint.selected_count() - inside_count,
        reasons={
            name.removeprefix("reason "): n
            for name, n in counts.items()
            if name.startswith("reason ")
        },
        objects=tuple(_objects(settings, checkpoint, ReplayRules(header.request), counts, wall_ms)),
        requests_per_second=requests_per_second,
        tenant_requests_per_second=settings.delivery.requests_per_second,
        warnings=tuple(_warnings(settings, header.request)),
    )


def _objects(
    settings: Settings,
    checkpoint: Checkpoint,
    rules: ReplayRules,
    counts: Mapping[str, int],
    wall_ms: int,
) -> Iterator[ObjectPlan]:
    body_bytes = settings.delivery.batch_bytes - ENVELOPE_BYTES[Operation.UPSERT]
    for name in _replayed_objects(settings, checkpoint):
        described = settings.connector.objects[name]
        rule, rows = rules.of(described), checkpoint.row_counts(name)
        mapped_count, deleted_count = (
            counts.get(f"upsert {name}", 0),
            counts.get(f"delete {name}", 0),
        )
        # Average size in the request body, one byte for the comma between rows.
        row_bytes = counts.get(f"bytes {name}", 0) / mapped_count + 1 if mapped_count else 1.0
        upsert_count, delete_count = mapped_count, deleted_count
        # These rules send one change per row, so the counts are those of rows, not of records.
        if rule in {ReplayRule.NEWEST, ReplayRule.DATED}:
            upsert_count, delete_count = rows.row_count - rows.delete_count, rows.delete_count
        yield ObjectPlan(
            object=name,
            rule=rule,
            upsert_count=upsert_count,
            delete_count=delete_count,
            request_count=math.ceil(upsert_count * row_bytes / body_bytes)
            + math.ceil(delete_count / SERVICE_DELETE_IDS),
            rows=rows,
            expected=_expected(rules, described, checkpoint, upsert_count, wall_ms),
        )


def _expected(
    rules: ReplayRules,
    described: ObjectSettings,
    checkpoint: Checkpoint,
    upsert_count: int,
    wall_ms: int,
) -> ExpectedRows:
    """Return what is expected of the rows of an object.

    Events, and rows without Record Modified, are taken as they come. A row with the version that a
    daemon gave it is taken only if the tenant has lost the row.
    """
    if rules.is_lifted(described):
        return checkpoint.versions.counts(described.name, wall_ms)
    if described.record_modified is None or rules.of(described) is ReplayRule.EVERY:
        return ExpectedRows(win_count=upsert_count)
    return ExpectedRows(unknown_count=upsert_count)


def _replayed_objects(settings: Settings, checkpoint: Checkpoint) -> list[str]:
    topics = {one.topic for one in checkpoint.parts}
    return list(
        dict.fromkeys(
            route.object
            for route in settings.routes
            if any(takes(route, topic) for topic in topics)
        )
    )


def _warnings(settings: Settings, request: ReplayRequest) -> Iterator[str]:
    """Yield a warning for each object that another, unread topic fills too."""
    for route in settings.routes:
        if not any(takes(route, topic) for topic in request.topics):
            continue
        others = {
            topic
            for other in settings.routes
            if other.object == route.object
            for topic in other.topics
            if topic not in request.topics
        }
        if others:
            names = ", ".join(f"`{topic}`" for topic in sorted(others))
            yield (
                f"object `{route.object}` is also filled from {names}, which this replay does not"
                " read: where both topics write the same row, the replayed state replaces the"
                " other; add --topic for it, or replay other rows"
            )
