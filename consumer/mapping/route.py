"""One route on one topic, compiled: fast where the record is as expected, careful everywhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.model import Filtered

if TYPE_CHECKING:
    from consumer.mapping.careful import CarefulMapper
    from consumer.mapping.port import Mapped
    from consumer.mapping.settings import ObjectSettings
    from consumer.model import Record, Target


class CompiledRoute:
    """The mapper of one route."""

    def __init__(self, target: Target, object_settings: ObjectSettings, careful: CarefulMapper) -> None:
        self._target = target
        self._object = object_settings
        self._careful = careful

    @property
    def target(self) -> Target:
        """The object that this route fills."""
        return self._target

    @property
    def object(self) -> ObjectSettings:
        """Its schema and settings."""
        return self._object

    def map(self, record: Record, wall_ms: int) -> Mapped | tuple[Mapped, ...]:
        """Turn one record into its change, or into several in order."""
        value = record.value()
        if value is None:
            return self._careful.map_tombstone(record, wall_ms)
        envelope = self._careful.open(value, record)
        if isinstance(envelope, Filtered):
            return envelope
        return self._careful.map_opened(envelope, record, wall_ms)
