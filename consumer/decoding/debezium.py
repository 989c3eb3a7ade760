"""Format `debezium`: the full change-event envelope, bare or in Connect's wrapping."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.decoding.change_event import ChangeEvent, Envelope
from consumer.decoding.connect_schema import columns_of_envelope
from consumer.decoding.debezium_topics import own_record
from consumer.decoding.document import open_member, open_object
from consumer.decoding.filtered import FILTERED
from consumer.decoding.opened import Digits, Row, open_value
from consumer.decoding.wrapping import SchemaCache, unwrap
from consumer.errors import Reason, RecordError
from consumer.model import FilterRule, Operation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.model import Filtered, Record

UPSERT_OPS = frozenset({"c", "u", "r"})
_CLOCKS = (("ts_ns", 1_000_000), ("ts_us", 1_000), ("ts_ms", 1))
_CLOCK_DIGITS = 20


class DebeziumDecoder:
    """Decodes envelopes with `before`, `after`, `source` and `op`."""

    has_placeholders = True

    def __init__(self) -> None:
        self._schemas = SchemaCache(columns_of_envelope)

    def open(self, value: bytes, record: Record) -> Envelope | Filtered:
        """Open the envelope; Debezium's own records are filtered by their rule."""
        document = open_object(value)
        wrapped = None if "op" in document else unwrap(value, document, self._schemas)
        envelope = Envelope(document) if wrapped is None else Envelope(wrapped[0], wrapped[1].columns, wrapped[1])
        if "op" not in envelope.members:
            own = own_record(envelope.members, record.topic())
            if own is not None:
                return own
            detail = "a Debezium envelope wanted, no `op` found; for plain rows write another `format`"
            raise RecordError(Reason.ENVELOPE_SHAPE, detail, field="op")
        return envelope

    def events(self, envelope: Envelope, record: Record) -> Sequence[ChangeEvent] | Filtered:
        """Read the one row of an envelope."""
        del record
        members = envelope.members
        op = open_value(members["op"])
        before = _row(members, "before")
        if op in UPSERT_OPS:
            after = _row(members, "after")
            if after is None:
                raise RecordError(Reason.ENVELOPE_SHAPE, f"an object wanted for op {op}, none found", field="after")
            return (
                ChangeEvent(
                    operation=Operation.UPSERT, row=after, old_row=before, source_ms=change_time_ms(members)
                ),
            )
        if op == "d":
            return (
                ChangeEvent(
                    operation=Operation.DELETE, row=before, keys_only=True, source_ms=change_time_ms(members)
                ),
            )
        if op == "m":
            return FILTERED[FilterRule.MESSAGE]
        if op == "t":
            detail = "the whole table was emptied; the rows stay until they are deleted by key"
            raise RecordError(Reason.ENVELOPE_TRUNCATE, detail, field="op")
        raise RecordError(Reason.ENVELOPE_OP, "one of c, u, r, d, t, m wanted, something else found", field="op")


def change_time_ms(members: Row) -> int | None:
    """Return when the source made the change: its own clock by the finest reading, else the envelope's."""
    source = open_member(members.get("source"))
    for place in (source or {}, members):
        for name, per_ms in _CLOCKS:
            opened = open_value(place.get(name))
            if isinstance(opened, Digits) and len(opened) <= _CLOCK_DIGITS and opened.lstrip("-").isdecimal():
                return int(opened) // per_ms
    return None


def _row(members: Row, name: str) -> Row | None:
    """Return a row of the envelope. Raises ENVELOPE_SHAPE when it is neither object nor null."""
    raw = members.get(name)
    row = open_member(raw)
    if row is None and open_value(raw) is not None:
        raise RecordError(Reason.ENVELOPE_SHAPE, "an object or null wanted, something else found", field=name)
    return row
