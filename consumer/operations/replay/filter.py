"""Filters the changes of a replayed record to those that the checkpoint has selected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.model import Filtered, FilterRule, Upsert
from consumer.operations.replay.rules import ReplayRule

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consumer.mapping.port import Mapped, RouteMapper
    from consumer.mapping.version import VersionMemory
    from consumer.model import Change, PartitionKey, Record
    from consumer.operations.replay.checkpoint import Checkpoint
    from consumer.operations.replay.rules import ReplayRules
    from consumer.operations.replay.state import ReplayPartition

SUPERSEDED = Filtered(FilterRule.SUPERSEDED)


class ReplayFilter:
    """Wraps a route mapper. A record may be delivered because of another of its rows or objects."""

    def __init__(
        self,
        mapper: RouteMapper,
        checkpoint: Checkpoint,
        parts: dict[PartitionKey, ReplayPartition],
        rules: ReplayRules,
        versions: VersionMemory,
    ) -> None:
        self._mapper = mapper
        self._versions = versions
        self.target, self.object = mapper.target, mapper.object
        self._checkpoint = checkpoint
        self._parts = parts
        self._rules = rules
        self._rule = rules.of(mapper.object)
        self._undated = rules.is_undated(mapper.object)
        self._lifted = rules.is_lifted(mapper.object)

    def map_run(
        self,
        _records: Sequence[Record],
        start: int,
        _wall_ms: int,
        _append: Callable[[Change], None],
    ) -> int:
        """Map no run of records: each change has to be checked by itself."""
        return start

    def map(self, record: Record, wall_ms: int) -> Mapped | tuple[Mapped, ...]:
        """Map one record; changes that are not selected become `SUPERSEDED`."""
        mapped = self._selected(self._mapper.map(record, wall_ms), record)
        if self._lifted and self._lift(mapped, wall_ms):
            # Mapped again: each version ties with the one remembered now, and is raised above it.
            mapped = self._selected(self._mapper.map(record, wall_ms), record)
        return mapped

    def _selected(
        self, mapped: Mapped | tuple[Mapped, ...], record: Record
    ) -> Mapped | tuple[Mapped, ...]:
        if isinstance(mapped, Filtered):
            return mapped
        # The daemon maps every route of the topic; only the selected changes may pass.
        part = self._parts[record.topic(), record.partition()]
        if not isinstance(mapped, tuple):
            return mapped if self._passes(mapped, part, record.offset()) else SUPERSEDED
        return tuple(
            change
            if isinstance(change, Filtered) or self._passes(change, part, record.offset())
            else SUPERSEDED
            for change in mapped
        )

    def _lift(self, mapped: Mapped | tuple[Mapped, ...], wall_ms: int) -> bool:
        """Remember for each row to write the version to exceed; return whether there is one."""
        lifted = False
        for change in mapped if isinstance(mapped, tuple) else (mapped,):
            if isinstance(change, Upsert):
                lifted_ms = self._checkpoint.versions.lift(self.target.object, change.key, wall_ms)
                if lifted_ms is not None:
                    self._versions.remember(change.key, lifted_ms - 1)
                    lifted = True
        return lifted

    def _passes(self, change: Change, part: ReplayPartition, offset: int) -> bool:
        if not self._rules.takes(change):
            return False
        name, inside = self.target.object, offset < part.end
        match self._rule:
            case ReplayRule.EVERY:
                return inside
            case ReplayRule.MERGED:
                return inside or self._checkpoint.follows_row(
                    name, change.key, undated=self._undated
                )
            case _:
                return self._checkpoint.is_newest(name, change.key, part.number, offset)
