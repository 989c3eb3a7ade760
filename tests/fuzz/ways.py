"""The ways from records to outcomes.

Each with all of an outcome that anybody downstream can see.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeAlias
from zoneinfo import ZoneInfo

from consumer.decoding.formats import DECODERS, FormatSettings
from consumer.errors import Reason, RecordError
from consumer.mapping.bound_route import BoundRoute
from consumer.mapping.slow_path import SlowPath
from consumer.mapping.version import VersionMemory
from consumer.model import Change, Delete, Filtered, FilterRule, Target, Upsert

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consumer.mapping.port import Mapped, RouteMapper
    from consumer.mapping.settings import ObjectSettings, RouteSettings
    from consumer.model import Record

Told: TypeAlias = tuple[Reason, str | None, str] | list[tuple[str, str, bytes] | FilterRule] | str
"""Reason, field and detail of a record at fault; else its changes and the rules that filtered it,
in order.

A text names an exception that escaped, which is no outcome at all."""


def told(run: Callable[[], Mapped | tuple[Mapped, ...]]) -> Told:
    """Say what became of a record."""
    try:
        mapped = run()
    except RecordError as error:
        return error.reason, error.field, error.detail
    except Exception as error:  # noqa: BLE001 - whatever escapes is told, and judged by whoever asked
        return f"{type(error).__name__} escaped"
    return told_of(mapped)


def told_of(mapped: Mapped | tuple[Mapped, ...]) -> Told:
    """Say what was mapped."""
    return [
        (type(one).__name__, one.key, one.encoded) if isinstance(one, Upsert | Delete) else one.rule
        for one in (mapped if isinstance(mapped, tuple) else (mapped,))
    ]


def one_by_one(mapper: RouteMapper, records: Sequence[Record], wall_ms: int) -> list[Told]:
    """Map every record by itself."""
    return [told(partial(mapper.map, record, wall_ms)) for record in records]


def in_runs(mapper: RouteMapper, records: Sequence[Record], wall_ms: int) -> list[Told]:
    """Map as the corridor does: in runs as far as they go, by itself what a run stops at."""
    all_told: list[Told] = []
    changes: list[Change] = []
    at = 0
    while (reached := mapper.map_run(records, at, wall_ms, changes.append)) < len(records):
        all_told += map(told_of, changes)
        changes.clear()
        all_told.append(told(partial(mapper.map, records[reached], wall_ms)))
        at = reached + 1
    return [*all_told, *map(told_of, changes)]


class Reference:
    """The careful way alone, with versions of its own."""

    def __init__(self, route: RouteSettings, described: ObjectSettings) -> None:
        self.target, self.object = Target("shop", described.name), described
        zone = ZoneInfo(route.zone) if route.zone is not None else None
        bound = BoundRoute(route, described, VersionMemory(), zone)
        self._slow_path = SlowPath(
            bound, DECODERS[route.format](FormatSettings(route.flat_prefix, zone))
        )

    def map_run(
        self, records: Sequence[Record], start: int, wall_ms: int, append: Callable[[Change], None]
    ) -> int:
        """Map none in a run: the reference takes each by itself."""
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
