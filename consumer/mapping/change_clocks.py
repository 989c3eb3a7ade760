"""When a change was made, read from a decoded document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from consumer.mapping.shapes import GoCareful
from consumer.mapping.sources import kafka_time_ms

if TYPE_CHECKING:
    from consumer.model import Record


def envelope_change_ms(event: Any, record: Record) -> int | None:  # noqa: ANN401 - a struct made at run time
    """Return when the source made a change, by the finest reading of its own clock."""
    del record
    source = event.source
    if not source:
        raise GoCareful
    ticks = source.ts_ns
    if ticks is not None and ticks is not msgspec.UNSET:
        return ticks // 1_000_000  # type: ignore[no-any-return]  # an integer, by the leaf's shape
    ticks = source.ts_us
    if ticks is not None and ticks is not msgspec.UNSET:
        return ticks // 1_000  # type: ignore[no-any-return]  # as above
    ticks = source.ts_ms
    if ticks is None or ticks is msgspec.UNSET:
        raise GoCareful
    return ticks  # type: ignore[no-any-return]  # as above


def row_change_ms(event: Any, record: Record) -> int | None:  # noqa: ANN401 - a struct made at run time
    """Return when a plain row came about: Kafka's timestamp."""
    del event
    return kafka_time_ms(record)
