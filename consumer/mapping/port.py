"""The interface of a compiled route: the pipeline calls it for each record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

from consumer.model import Delete, Filtered, Upsert

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consumer.mapping.settings import ObjectSettings
    from consumer.mapping.version import VersionMemory
    from consumer.model import Change, Record, Target

Mapped: TypeAlias = Upsert | Delete | Filtered


class RouteMapper(Protocol):
    """Decoding and mapping of one route, compiled at start."""

    @property
    def target(self) -> Target:
        """The object that this route fills."""
        ...

    @property
    def object(self) -> ObjectSettings:
        """The object's schema and settings."""
        ...

    def map_run(
        self, records: Sequence[Record], start: int, wall_ms: int, append: Callable[[Change], None]
    ) -> int:
        """Map records from index `start` while each one is a plain upsert; append each change.

        Returns: the index of the first record that was not mapped. The caller gives that record to
        `map`. `len(records)` when all were mapped.
        """
        ...

    def map(self, record: Record, wall_ms: int) -> Mapped | tuple[Mapped, ...]:
        """Map one record to its change, or to several changes in order. Never an empty tuple.

        Units: `wall_ms` is the current wall-clock time; a version too far beyond it is refused.
        Raises: `RecordError`; the whole record goes to the dead-letter topic.
        """
        ...


RouteFilter: TypeAlias = "Callable[[RouteMapper, VersionMemory], RouteMapper]"
"""Wraps the mapper of a route; it also gets the version memory of the route's object."""
