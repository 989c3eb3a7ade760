"""Format `canal`: decodes Canal's flat messages, with all rows of one statement in `data`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.decoding.change_event import BareOrWrapped, ChangeEvent
from consumer.decoding.connect_schema import columns_of_member
from consumer.decoding.debezium import TRUNCATED
from consumer.decoding.document import open_member
from consumer.decoding.filtered import FILTERED
from consumer.decoding.members import found, text_of, whole_number
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
    "INSERT": Operation.UPSERT,
    "UPDATE": Operation.UPSERT,
    "INIT": Operation.UPSERT,
    "DELETE": Operation.DELETE,
}
_DDL = frozenset({"CREATE", "ALTER", "ERASE", "RENAME", "QUERY", "CINDEX", "DINDEX"})
_WATERMARK = "TIDB_WATERMARK"
"""The type of TiCDC's watermarks. Source: TiCDC's Canal-JSON protocol with the TiDB extension."""

_ROWS = msgspec.json.Decoder(list[msgspec.Raw])


class CanalDecoder(BareOrWrapped):
    """Decodes the flat messages of Canal."""

    def __init__(self) -> None:
        super().__init__(columns_of_member("data"))

    def events(self, envelope: Envelope, record: Record) -> Sequence[ChangeEvent] | Filtered:
        """Read one change per row, in order."""
        del record
        members = envelope.members
        # A DDL message may have a type that this version does not know, or none.
        is_ddl = open_value(members.get("isDdl")) is True
        kind = text_of(members, "type") if "type" in members or not is_ddl else ""
        if kind == "TRUNCATE":
            raise RecordError(Reason.ENVELOPE_TRUNCATE, TRUNCATED, field="type")
        if is_ddl or kind in _DDL:
            return FILTERED[FilterRule.DDL]
        if kind == _WATERMARK:
            return FILTERED[FilterRule.WATERMARK]
        operation = _OPERATIONS.get(kind)
        if operation is None:
            detail = (
                "expected INSERT, UPDATE, INIT, DELETE, TRUNCATE or a DDL type, got another type"
            )
            raise RecordError(Reason.ENVELOPE_OP, detail, field="type")
        # `es` is the time in MySQL's log, `ts` the time at which Canal wrote the message.
        source_ms = whole_number(members.get("es"))
        if source_ms is None:
            source_ms = whole_number(members.get("ts"))
        return [
            ChangeEvent(
                operation=operation,
                row=row,
                old_row=row | old if old else None,
                source_ms=source_ms,
            )
            for row, old in _rows(members, with_old=kind == "UPDATE")
        ]


def _rows(members: Row, *, with_old: bool) -> list[tuple[JsonObject, JsonObject | None]]:
    """Pair each row with the earlier values of its changed columns. Raises: ENVELOPE_SHAPE."""
    rows = _objects(members, "data")
    if not rows or None in rows:
        detail = "expected an array of at least one row, got " + ("a null row" if rows else "none")
        raise RecordError(Reason.ENVELOPE_SHAPE, detail, field="data")
    old_rows = (
        _objects(members, "old")
        if with_old and open_value(members.get("old")) is not None
        else None
    )
    if old_rows is not None and len(old_rows) != len(rows):
        detail = f"expected one old row per row of `data` ({len(rows)}), got {len(old_rows)}"
        raise RecordError(Reason.ENVELOPE_SHAPE, detail, field="old")
    return [(row or {}, old) for row, old in zip(rows, old_rows or [None] * len(rows), strict=True)]


def _objects(members: Row, name: str) -> list[JsonObject | None]:
    """Return an array of objects and nulls. Raises: ENVELOPE_SHAPE."""
    raw = members.get(name)
    if not isinstance(raw, msgspec.Raw) or not bytes(raw).startswith(b"["):
        detail = f"expected an array of rows, got {found(members, name)}"
        raise RecordError(Reason.ENVELOPE_SHAPE, detail, field=name)
    rows = [(one, open_member(one)) for one in _ROWS.decode(raw)]
    if any(row is None and open_value(one) is not None for one, row in rows):
        detail = "expected only objects in the array of rows, got another value in it"
        raise RecordError(Reason.ENVELOPE_SHAPE, detail, field=name)
    return [row for _, row in rows]
