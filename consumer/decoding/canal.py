"""Format `canal`: decodes Canal's flat messages, with all rows of one statement in `data`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from consumer.decoding.change_event import BareOrWrapped, ChangeEvent
from consumer.decoding.connect_schema import columns_of_member
from consumer.decoding.debezium import TRUNCATED
from consumer.decoding.document import open_member
from consumer.decoding.filtered import FILTERED
from consumer.decoding.members import clock_ticks, found, text_of
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

_BINARY = re.compile(rb"blob|binary", re.IGNORECASE)
_BINARY_TYPE = re.compile(r"\s*(?:(?:tiny|medium|long)?blob|(?:var)?binary)\b", re.IGNORECASE)
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
        # Flink writes no `es`, and `ts: 0` when it does not know the time.
        source_ms = clock_ticks(members.get("es")) or clock_ticks(members.get("ts"))
        return [
            ChangeEvent(
                operation=operation,
                row=row,
                old_row=row | old if old else None,
                source_ms=source_ms,
            )
            for row, old in _rows(members, kind)
        ]


def _rows(members: Row, kind: str) -> list[tuple[JsonObject, JsonObject | None]]:
    """Pair each row with the earlier values of its changed columns. Raises: ENVELOPE_SHAPE."""
    has_old = open_value(members.get("old")) is not None
    # Flink CDC writes a deleted row into `old` and null into `data`.
    place = "data"
    if kind == "DELETE" and has_old and open_value(members.get("data")) is None:
        place = "old"
    binary = _binary_columns(members)
    rows = _objects(members, place, binary)
    if not rows or None in rows:
        detail = "expected an array of at least one row, got " + ("a null row" if rows else "none")
        raise RecordError(Reason.ENVELOPE_SHAPE, detail, field=place)
    old_rows = _objects(members, "old", binary) if kind == "UPDATE" and has_old else None
    if old_rows is not None and len(old_rows) != len(rows):
        detail = f"expected one old row per row of `data` ({len(rows)}), got {len(old_rows)}"
        raise RecordError(Reason.ENVELOPE_SHAPE, detail, field="old")
    return [(row or {}, old) for row, old in zip(rows, old_rows or [None] * len(rows), strict=True)]


def _binary_columns(members: Row) -> frozenset[str]:
    """Return the columns that `mysqlType` gives a binary type."""
    raw = members.get("mysqlType")
    if not isinstance(raw, msgspec.Raw) or _BINARY.search(bytes(raw)) is None:
        return frozenset()
    types = ((name, open_value(one)) for name, one in (open_member(raw) or {}).items())
    return frozenset(
        name for name, one in types if type(one) is str and _BINARY_TYPE.match(one) is not None
    )


def _with_base64(row: JsonObject, binary: frozenset[str]) -> JsonObject:
    """Return a row whose binary columns are base64, like those of the other formats.

    Source: Canal writes each byte as one character (ISO 8859-1).
    """
    written = dict(row)
    for name in binary & row.keys():
        opened = open_value(row[name])
        if type(opened) is not str:
            continue
        try:
            content = opened.encode("latin-1")
        except UnicodeEncodeError:
            continue  # not written byte by byte: it is text
        written[name] = msgspec.Raw(msgspec.json.encode(content))
    return written


def _objects(members: Row, name: str, binary: frozenset[str]) -> list[JsonObject | None]:
    """Return an array of objects and nulls. Raises: ENVELOPE_SHAPE."""
    raw = members.get(name)
    if not isinstance(raw, msgspec.Raw) or not bytes(raw).startswith(b"["):
        detail = f"expected an array of rows, got {found(members, name)}"
        raise RecordError(Reason.ENVELOPE_SHAPE, detail, field=name)
    rows = [(one, open_member(one)) for one in _ROWS.decode(raw)]
    if any(row is None and open_value(one) is not None for one, row in rows):
        detail = "expected only objects in the array of rows, got another value in it"
        raise RecordError(Reason.ENVELOPE_SHAPE, detail, field=name)
    if not binary:
        return [row for _, row in rows]
    return [row if row is None else _with_base64(row, binary) for _, row in rows]
