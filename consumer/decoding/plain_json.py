"""Format `json`: decodes plain objects, each a row, bare or in Connect's wrapping."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.decoding.change_event import BareOrWrapped, ChangeEvent, Envelope
from consumer.decoding.connect_schema import columns_of_row
from consumer.decoding.debezium_topics import is_resolved
from consumer.decoding.filtered import FILTERED
from consumer.model import FilterRule, Operation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.model import Filtered, Record


class PlainJsonDecoder(BareOrWrapped):
    """Decodes plain rows. Only a tombstone is a delete."""

    def __init__(self, columns: frozenset[str]) -> None:
        super().__init__(columns_of_row, columns)

    def open(self, value: bytes, record: Record) -> Envelope | Filtered | None:
        """Open a row; filter the resolved timestamps of a CockroachDB changefeed."""
        envelope = super().open(value, record)
        if isinstance(envelope, Envelope) and is_resolved(envelope.members, self._columns):
            return FILTERED[FilterRule.WATERMARK]
        return envelope

    def events(self, envelope: Envelope, record: Record) -> Sequence[ChangeEvent]:
        """Read the one row."""
        del record
        return (ChangeEvent(operation=Operation.UPSERT, row=envelope.members),)
