"""Format `dms`: decodes AWS DMS records, with the row in `data` and the rest in `metadata`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.decoding.change_event import BareOrWrapped, ChangeEvent
from consumer.decoding.connect_schema import columns_of_member
from consumer.decoding.debezium import TRUNCATED
from consumer.decoding.filtered import FILTERED
from consumer.decoding.members import clock_ms, row_of, row_or_null, text_of
from consumer.decoding.opened import open_value
from consumer.errors import Reason, RecordError
from consumer.model import FilterRule, Operation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.decoding.change_event import Envelope
    from consumer.decoding.document import JsonObject
    from consumer.decoding.opened import Row
    from consumer.model import Filtered, Record

_OPERATIONS = {
    "load": Operation.UPSERT,
    "insert": Operation.UPSERT,
    "update": Operation.UPSERT,
    "delete": Operation.DELETE,
}
_BEFORE = "before-image"
"""The member for the earlier values of an update in the documentation of `BeforeImageSettings`."""

_TRUNCATE = "truncate-table"
_KIND = "metadata.record-type"
_OPERATION = "metadata.operation"


class DmsDecoder(BareOrWrapped):
    """Decodes rows of AWS DMS, with the row before an update if the task sends it."""

    def __init__(self, before_prefix: str | None) -> None:
        """`before_prefix` starts the names of columns that hold the earlier values of a row."""
        super().__init__(columns_of_member("data"))
        self._before_prefix = before_prefix

    def events(self, envelope: Envelope, record: Record) -> Sequence[ChangeEvent] | Filtered:
        """Read the one row. A column that the before image does not have did not change."""
        del record
        metadata = row_of(envelope.members, "metadata")
        kind = text_of(metadata, "record-type", _KIND)
        if kind == "control":
            if open_value(metadata.get("operation")) == _TRUNCATE:
                raise RecordError(Reason.ENVELOPE_TRUNCATE, TRUNCATED, field=_OPERATION)
            return FILTERED[FilterRule.CONTROL]
        if kind != "data":
            detail = "expected data or control, got another record type"
            raise RecordError(Reason.ENVELOPE_SHAPE, detail, field=_KIND)
        operation = _OPERATIONS.get(text_of(metadata, "operation", _OPERATION))
        if operation is None:
            detail = "expected load, insert, update or delete, got another operation"
            raise RecordError(Reason.ENVELOPE_OP, detail, field=_OPERATION)
        is_delete = operation is Operation.DELETE
        row, before = self._images(envelope.members, is_delete=is_delete)
        old_row = row | before if before else None
        return (
            ChangeEvent(
                operation=operation,
                row=(old_row or row) if is_delete else row,
                old_row=None if is_delete else old_row,
                source_ms=clock_ms(metadata.get("timestamp"))
                or clock_ms(metadata.get("commit-timestamp")),
            ),
        )

    def _images(self, members: Row, *, is_delete: bool) -> tuple[JsonObject, JsonObject | None]:
        """Return the row, and the earlier values in its own member or in prefixed columns.

        The member `before-image` is not read if prefixed columns have the earlier values, nor in a
        delete, where `data` has the deleted row.

        Source: DMS's rule action `add-before-image-columns` adds a column for each earlier value.
        """
        row = row_of(members, "data")
        prefix = self._before_prefix
        before: JsonObject = {}
        if prefix is not None:
            before = {
                name.removeprefix(prefix): value
                for name, value in row.items()
                if name.startswith(prefix) and name != prefix
            }
            row = {name: row[name] for name in row if not name.startswith(prefix)}
        if before or is_delete:
            return row, before
        return row, row_or_null(members, _BEFORE)
