"""Format `debezium`: decodes the full change-event envelope, bare or in Connect's wrapping."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.decoding.change_event import ChangeEvent, Envelope
from consumer.decoding.connect_schema import columns_of_envelope
from consumer.decoding.debezium_topics import is_heartbeat, is_ticdc_watermark, own_record
from consumer.decoding.document import open_member, open_object
from consumer.decoding.filtered import FILTERED
from consumer.decoding.members import clock_ticks, found, row_or_null
from consumer.decoding.opened import open_value
from consumer.decoding.wrapping import EmbeddedSchemaCache, is_connect_null, unwrap
from consumer.errors import Reason, RecordError
from consumer.model import Filtered, FilterRule, Operation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.decoding.opened import Opened, Row
    from consumer.decoding.placeholders import Placeholders
    from consumer.model import Record

UPSERT_OPS = frozenset({"c", "u", "r", "i"})
"""The values of `op` that insert or update a row; only the Cassandra connector writes `i`."""
CLOCKS = (("ts_ns", 1_000_000), ("ts_us", 1_000), ("ts_ms", 1))
"""Members that hold the time, the finest first, each with its ticks per millisecond."""

TRUNCATED = (
    "the source table was truncated; its rows stay in the target until you delete them by key"
)


class DebeziumDecoder:
    """Decodes envelopes with `before`, `after`, `source` and `op`."""

    def __init__(self, placeholders: Placeholders) -> None:
        self.placeholders: Placeholders | None = placeholders
        self._schemas = EmbeddedSchemaCache(columns_of_envelope)

    def open(self, value: bytes, record: Record) -> Envelope | Filtered | None:
        """Open the envelope; filter Debezium's own records, each by its rule."""
        document = open_object(value)
        if is_connect_null(document):
            return None
        # `op` at the top means a bare envelope; anything else may be in Connect's wrapping.
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
            if is_heartbeat(envelope.members):
                return FILTERED[FilterRule.HEARTBEAT]
            detail = (
                "expected a Debezium envelope, got an object without `op`; for plain rows set"
                " `format: json` or `format: debezium_flat`"
            )
            raise RecordError(Reason.ENVELOPE_SHAPE, detail, field="op")
        return envelope

    def events(self, envelope: Envelope, record: Record) -> Sequence[ChangeEvent] | Filtered:
        """Read the one row of an envelope."""
        del record
        members = envelope.members
        if is_ticdc_watermark(members):
            return FILTERED[FilterRule.WATERMARK]
        return events_of(open_value(members["op"]), members, change_time_ms(members), "op")


def events_of(
    op: Opened, members: Row, source_ms: int | None, place: str
) -> Sequence[ChangeEvent] | Filtered:
    """Read the row of an operation from `before` and `after`. `place` is the path of the operation.

    Raises: `RecordError`: ENVELOPE.
    """
    before = row_or_null(members, "before")
    operation = operation_of(op, place)
    if isinstance(operation, Filtered):
        return operation
    if operation is Operation.DELETE:
        # Under the default replica identity PostgreSQL sends only the key of a deleted row, and
        # Debezium fills the other columns with invented values. The Cassandra connector has no
        # `before`: it writes the key of a deleted row into `after`.
        row = before or row_or_null(members, "after")
        return (ChangeEvent(operation=operation, row=row, keys_only=True, source_ms=source_ms),)
    after = row_or_null(members, "after")
    if after is None:
        detail = f"expected an object for op {op}, got {found(members, 'after')}"
        raise RecordError(Reason.ENVELOPE_SHAPE, detail, field="after")
    # The row before an update has invented values too, where the replica identity is an index.
    return (
        ChangeEvent(
            operation=operation, row=after, old_row=before, keys_only=True, source_ms=source_ms
        ),
    )


def operation_of(op: Opened, place: str) -> Operation | Filtered:
    """Return the operation that `op` means. Raises: ENVELOPE_TRUNCATE, ENVELOPE_OP."""
    if op in UPSERT_OPS:
        return Operation.UPSERT
    if op == "d":
        return Operation.DELETE
    if op == "m":
        return FILTERED[FilterRule.MESSAGE]
    if op == "t":
        raise RecordError(Reason.ENVELOPE_TRUNCATE, TRUNCATED, field=place)
    raise RecordError(
        Reason.ENVELOPE_OP, "expected one of c, i, u, r, d, t, m, got another value", field=place
    )


def change_time_ms(members: Row) -> int | None:
    """Return the time of the change at the source, else the time of the envelope.

    In snapshots some connectors write 0 into `source`.
    """
    source = open_member(members.get("source"))
    for place in (source or {}, members):
        for name, per_ms in CLOCKS:
            ticks = clock_ticks(place.get(name))
            if ticks is not None:
                return ticks // per_ms
    return None
