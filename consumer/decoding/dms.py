"""Format `dms`: what AWS Database Migration Service writes.

A row in `data` and all else in `metadata`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.decoding.change_event import BareOrWrapped, ChangeEvent
from consumer.decoding.connect_schema import columns_of_member
from consumer.decoding.filtered import FILTERED
from consumer.decoding.members import clock_ms, row_of, row_or_null, text_of
from consumer.errors import Reason, RecordError
from consumer.model import FilterRule, Operation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.decoding.change_event import Envelope
    from consumer.model import Filtered, Record

_OPERATIONS = {
    "load": Operation.UPSERT,
    "insert": Operation.UPSERT,
    "update": Operation.UPSERT,
    "delete": Operation.DELETE,
}
_BEFORE = "before-image"
"""The name that `BeforeImageSettings` gives the earlier values of an update in all of its
documentation."""

_KIND = "metadata.record-type"
_OPERATION = "metadata.operation"


class DmsDecoder(BareOrWrapped):
    """Decodes the rows of AWS DMS.

    And what they were before an update where the task is told to say so.
    """

    def __init__(self) -> None:
        super().__init__(columns_of_member("data"))

    def events(self, envelope: Envelope, record: Record) -> Sequence[ChangeEvent] | Filtered:
        """Read the one row; columns that the image of the row before does not have are as they are now."""
        del record
        metadata = row_of(envelope.members, "metadata")
        kind = text_of(metadata, "record-type", _KIND)
        if kind == "control":
            return FILTERED[FilterRule.CONTROL]
        if kind != "data":
            raise RecordError(
                Reason.ENVELOPE_SHAPE, "data or control wanted, another type found", field=_KIND
            )
        operation = _OPERATIONS.get(text_of(metadata, "operation", _OPERATION))
        if operation is None:
            detail = "load, insert, update or delete wanted, another operation found"
            raise RecordError(Reason.ENVELOPE_OP, detail, field=_OPERATION)
        row = row_of(envelope.members, "data")
        before = row_or_null(envelope.members, _BEFORE) if operation is Operation.UPSERT else None
        return (
            ChangeEvent(
                operation=operation,
                row=row,
                old_row=row | before if before else None,
                source_ms=clock_ms(metadata.get("timestamp")),
            ),
        )
