"""Filters Debezium's heartbeat and transaction records before the route's format reads them.

A route may match these topics by a regular expression and have any `format`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.decoding.debezium_topics import own_record
from consumer.decoding.document import open_member, open_object
from consumer.decoding.wrapping import is_wrapped
from consumer.errors import RecordError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consumer.mapping.port import Mapped, RouteMapper
    from consumer.model import Change, Filtered, Record


class OwnRecordFilter:
    """Filters heartbeats and transaction boundaries; passes every other record to the mapper.

    Used only for topics that are named like Debezium's heartbeat and transaction topics.
    """

    def __init__(self, mapper: RouteMapper) -> None:
        self._mapper = mapper
        self.target, self.object = mapper.target, mapper.object

    def map_run(
        self, records: Sequence[Record], start: int, wall_ms: int, append: Callable[[Change], None]
    ) -> int:
        """Map nothing in a run: each record must be examined by itself."""
        del records, wall_ms, append
        return start

    def map(self, record: Record, wall_ms: int) -> Mapped | tuple[Mapped, ...]:
        """Filter the record if Debezium wrote it for itself, else map it."""
        filtered = _filtered(record)
        return self._mapper.map(record, wall_ms) if filtered is None else filtered


def _filtered(record: Record) -> Filtered | None:
    value = record.value()
    if value is None:
        return None
    try:
        document = open_object(value)
    except RecordError:
        return None  # the decoder of the route's format reports the fault
    # With `schemas.enable=true` Connect's JSON converter wraps these records too.
    if is_wrapped(document):
        document = open_member(document["payload"]) or document
    return own_record(document, record.topic())
