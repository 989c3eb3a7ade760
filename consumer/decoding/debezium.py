"""Format `debezium`: the full change-event envelope, bare or in Connect's wrapping."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.decoding.change_event import ChangeEvent, Envelope
from consumer.decoding.connect_schema import columns_of_envelope
from consumer.decoding.debezium_topics import own_record
from consumer.decoding.document import open_member, open_object
from consumer.decoding.filtered import FILTERED
from consumer.decoding.members import row_or_null, whole_number
from consumer.decoding.opened import open_value
from consumer.decoding.wrapping import EmbeddedSchemaCache, unwrap
from consumer.errors import Reason, RecordError
from consumer.model import Filtered, FilterRule, Operation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.decoding.opened import Opened, Row
    from consumer.model import Record

UPSERT_OPS = frozenset({"c", "u", "r"})
CLOCKS = (("ts_ns", 1_000_000), ("ts_us", 1_000), ("ts_ms", 1))
"""Members that tell a time, the finest first, each with its ticks per millisecond."""

TRUNCATED = "the whole table was emptied; the rows stay until they are deleted by key"


class DebeziumDecoder:
    """Decodes envelopes with `before`, `after`, `source` and `op`."""

    has_placeholders = True

    def __init__(self) -> None:
        self._schemas = EmbeddedSchemaCache(columns_of_envelope)

    def open(self, value: bytes, record: Record) -> Envelope | Filtered:
        """Open the envelope; Debezium's own records are filtered by their rule."""
        document = open_object(value)
        wrapped = None if "op" in document else unwrap(value, document, self._schemas)
        envelope = (
            Envelope(document)
            if wrapped is None
            else Envelope(wrapped[0], wrapped[1].columns, wrapped[1])
        )
        if "op" not in envelope.members:
            own = own_record(envelope.members, record.topic())
            if own is not None:
                return own
            detail = (
                "a Debezium envelope wanted, no `op` found; for plain rows write another `format`"
            )
            raise RecordError(Reason.ENVELOPE_SHAPE, detail, field="op")
        return envelope

    def events(self, envelope: Envelope, record: Record) -> Sequence[ChangeEvent] | Filtered:
        """Read the one row of an envelope."""
        del record
        members = envelope.members
        return events_of(open_value(members["op"]), members, change_time_ms(members), "op")


def events_of(
    op: Opened, members: Row, source_ms: int | None, place: str
) -> Sequence[ChangeEvent] | Filtered:
    """Read the row of an operation from `before` and `after`. `place` is where the operation stood.

    Raises: `RecordError`: ENVELOPE.
    """
    before = row_or_null(members, "before")
    operation = judge_op(op, place)
    if isinstance(operation, Filtered):
        return operation
    if operation is Operation.DELETE:
        return (ChangeEvent(operation=operation, row=before, keys_only=True, source_ms=source_ms),)
    after = row_or_null(members, "after")
    if after is None:
        raise RecordError(
            Reason.ENVELOPE_SHAPE, f"an object wanted for op {op}, none found", field="after"
        )
    return (ChangeEvent(operation=operation, row=after, old_row=before, source_ms=source_ms),)


def judge_op(op: Opened, place: str) -> Operation | Filtered:
    """Say what an operation is. Raises: ENVELOPE_TRUNCATE, ENVELOPE_OP."""
    if op in UPSERT_OPS:
        return Operation.UPSERT
    if op == "d":
        return Operation.DELETE
    if op == "m":
        return FILTERED[FilterRule.MESSAGE]
    if op == "t":
        raise RecordError(Reason.ENVELOPE_TRUNCATE, TRUNCATED, field=place)
    raise RecordError(
        Reason.ENVELOPE_OP, "one of c, u, r, d, t, m wanted, something else found", field=place
    )


def change_time_ms(members: Row) -> int | None:
    """Return when the source made the change.

    Its own clock by the finest reading, else the envelope's.
    """
    source = open_member(members.get("source"))
    for place in (source or {}, members):
        for name, per_ms in CLOCKS:
            ticks = whole_number(place.get(name))
            if ticks is not None:
                return ticks // per_ms
    return None
