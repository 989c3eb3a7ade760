"""Decides which changes of a range are sent again, and whether later changes are read."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

from consumer.errors import RecordError, Refusal
from consumer.mapping.routing import takes
from consumer.model import Delete, Filtered
from consumer.operations.replay.state import CheckpointRow, ReadStep

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from consumer.config.settings import Settings
    from consumer.mapping.port import Mapped, RouteMapper
    from consumer.mapping.settings import ObjectSettings, RouteSettings
    from consumer.model import Change, Record
    from consumer.operations.replay.checkpoint import Checkpoint
    from consumer.operations.replay.state import ReplayPartition, ReplayRequest


class ReplayRule(StrEnum):
    """How a replay keeps the rows of an object from going back to an older state."""

    NEWEST = "newest"
    """No version: the newest change of each row up to the group's position, and nothing older."""

    DATED = "dated"
    """Record Modified: the tenant keeps the newer row. Deletes have no version, so rows that the
    range deletes are treated as under NEWEST."""

    MERGED = "merged"
    """Partial rows: every change of the range, and the later ones of the same rows, in order."""

    EVERY = "every"
    """Engagement: every event of the range; events never change."""


class ReplayRules:
    """The request, applied to objects and changes."""

    def __init__(self, request: ReplayRequest) -> None:
        self._key = request.key
        self._lifted = request.lifted

    @property
    def has_key(self) -> bool:
        """Whether only one row is replayed."""
        return self._key is not None

    def takes(self, change: Change) -> bool:
        """Whether a change is of a requested row."""
        return self._key is None or change.key == self._key

    def is_lifted(self, described: ObjectSettings) -> bool:
        """Whether Record Modified is raised, so that the tenant takes the row again."""
        return (
            self._lifted
            and self.of(described) is not ReplayRule.EVERY
            and described.record_modified is not None
        )

    def of(self, described: ObjectSettings) -> ReplayRule:
        """Return the rule of an object."""
        if described.category == "engagement":
            return ReplayRule.EVERY
        if described.refresh_mode == "partial":
            return ReplayRule.MERGED
        return ReplayRule.NEWEST if self.is_undated(described) else ReplayRule.DATED

    def is_undated(self, described: ObjectSettings) -> bool:
        """Whether only the order of sending keeps an older row from replacing a newer one.

        True without a version, and with a raised one.
        """
        return described.category != "engagement" and (
            described.record_modified is None or self._lifted
        )

    def read_on(self, objects: Mapping[str, ObjectSettings], checkpoint: Checkpoint) -> bool:
        """Whether changes after the range must be read.

        True if any row has no version, or the range deletes any row.
        """
        return any(map(self.is_undated, objects.values())) or checkpoint.has_deleted()


def replayed_routes(settings: Settings, topics: Sequence[str]) -> tuple[RouteSettings, ...]:
    """Return the streaming routes of the topics. Raises: `Refusal` where a topic has none."""
    for topic in topics:
        taken = [route for route in settings.routes if takes(route, topic)]
        if not taken:
            message = f"no route takes topic `{topic}`; check --topic, or add a route for it"
            raise Refusal(message)
        if others := [route for route in taken if route.destination != "streaming"]:
            message = (
                f"{others[0].place}: the route of topic `{topic}` has destination"
                f" {others[0].destination}, which replay does not send; use `backfill`"
            )
            raise Refusal(message)
    return tuple(route for route in settings.routes if any(takes(route, topic) for topic in topics))


class _ReplayOutcome(IntEnum):
    """The outcome of a record of the range, by the most important of its changes.

    The lower-case names are those of the counters in the checkpoint.
    """

    FAULTY = 0
    SENT = 1
    FILTERED = 2
    OTHER = 3
    """Of another key than --key."""


def map_in_order(
    mapper: RouteMapper, records: Sequence[Record], wall_ms: int
) -> Iterator[tuple[Record, tuple[Mapped, ...] | RecordError]]:
    """Map records in order, and yield each with its changes or its fault."""
    at = 0
    while at < len(records):
        changes: list[Change] = []
        reached = mapper.map_run(records, at, wall_ms, changes.append)
        for change in changes:
            yield records[at], (change,)
            at += 1
        if reached < len(records):
            at, record = reached + 1, records[reached]
            try:
                mapped = mapper.map(record, wall_ms)
            except RecordError as error:
                yield record, error
            else:
                yield record, mapped if isinstance(mapped, tuple) else (mapped,)


class ChangeReader:
    """Turns the records of one partition into a read step for the checkpoint."""

    def __init__(
        self, mappers: Sequence[RouteMapper], part: ReplayPartition, rules: ReplayRules
    ) -> None:
        self._mappers = mappers
        self._part = part
        self._rules = rules

    def read(self, records: Sequence[Record], wall_ms: int) -> ReadStep:
        """Map records in offset order. After the range, only rows that were in it matter."""
        end = self._part.end
        # Records are in offset order: those of the range come first.
        split = next(
            (at for at, record in enumerate(records) if record.offset() >= end), len(records)
        )
        step = ReadStep()
        self._read_inside(records[:split], wall_ms, step)
        for mapper in self._mappers:
            rule = self._rules.of(mapper.object)
            if rule is not ReplayRule.EVERY:
                # Events never change, so nothing after the range matters for them.
                rows = [*self._rows_beyond(mapper, records[split:], wall_ms)]
                step.beyond += rows
                step.beyond_also += rows if rule is ReplayRule.MERGED else []
        return step

    def _read_inside(self, records: Sequence[Record], wall_ms: int, step: ReadStep) -> None:
        outcomes = [_ReplayOutcome.OTHER if self._rules.has_key else _ReplayOutcome.FILTERED] * len(
            records
        )
        for mapper in self._mappers:
            for at, (record, parts) in enumerate(map_in_order(mapper, records, wall_ms)):
                if isinstance(parts, RecordError):
                    # Whether a faulty record has the key of --key is unknown: it is left out.
                    if not self._rules.has_key:
                        outcomes[at] = _ReplayOutcome.FAULTY
                        _count(step, f"reason {parts.reason}")
                    continue
                changes = [
                    part
                    for part in parts
                    if not isinstance(part, Filtered) and self._rules.takes(part)
                ]
                if changes:
                    # Several routes may map the record: the most important outcome counts.
                    outcomes[at] = min(outcomes[at], _ReplayOutcome.SENT)
                    self._keep(mapper, record, changes, step)
        for record, outcome in zip(records, outcomes, strict=True):
            _count(step, outcome.name.lower())
            if outcome is _ReplayOutcome.FAULTY:
                step.also.append((self._part.number, record.offset()))

    def _keep(
        self, mapper: RouteMapper, record: Record, changes: Sequence[Change], step: ReadStep
    ) -> None:
        """Add the changes of one record of the range."""
        rule, name = self._rules.of(mapper.object), mapper.target.object
        if rule is not ReplayRule.EVERY:
            step.inside += [self._row(name, change, record) for change in changes]
        # Sent whatever comes later: selected by its offset, not by its row.
        if rule in {ReplayRule.EVERY, ReplayRule.MERGED}:
            step.also.append((self._part.number, record.offset()))
        for change in changes:
            deleted = isinstance(change, Delete)
            _count(step, f"{'delete' if deleted else 'upsert'} {name}")
            _count(step, f"bytes {name}", 0 if deleted else len(change.encoded))

    def _rows_beyond(
        self, mapper: RouteMapper, records: Sequence[Record], wall_ms: int
    ) -> Iterator[CheckpointRow]:
        """Yield changes after the range; faults there are for the daemons to report."""
        for record, parts in map_in_order(mapper, records, wall_ms):
            if not isinstance(parts, RecordError):
                for part in parts:
                    if not isinstance(part, Filtered) and self._rules.takes(part):
                        yield self._row(mapper.target.object, part, record) | {
                            "undated": self._rules.is_undated(mapper.object)
                        }

    def _row(self, name: str, change: Change, record: Record) -> CheckpointRow:
        return {
            "object": name,
            "key": change.key,
            "part": self._part.number,
            "offset": record.offset(),
            "timestamp_ms": record.timestamp()[1],
            "is_delete": isinstance(change, Delete),
        }


def _count(step: ReadStep, name: str, count: int = 1) -> None:
    step.counts[name] = step.counts.get(name, 0) + count
