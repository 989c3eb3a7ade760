"""Format `json`: the object is the row, also in the wrapping of Connect's JSON converter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.decoding.change_event import ChangeEvent, Envelope, open_envelope
from consumer.decoding.connect_schema import columns_of_row
from consumer.decoding.wrapping import SchemaCache
from consumer.model import Operation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.model import Record


class PlainJsonDecoder:
    """Decodes rows as they stand; deletes come as tombstones alone."""

    has_placeholders = False

    def __init__(self) -> None:
        self._schemas = SchemaCache(columns_of_row)

    def open(self, value: bytes, record: Record) -> Envelope:
        """Open the object."""
        del record
        return open_envelope(value, self._schemas)

    def events(self, envelope: Envelope, record: Record) -> Sequence[ChangeEvent]:
        """Read the one row."""
        del record
        return (ChangeEvent(operation=Operation.UPSERT, row=envelope.members),)
