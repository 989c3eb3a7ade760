"""Debezium's heartbeat and transaction topics under any format.

Filtered before the route's own format judges.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.decoding.debezium_topics import own_record
from consumer.decoding.document import open_member, open_object
from consumer.errors import RecordError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consumer.mapping.port import Mapped, RouteMapper
    from consumer.model import Change, Filtered, Record


class OwnRecordsFirst:
    """Asks whether a record is Debezium's own, on topics named like its own.

    Every other record goes on.
    """

    def __init__(self, mapper: RouteMapper) -> None:
        self._mapper = mapper
        self.target, self.object = mapper.target, mapper.object

    def map_run(
        self, records: Sequence[Record], start: int, wall_ms: int, append: Callable[[Change], None]
    ) -> int:
        """Map none in a run: each record is looked at."""
        del records, wall_ms, append
        return start

    def map(self, record: Record, wall_ms: int) -> Mapped | tuple[Mapped, ...]:
        """Filter a record of Debezium's own, else map it."""
        own = _own(record)
        return self._mapper.map(record, wall_ms) if own is None else own


def _own(record: Record) -> Filtered | None:
    value = record.value()
    if value is None:
        return None
    try:
        document = open_object(value)
    except RecordError:
        return None  # the route's own format says what is wrong with it
    if "payload" in document and "schema" in document:
        document = open_member(document["payload"]) or document
    return own_record(document, record.topic())
