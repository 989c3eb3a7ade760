"""Format `maxwell`: decodes records of Maxwell's daemon, with the row in `data`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.decoding.change_event import BareOrWrapped, ChangeEvent
from consumer.decoding.connect_schema import columns_of_member
from consumer.decoding.filtered import FILTERED
from consumer.decoding.members import clock_ticks, row_of, row_or_null, text_of
from consumer.errors import Reason, RecordError
from consumer.model import FilterRule, Operation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.decoding.change_event import Envelope
    from consumer.model import Filtered, Record

_OPERATIONS = {
    "insert": Operation.UPSERT,
    "update": Operation.UPSERT,
    "bootstrap-insert": Operation.UPSERT,
    "delete": Operation.DELETE,
}
_BOOTSTRAP = frozenset({"bootstrap-start", "bootstrap-complete"})
_DDL = frozenset(
    f"{thing}-{verb}" for thing in ("table", "database") for verb in ("create", "alter", "drop")
)


class MaxwellDecoder(BareOrWrapped):
    """Decodes the rows of Maxwell's daemon."""

    def __init__(self) -> None:
        super().__init__(columns_of_member("data"))

    def events(self, envelope: Envelope, record: Record) -> Sequence[ChangeEvent] | Filtered:
        """Read the one row. `old` has only the changed columns; all others did not change."""
        del record
        members = envelope.members
        kind = text_of(members, "type")
        if kind in _BOOTSTRAP:
            return FILTERED[FilterRule.BOOTSTRAP]
        if kind in _DDL:
            return FILTERED[FilterRule.DDL]
        operation = _OPERATIONS.get(kind)
        if operation is None:
            detail = (
                "expected insert, update, delete or one of Maxwell's bootstrap and DDL types,"
                " got another type"
            )
            raise RecordError(Reason.ENVELOPE_OP, detail, field="type")
        row = row_of(members, "data")
        changed = row_or_null(members, "old") if kind == "update" else None
        seconds = clock_ticks(members.get("ts"))
        return (
            ChangeEvent(
                operation=operation,
                row=row,
                old_row=row | changed if changed else None,
                source_ms=None if seconds is None else seconds * 1_000,
            ),
        )
