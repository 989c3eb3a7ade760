"""Format `cloudevents`: decodes CloudEvents in structured and in binary mode."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

import msgspec

from consumer.decoding.change_event import ChangeEvent, Envelope
from consumer.decoding.columns import NO_COLUMNS, Columns
from consumer.decoding.connect_schema import columns_of_envelope, columns_of_row, member_of
from consumer.decoding.debezium import CLOCKS, OTHER_FORMAT, events_of, refuse_mongodb
from consumer.decoding.document import open_member, open_object
from consumer.decoding.kafka_key import KafkaKey
from consumer.decoding.members import clock_ms, clock_ticks, found, row_of
from consumer.decoding.opened import open_value
from consumer.decoding.wrapping import (
    NO_NAMES,
    EmbeddedSchemaCache,
    is_connect_null,
    is_wrapped,
    unwrap,
)
from consumer.errors import Reason, RecordError
from consumer.headers import headers_of
from consumer.model import Operation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.decoding.connect_schema import ConnectField
    from consumer.decoding.document import JsonObject
    from consumer.decoding.opened import Row
    from consumer.decoding.placeholders import Placeholders
    from consumer.model import Filtered, Record

_HEADER_PREFIX = "ce_"
_STRUCTURED = b"application/cloudevents"
_ROW = "data"
_ROW_BYTES = "data_base64"
_OP = "iodebeziumop"
_CONNECTOR = "iodebeziumconnector"
_OTHER_CONVERTER = f"let the connector use Connect's JsonConverter, and {OTHER_FORMAT}"
_CLOCKS = tuple((f"iodebezium{name.replace('_', '')}", per_ms) for name, per_ms in CLOCKS)


class CloudEventsDecoder:
    """Decodes events in JSON: Debezium's are change events, the data of all others is a row."""

    key_type: type[KafkaKey] = KafkaKey

    def __init__(self, columns: frozenset[str], placeholders: Placeholders) -> None:
        """`columns` are the columns that the route reads from a row."""
        self.placeholders: Placeholders | None = placeholders
        self._columns = columns
        self._outer_schemas = EmbeddedSchemaCache(_columns_of_event)
        self._row_schemas = EmbeddedSchemaCache(columns_of_row)
        self._change_schemas = EmbeddedSchemaCache(columns_of_envelope)

    def open(self, value: bytes, record: Record) -> Envelope | None:
        """Open the event: its attributes and, under `data`, the row; the same for both modes."""
        document = open_object(value)
        attributes = _binary_attributes(record)
        # Binary mode: the value itself is the row.
        if attributes is not None:
            content = value.strip()
            return self._envelope(attributes | {_ROW: msgspec.Raw(content)}, document, content)
        # Structured mode: the event may be in Connect's wrapping as a whole.
        if is_connect_null(document):
            return None
        columns = NO_COLUMNS
        if (
            is_wrapped(document)
            and (outer := unwrap(value, document, self._outer_schemas)) is not None
        ):
            document, columns = outer[0], outer[1].columns
        if "specversion" not in document:
            detail = (
                "expected a CloudEvent, got neither `specversion` in the value nor a"
                " `ce_specversion` header; for plain rows set `format: json`"
            )
            raise RecordError(Reason.ENVELOPE_SHAPE, detail, field="specversion")
        # The JSON in `data_base64` is checked like a value, and its faults name that member.
        if _ROW_BYTES in document:
            content = _decoded(document)
            row = _opened_bytes(content)
            content = content.strip()
            return self._envelope(document | {_ROW: msgspec.Raw(content)}, row, content)
        return self._envelope(document, row_of(document, _ROW), bytes(document[_ROW]), columns)

    def _envelope(
        self, members: Row, row: JsonObject, content: bytes, columns: Columns = NO_COLUMNS
    ) -> Envelope:
        """Return the envelope; a row in Connect's wrapping is taken out of it.

        `columns` come from a wrapping around the whole event.
        """
        is_change = _OP in members
        schemas = self._change_schemas if is_change else self._row_schemas
        read = NO_NAMES if is_change else self._columns
        wrapped = unwrap(content, row, schemas) if is_wrapped(row, read) else None
        if wrapped is None:
            return Envelope(members, columns)
        return Envelope({**members, _ROW: row["payload"]}, wrapped[1].columns)

    def events(self, envelope: Envelope, record: Record) -> Sequence[ChangeEvent] | Filtered:
        """Read the one row, or Debezium's change."""
        del record
        members = envelope.members
        row = open_member(members[_ROW]) or {}
        if _OP in members:
            if open_value(members.get(_CONNECTOR)) == "mongodb":
                refuse_mongodb(_CONNECTOR, _OTHER_CONVERTER)
            return events_of(open_value(members[_OP]), row, _debezium_time_ms(members), _OP)
        return (
            ChangeEvent(
                operation=Operation.UPSERT, row=row, source_ms=clock_ms(members.get("time"))
            ),
        )


def _columns_of_event(schema: ConnectField | None) -> Columns:
    """Return the columns of the row under `data`, or of the row inside Debezium's envelope."""
    inner = member_of(schema, _ROW)
    return columns_of_envelope(inner) or columns_of_row(inner)


def _binary_attributes(record: Record) -> dict[str, object] | None:
    """Return the attributes of an event in binary mode, all text; `None` in structured mode.

    Raises: DECODE_ENCODING.
    """
    headers = headers_of(record)
    names = {name.lower(): content or b"" for name, content in headers}
    if f"{_HEADER_PREFIX}specversion" not in names or names.get("content-type", b"").startswith(
        _STRUCTURED
    ):
        return None
    attributes: dict[str, object] = {}
    for name, content in names.items():
        if name.startswith(_HEADER_PREFIX):
            try:
                attributes[name.removeprefix(_HEADER_PREFIX)] = content.decode()
            except UnicodeDecodeError as error:
                detail = (
                    f"expected UTF-8 in the header, got an invalid byte at position {error.start}"
                )
                raise RecordError(Reason.DECODE_ENCODING, detail, field=f"$header.{name}") from None
    return attributes


def _decoded(document: JsonObject) -> bytes:
    """Return the bytes in `data_base64`. Raises: ENVELOPE_SHAPE."""
    text = open_value(document[_ROW_BYTES])
    if type(text) is str:
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            pass
    got = "other text" if type(text) is str else found(document, _ROW_BYTES)
    raise RecordError(Reason.ENVELOPE_SHAPE, f"expected base64 text, got {got}", field=_ROW_BYTES)


def _opened_bytes(content: bytes) -> JsonObject:
    """Open the JSON object in the decoded bytes. Raises: the DECODE reason, with the field."""
    try:
        return open_object(content)
    except RecordError as error:
        raise RecordError(error.reason, error.detail, field=_ROW_BYTES) from None


def _debezium_time_ms(members: Row) -> int | None:
    """Return the time of the change at the source, else the event's time."""
    for name, per_ms in _CLOCKS:
        ticks = clock_ticks(members.get(name))
        if ticks is not None:
            return ticks // per_ms
    return clock_ms(members.get("time"))
