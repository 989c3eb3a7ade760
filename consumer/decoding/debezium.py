"""Format `debezium`: decodes the full change-event envelope, bare or in Connect's wrapping."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.decoding.change_event import ChangeEvent, Envelope
from consumer.decoding.connect_schema import columns_of_envelope
from consumer.decoding.debezium_topics import is_heartbeat, is_ticdc_watermark, own_record
from consumer.decoding.document import open_member, open_object
from consumer.decoding.filtered import FILTERED
from consumer.decoding.kafka_key import KafkaKey
from consumer.decoding.members import clock_ticks, found, row_or_null
from consumer.decoding.opened import open_value
from consumer.decoding.wrapping import EmbeddedSchemaCache, is_connect_null, unwrap
from consumer.errors import Reason, RecordError
from consumer.model import Filtered, FilterRule, Operation

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from consumer.decoding.opened import Opened, Row
    from consumer.decoding.placeholders import Placeholders
    from consumer.model import Record

UPSERT_OPS = frozenset({"c", "u", "r", "i"})
"""The values of `op` that insert or update a row; only the Cassandra connector writes `i`."""
CLOCKS = (("ts_ns", 1_000_000), ("ts_us", 1_000), ("ts_ms", 1))
"""Members that hold the time, the finest first, each with its ticks per millisecond."""

_OF_ROWS = frozenset({"c", "u", "r", "d"})
_MONGODB = (
    "expected a row as an object, got a change of Debezium's MongoDB connector, which writes"
    " documents as JSON text; "
)
OTHER_FORMAT = "set `format: debezium_mongodb`"

TRUNCATED = (
    "the source table was truncated; its rows stay in the target until you delete them by key"
)


class DebeziumDecoder:
    """Decodes envelopes with `before`, `after`, `source` and `op`."""

    key_type: type[KafkaKey] = KafkaKey

    def __init__(self, placeholders: Placeholders) -> None:
        self.placeholders: Placeholders | None = placeholders
        self._schemas = EmbeddedSchemaCache(columns_of_envelope)

    def open(self, value: bytes, record: Record) -> Envelope | Filtered | None:
        """Open the envelope; filter Debezium's own records, each by its rule."""
        return open_envelope(value, record, self._schemas)

    def events(self, envelope: Envelope, record: Record) -> Sequence[ChangeEvent] | Filtered:
        """Read the one row of an envelope."""
        del record
        members = envelope.members
        if is_ticdc_watermark(members):
            return FILTERED[FilterRule.WATERMARK]
        return events_of(open_value(members["op"]), members, change_time_ms(members), "op")


def open_envelope(
    value: bytes, record: Record, schemas: EmbeddedSchemaCache
) -> Envelope | Filtered | None:
    """Open an envelope with `op`; filter Debezium's own records, each by its rule.

    Raises: `RecordError`: DECODE or ENVELOPE_SHAPE.
    """
    document = open_object(value)
    if is_connect_null(document):
        return None
    # `op` at the top means a bare envelope; anything else may be in Connect's wrapping.
    wrapped = None if "op" in document else unwrap(value, document, schemas)
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


def events_of(
    op: Opened, members: Row, source_ms: int | None, place: str
) -> Sequence[ChangeEvent] | Filtered:
    """Read the row of an operation from `before` and `after`. `place` is the path of the operation.

    Raises: `RecordError`: ENVELOPE.
    """
    if op in _OF_ROWS and is_mongodb(members):
        refuse_mongodb("after", OTHER_FORMAT)
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


def is_mongodb(members: Row) -> bool:
    """Whether a change without a row as an object is one of Debezium's MongoDB connector."""
    images = [members.get(name) for name in ("before", "after")]
    if any(open_member(image) is not None for image in images):
        return False
    opened = [open_value(image) for image in images]
    if any(type(one) is str and one.startswith("{") for one in opened):
        return True
    source = open_member(members.get("source"))
    return "updateDescription" in members or (
        source is not None and open_value(source.get("connector")) == "mongodb"
    )


def refuse_mongodb(place: str, remedy: str) -> NoReturn:
    """Refuse a change of the MongoDB connector. Raises: ENVELOPE_SHAPE."""
    raise RecordError(Reason.ENVELOPE_SHAPE, f"{_MONGODB}{remedy}", field=place)


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
