"""Format `goldengate`: decodes operations of Oracle GoldenGate's JSON formatter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.decoding.change_event import BareOrWrapped, ChangeEvent
from consumer.decoding.connect_schema import columns_of_envelope
from consumer.decoding.debezium import TRUNCATED
from consumer.decoding.members import clock_ms, row_or_null, text_of
from consumer.decoding.opened import Absent
from consumer.errors import Reason, RecordError
from consumer.model import Operation

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from consumer.decoding.change_event import Envelope
    from consumer.model import Record

_ROW_MODELLED = (
    "expected an object, got none; if the columns stand beside op_type, the handler writes"
    " json_row: set gg.handler.NAME.format=json"
)


class GoldenGateDecoder(BareOrWrapped):
    """Decodes operations with the images `before` and `after`.

    `zone` is the zone of `op_ts`; UTC without one.
    """

    def __init__(self, zone: tzinfo | None) -> None:
        super().__init__(columns_of_envelope)
        self._zone = zone

    def events(self, envelope: Envelope, record: Record) -> Sequence[ChangeEvent]:
        """Read the one row. A column that an update does not have is unchanged, not null."""
        del record
        members = envelope.members
        operation = text_of(members, "op_type")
        source_ms = clock_ms(members.get("op_ts"), self._zone)
        if operation == "T":
            raise RecordError(Reason.ENVELOPE_TRUNCATE, TRUNCATED, field="op_type")
        if operation not in {"I", "U", "D"}:
            raise RecordError(
                Reason.ENVELOPE_OP, "expected one of I, U, D, T, got another value", field="op_type"
            )
        before, after = row_or_null(members, "before"), row_or_null(members, "after")
        image = "before" if operation == "D" else "after"
        row = before if operation == "D" else after
        if row is None:
            raise RecordError(Reason.ENVELOPE_SHAPE, _ROW_MODELLED, field=image)
        if operation == "D":
            return (ChangeEvent(operation=Operation.DELETE, row=row, source_ms=source_ms),)
        if operation == "I":
            return (ChangeEvent(operation=Operation.UPSERT, row=row, source_ms=source_ms),)
        return (
            ChangeEvent(
                operation=Operation.UPSERT,
                row=row,
                old_row=row | before if before else None,
                absent=Absent.UNPROVIDED,
                source_ms=source_ms,
            ),
        )
