"""What a replay owes each object.

Which changes of a range go out again, and how far it reads on for that.
"""

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
    """How an object's rows are kept from going back."""

    NEWEST = "newest"
    """No version: the newest state of each row up to the group's position, and nothing older."""

    DATED = "dated"
    """Record Modified: the tenant keeps the newer row. It has no date of deletes, so rows that the
    range deletes are held as under NEWEST."""

    MERGED = "merged"
    """Partial rows: every change of the range, and the later ones of the same rows, each in its
    turn."""

    EVERY = "every"
    """Engagement: each event of the range, none is ever changed."""


class ReplayRules:
    """What was asked for, as it bears on objects and rows."""

    def __init__(self, request: ReplayRequest) -> None:
        self._key = request.key
        self._lifted = request.lifted

    @property
    def has_key(self) -> bool:
        """Whether one row alone is asked for."""
        return self._key is not None

    def takes(self, change: Change) -> bool:
        """Whether a change is of a row that is asked for."""
        return self._key is None or change.key == self._key

    def is_lifted(self, described: ObjectSettings) -> bool:
        """Whether rows are made newer than themselves, so that the tenant takes them again."""
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
        """Whether nothing but order keeps an older row from replacing a newer one.

        No version, or a lifted one.
        """
        return described.category != "engagement" and (
            described.record_modified is None or self._lifted
        )

    def read_on(self, objects: Mapping[str, ObjectSettings], checkpoint: Checkpoint) -> bool:
        """Tell whether later changes matter.

        Rows without a version, or rows that the range deletes.
        """
        return any(map(self.is_undated, objects.values())) or checkpoint.has_deleted()


def replayed_routes(settings: Settings, topics: Sequence[str]) -> tuple[RouteSettings, ...]:
    """Return the streaming routes of the topics. Raises: `Refusal` where a topic has none."""
    for topic in topics:
        taken = [route for route in settings.routes if takes(route, topic)]
        if not taken:
            message = (
                f"no route takes topic `{topic}`; write one, or name a topic that a route takes"
            )
            raise Refusal(message)
        if others := [route for route in taken if route.destination != "streaming"]:
            message = (
                f"{others[0].place}: the route of topic `{topic}` goes by jobs"
                f" ({others[0].destination});"
                " a range of it is sent by `backfill`"
            )
            raise Refusal(message)
    return tuple(route for route in settings.routes if any(takes(route, topic) for topic in topics))


class _RecordOutcome(IntEnum):
    """What a record of the range is, by the weightiest of its parts.

    The names are those of the book's counts.
    """

    FAULTY = 0
    SENT = 1
    FILTERED = 2
    OTHER = 3
    """Of another key than is asked for."""


def map_in_order(
    mapper: RouteMapper, records: Sequence[Record], wall_ms: int
) -> Iterator[tuple[Record, tuple[Mapped, ...] | RecordError]]:
    """Map records in order, and yield with each what became of it."""
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
    """Turns records of one part into what the book keeps of them."""

    def __init__(
        self, mappers: Sequence[RouteMapper], part: ReplayPartition, rules: ReplayRules
    ) -> None:
        self._mappers = mappers
        self._replay_partition = part
        self._rules = rules

    def read(self, records: Sequence[Record], wall_ms: int) -> ReadStep:
        """Map records in offset order.

        What is behind the range only matters for rows that were in it.
        """
        end = self._replay_partition.end
        split = next(
            (at for at, record in enumerate(records) if record.offset() >= end), len(records)
        )
        step = ReadStep()
        self._read_inside(records[:split], wall_ms, step)
        for mapper in self._mappers:
            rule = self._rules.of(mapper.object)
            if rule is not ReplayRule.EVERY:
                rows = [*self._rows_beyond(mapper, records[split:], wall_ms)]
                step.beyond += rows
                step.beyond_also += rows if rule is ReplayRule.MERGED else []
        return step

    def _read_inside(self, records: Sequence[Record], wall_ms: int, step: ReadStep) -> None:
        outcomes = [_RecordOutcome.OTHER if self._rules.has_key else _RecordOutcome.FILTERED] * len(records)
        for mapper in self._mappers:
            for at, (record, parts) in enumerate(map_in_order(mapper, records, wall_ms)):
                if isinstance(parts, RecordError):
                    if not self._rules.has_key:
                        outcomes[at] = _RecordOutcome.FAULTY
                        _count(step, f"reason {parts.reason}")
                    continue
                changes = [
                    part
                    for part in parts
                    if not isinstance(part, Filtered) and self._rules.takes(part)
                ]
                if changes:
                    outcomes[at] = min(outcomes[at], _RecordOutcome.SENT)
                    self._keep(mapper, record, changes, step)
        for record, outcome in zip(records, outcomes, strict=True):
            _count(step, outcome.name.lower())
            if outcome is _RecordOutcome.FAULTY:
                step.also.append((self._replay_partition.number, record.offset()))

    def _keep(
        self, mapper: RouteMapper, record: Record, changes: Sequence[Change], step: ReadStep
    ) -> None:
        """Keep the changes of one record of the range."""
        rule, name = self._rules.of(mapper.object), mapper.target.object
        if rule is not ReplayRule.EVERY:
            step.inside += [self._row(name, change, record) for change in changes]
        if rule in {ReplayRule.EVERY, ReplayRule.MERGED}:
            step.also.append((self._replay_partition.number, record.offset()))
        for change in changes:
            deleted = isinstance(change, Delete)
            _count(step, f"{'delete' if deleted else 'upsert'} {name}")
            _count(step, f"bytes {name}", 0 if deleted else len(change.encoded))

    def _rows_beyond(
        self, mapper: RouteMapper, records: Sequence[Record], wall_ms: int
    ) -> Iterator[CheckpointRow]:
        """Yield later changes. What is at fault there is not ours to tell."""
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
            "part": self._replay_partition.number,
            "offset": record.offset(),
            "timestamp_ms": record.timestamp()[1],
            "is_delete": isinstance(change, Delete),
        }


def _count(step: ReadStep, name: str, count: int = 1) -> None:
    step.counts[name] = step.counts.get(name, 0) + count
