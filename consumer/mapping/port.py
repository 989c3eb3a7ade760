"""A compiled route as a port: what the corridor calls for each record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

from consumer.model import Delete, Filtered, Upsert

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consumer.mapping.settings import ObjectSettings
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
        """Its schema and settings."""
        ...

    def map_run(
        self, records: Sequence[Record], start: int, wall_ms: int, append: Callable[[Change], None]
    ) -> int:
        """Map records from `start` on as long as each is a plain upsert, appending its change.

        Returns: the index of the first record that was not mapped, to be given to `map`; all when
        none is left.
        """
        ...

    def map(self, record: Record, wall_ms: int) -> Mapped | tuple[Mapped, ...]:
        """Turn one record into its change, or into several in order. Never an empty tuple.

        Units: `wall_ms` is the present, against which versions in the future are judged.
        Raises: `RecordError`; the record goes to the dead-letter topic whole.
        """
        ...
