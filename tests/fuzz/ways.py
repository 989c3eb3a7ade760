"""Maps records one by one, in runs, or on the slow path, and returns comparable outcomes.

An outcome has everything of a mapped record that the rest of the pipeline can see.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeAlias
from zoneinfo import ZoneInfo

from consumer.errors import Reason, RecordError
from consumer.mapping.bound_route import BoundRoute
from consumer.mapping.configured_decoder import decoder_of
from consumer.mapping.slow_path import SlowPath
from consumer.mapping.version import VersionMemory
from consumer.model import Change, Delete, Filtered, FilterRule, Target, Upsert

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consumer.mapping.port import Mapped, RouteMapper
    from consumer.mapping.settings import ObjectSettings, RouteSettings
    from consumer.model import Record

RecordOutcome: TypeAlias = (
    tuple[Reason, str | None, str] | list[tuple[str, str, bytes] | FilterRule] | str
)
"""The outcome of one record.

Reason, field and detail of a fault; or the changes and filter rules in order; or text that names an
exception that escaped, which must never happen."""


def outcome_of(run: Callable[[], Mapped | tuple[Mapped, ...]]) -> RecordOutcome:
    """Return the outcome of mapping one record."""
    try:
        mapped = run()
    except RecordError as error:
        return error.reason, error.field, error.detail
    except Exception as error:  # noqa: BLE001 - any exception that escapes is an outcome to report
        return f"{type(error).__name__} escaped"
    return outcome_of_mapped(mapped)


def outcome_of_mapped(mapped: Mapped | tuple[Mapped, ...]) -> RecordOutcome:
    """Return the outcome of a mapped record."""
    return [
        (type(one).__name__, one.key, one.encoded) if isinstance(one, Upsert | Delete) else one.rule
        for one in (mapped if isinstance(mapped, tuple) else (mapped,))
    ]


def one_by_one(mapper: RouteMapper, records: Sequence[Record], wall_ms: int) -> list[RecordOutcome]:
    """Map each record by itself."""
    return [outcome_of(partial(mapper.map, record, wall_ms)) for record in records]


def in_runs(mapper: RouteMapper, records: Sequence[Record], wall_ms: int) -> list[RecordOutcome]:
    """Map like the pipeline: in runs, and by itself each record at which a run ends."""
    outcomes: list[RecordOutcome] = []
    changes: list[Change] = []
    at = 0
    while (reached := mapper.map_run(records, at, wall_ms, changes.append)) < len(records):
        outcomes += map(outcome_of_mapped, changes)
        changes.clear()
        outcomes.append(outcome_of(partial(mapper.map, records[reached], wall_ms)))
        at = reached + 1
    return [*outcomes, *map(outcome_of_mapped, changes)]


class Reference:
    """A mapper that uses only the slow path, with its own version memory."""

    def __init__(self, route: RouteSettings, described: ObjectSettings) -> None:
        self.target, self.object = Target("shop", described.name), described
        zone = ZoneInfo(route.zone) if route.zone is not None else None
        bound = BoundRoute(route, described, VersionMemory(), zone)
        self._slow_path = SlowPath(bound, decoder_of(bound))

    def map_run(
        self, records: Sequence[Record], start: int, wall_ms: int, append: Callable[[Change], None]
    ) -> int:
        """Map nothing in a run: the reference maps each record by itself."""
        del records, wall_ms, append
        return start

    def map(self, record: Record, wall_ms: int) -> Mapped | tuple[Mapped, ...]:
        """Map one record."""
        value = record.value()
        envelope = None if value is None else self._slow_path.open(value, record)
        if envelope is None:
            return self._slow_path.map_tombstone(record, wall_ms)
        if isinstance(envelope, Filtered):
            return envelope
        return self._slow_path.map_opened(envelope, record, wall_ms)
