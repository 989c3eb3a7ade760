"""Reads the time of a change from a document that the fast path decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from consumer.decoding.debezium import CLOCKS
from consumer.mapping.fast_path.shapes import TakeSlowPath
from consumer.mapping.sources import kafka_time_ms

if TYPE_CHECKING:
    from consumer.model import Record

_LARGEST_TICKS = 9 * 10**18
"""No real clock has this many ticks. A larger number takes the slow path, which may ignore it."""


def envelope_change_ms(event: Any, record: Record) -> int | None:  # noqa: ANN401 - a struct made at run time
    """Return the time of a change by the source's clock, from its finest unit that is present."""
    del record
    source = event.source
    if not source:
        raise TakeSlowPath
    for name, per_ms in CLOCKS:
        ticks = getattr(source, name)
        if ticks is None or ticks is msgspec.UNSET:
            continue
        if ticks <= 0:
            continue  # the source does not know the time: the next clock may
        if ticks >= _LARGEST_TICKS:
            raise TakeSlowPath
        return ticks // per_ms  # type: ignore[no-any-return]  # an integer, by the leaf's shape
    raise TakeSlowPath


def row_change_ms(event: Any, record: Record) -> int | None:  # noqa: ANN401 - a struct made at run time
    """Return the time of a plain row: the Kafka timestamp."""
    del event
    return kafka_time_ms(record)
