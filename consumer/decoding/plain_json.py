"""Format `json`: decodes plain objects, each a row, bare or in Connect's wrapping."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.decoding.change_event import BareOrWrapped, ChangeEvent
from consumer.decoding.connect_schema import columns_of_row
from consumer.model import Operation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.decoding.change_event import Envelope
    from consumer.model import Record


class PlainJsonDecoder(BareOrWrapped):
    """Decodes plain rows. Only a tombstone is a delete."""

    def __init__(self, columns: frozenset[str]) -> None:
        super().__init__(columns_of_row, columns)

    def events(self, envelope: Envelope, record: Record) -> Sequence[ChangeEvent]:
        """Read the one row."""
        del record
        return (ChangeEvent(operation=Operation.UPSERT, row=envelope.members),)
