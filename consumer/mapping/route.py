"""One route on one topic, compiled.

Fast where the record is as expected, careful everywhere else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from consumer.decoding.columns import NO_COLUMNS
from consumer.mapping.fast_path.fast_path import FastPath
from consumer.mapping.fast_path.generated_code import UNFIT
from consumer.mapping.fast_path.shapes import Widen
from consumer.model import Filtered

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consumer.decoding.change_event import Envelope
    from consumer.mapping.bound_route import BoundRoute
    from consumer.mapping.port import Mapped
    from consumer.mapping.settings import ObjectSettings
    from consumer.mapping.slow_path import SlowPath
    from consumer.model import Change, Record, Target

_REMEMBERED_WRAPPINGS = 32
_CLOSING_BRACE = ord("}")
_SCHEMA_FIRST = re.compile(rb'[ \t\r\n]*\{[ \t\r\n]*"schema"')


class CompiledRoute:
    """The mapper of one route for the records of one topic."""

    def __init__(self, target: Target, bound: BoundRoute, slow_path: SlowPath) -> None:
        self._target = target
        self._bound = bound
        self._slow_path = slow_path
        self._bare = FastPath(bound, slow_path, NO_COLUMNS)
        self._plain = bound.route.format == "json"
        self._wrappings: list[tuple[bytes, FastPath]] = []

    @property
    def target(self) -> Target:
        """The object that this route fills."""
        return self._target

    @property
    def object(self) -> ObjectSettings:
        """Its schema and settings."""
        return self._bound.object

    def map_run(
        self, records: Sequence[Record], start: int, wall_ms: int, append: Callable[[Change], None]
    ) -> int:
        """Map records from `start` on as long as all are plain upserts.

        Return the first that is not mapped.
        """
        prefix, way = self._wrappings[0] if self._wrappings else (b"", self._bare)
        # Of plain documents each may be Connect's pair, which wants a look of its own.
        if way.run is None or (self._plain and not prefix):
            return start
        return way.run(records, start, wall_ms, append, prefix)

    def map(self, record: Record, wall_ms: int) -> Mapped | tuple[Mapped, ...]:
        """Turn one record into its change, or into several in order."""
        value = record.value()
        if value is None:
            return self._slow_path.map_tombstone(record, wall_ms)
        way, body = self._bare, value
        if self._wrappings:
            for place, (prefix, wrapped) in enumerate(self._wrappings):
                if value.startswith(prefix) and value[-1] == _CLOSING_BRACE:
                    way, body = wrapped, value[len(prefix) : -1]
                    if place:  # the schema of the moment stands first
                        self._wrappings.insert(0, self._wrappings.pop(place))
                    break
        fast = way.map
        unfit = False
        if fast is not None and (
            way is not self._bare or not self._plain or not _may_be_wrapped(value)
        ):
            try:
                if not body.isascii():
                    body.decode()
                return fast(body, record, wall_ms)
            except (msgspec.ValidationError, Widen):
                unfit = True
            except UNFIT:
                pass
        return self._map_slowly(value, record, wall_ms, way if unfit else None)

    def _map_slowly(
        self, value: bytes, record: Record, wall_ms: int, unfit: FastPath | None
    ) -> Mapped | tuple[Mapped, ...]:
        """Map by the reference; a record that proves good teaches the fast way what it did not fit."""
        envelope = self._slow_path.open(value, record)
        if envelope is None:
            return self._slow_path.map_tombstone(record, wall_ms)
        if isinstance(envelope, Filtered):
            return envelope
        mapped = self._slow_path.map_opened(envelope, record, wall_ms)
        if unfit is not None:
            unfit.learn(envelope.members)
        self._remember_wrapping(envelope)
        return mapped

    def _remember_wrapping(self, envelope: Envelope) -> None:
        """Know the wrapping of a good record again by its bytes."""
        wrapping = envelope.wrapping
        if (
            wrapping is None
            or not wrapping.prefix
            or any(known == wrapping.prefix for known, _ in self._wrappings)
        ):
            return
        self._wrappings.insert(
            0, (wrapping.prefix, FastPath(self._bound, self._slow_path, wrapping.columns))
        )
        del self._wrappings[_REMEMBERED_WRAPPINGS:]


def _may_be_wrapped(value: bytes) -> bool:
    """Whether a plain value may be Connect's pair.

    An envelope that is wrapped shows it by lacking its `op`.
    """
    if value.startswith(b'{"') and not value.startswith(b'{"schema"'):
        return False
    return _SCHEMA_FIRST.match(value) is not None
