"""The mapper of one route for one topic: fast path first, slow path for every other record."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from consumer.decoding.columns import NO_COLUMNS
from consumer.decoding.document import LARGEST_VALUE
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

_CACHED_SCHEMAS = 32
"""How many embedded schemas of a topic keep a cached fast path, the least recently used dropped
first."""

_CLOSING_BRACE = ord("}")
_PAIR_STARTS = frozenset({b'{"s', b'{"p', b'{"\\'})
_PAIR_FIRST = re.compile(rb'[ \t\r\n]*\{[ \t\r\n]*"(?:schema"|payload"|[schemaployd]*\\)')


class CompiledRoute:
    """The mapper of one route for the records of one topic.

    Keeps one fast path for values without an embedded schema, and one per embedded schema, found by
    the bytes that come before the payload.
    """

    def __init__(self, target: Target, bound: BoundRoute, slow_path: SlowPath) -> None:
        self._target = target
        self._bound = bound
        self._slow_path = slow_path
        self._bare = FastPath(bound, slow_path, NO_COLUMNS)
        self._is_plain_json = bound.route.format == "json"
        self._by_prefix: list[tuple[bytes, FastPath]] = []

    @property
    def target(self) -> Target:
        """The object that this route fills."""
        return self._target

    @property
    def object(self) -> ObjectSettings:
        """The object's schema and settings."""
        return self._bound.object

    def map_run(
        self, records: Sequence[Record], start: int, wall_ms: int, append: Callable[[Change], None]
    ) -> int:
        """Map records from index `start` while each one is a plain upsert.

        Return the index of the first record that was not mapped.
        """
        prefix, fast_path = self._by_prefix[0] if self._by_prefix else (b"", self._bare)
        # A plain JSON value may turn out to be Connect's `schema` and `payload` pair. Only `map`
        # looks for that, so plain JSON without a cached schema is not mapped in runs.
        if fast_path.run is None or (self._is_plain_json and not prefix):
            return start
        return fast_path.run(records, start, wall_ms, append, prefix)

    def map(self, record: Record, wall_ms: int) -> Mapped | tuple[Mapped, ...]:
        """Map one record to its change, or to several changes in order."""
        value = record.value()
        if value is None:
            return self._slow_path.map_tombstone(record, wall_ms)
        fast_path, body = self._bare, value
        if self._by_prefix:
            for index, (prefix, cached) in enumerate(self._by_prefix):
                if value.startswith(prefix) and value[-1] == _CLOSING_BRACE:
                    fast_path, body = cached, value[len(prefix) : -1]
                    if index:  # most recently used first: the next record is likely to have it too
                        self._by_prefix.insert(0, self._by_prefix.pop(index))
                    break
        fast_map = fast_path.map
        is_misfit = False
        if (
            fast_map is not None
            and len(value) <= LARGEST_VALUE
            and (
                fast_path is not self._bare or not self._is_plain_json or not _may_be_wrapped(value)
            )
        ):
            try:
                # msgspec does not check the UTF-8 of members that it skips.
                if not body.isascii():
                    body.decode()
                return fast_map(body, record, wall_ms)
            except (msgspec.ValidationError, Widen):
                # A leaf has another shape than guessed. The slow path decides whether the record is
                # good; if it is, the guess was wrong.
                is_misfit = True
            except UNFIT:
                pass
        return self._map_slowly(value, record, wall_ms, fast_path if is_misfit else None)

    def _map_slowly(
        self, value: bytes, record: Record, wall_ms: int, misfit: FastPath | None
    ) -> Mapped | tuple[Mapped, ...]:
        """Map on the slow path; if the record is good, widen the fast path that it did not fit."""
        envelope = self._slow_path.open(value, record)
        if envelope is None:
            return self._slow_path.map_tombstone(record, wall_ms)
        if isinstance(envelope, Filtered):
            return envelope
        mapped = self._slow_path.map_opened(envelope, record, wall_ms)
        # Reached only without a fault: a bad record never widens a shape and never adds a cached
        # plan, so it cannot slow down the good records after it.
        if misfit is not None:
            misfit.widen(envelope.members)
        self._cache_fast_path(envelope)
        return mapped

    def _cache_fast_path(self, envelope: Envelope) -> None:
        """Compile and keep a fast path for the embedded schema of a good record."""
        wrapping = envelope.wrapping
        if (
            wrapping is None
            or not wrapping.prefix
            or any(prefix == wrapping.prefix for prefix, _ in self._by_prefix)
        ):
            return
        self._by_prefix.insert(
            0, (wrapping.prefix, FastPath(self._bound, self._slow_path, wrapping.columns))
        )
        del self._by_prefix[_CACHED_SCHEMAS:]


def _may_be_wrapped(value: bytes) -> bool:
    """Whether a plain JSON value may be Connect's `schema` and `payload` pair.

    Needed only for format `json`: in the other formats a wrapped value does not decode on the bare
    fast path, because it lacks the envelope's `op`.
    """
    if value.startswith(b'{"') and value[:3] not in _PAIR_STARTS:
        return False
    return _PAIR_FIRST.match(value) is not None
