"""When a change was made, read from a decoded document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from consumer.decoding.debezium import CLOCKS
from consumer.mapping.fast_path.shapes import TakeSlowPath
from consumer.mapping.sources import kafka_time_ms

if TYPE_CHECKING:
    from consumer.model import Record

_LARGEST_TICKS = 9 * 10**18
"""No clock ticks that far: what is beyond is left to the careful way, which may take it for no time
at all."""


def envelope_change_ms(event: Any, record: Record) -> int | None:  # noqa: ANN401 - a struct made at run time
    """Return when the source made a change, by the finest reading of its own clock."""
    del record
    source = event.source
    if not source:
        raise TakeSlowPath
    for name, per_ms in CLOCKS:
        ticks = getattr(source, name)
        if ticks is None or ticks is msgspec.UNSET:
            continue
        if abs(ticks) >= _LARGEST_TICKS:
            raise TakeSlowPath
        return ticks // per_ms  # type: ignore[no-any-return]  # an integer, by the leaf's shape
    raise TakeSlowPath


def row_change_ms(event: Any, record: Record) -> int | None:  # noqa: ANN401 - a struct made at run time
    """Return when a plain row came about: Kafka's timestamp."""
    del event
    return kafka_time_ms(record)
