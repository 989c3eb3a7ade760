"""Reads the columns from Kafka Connect's embedded schema (decimals, dates, times).

Source: the semantic types of Debezium (`io.debezium.time.*`, `io.debezium.data.*`) and of Kafka
Connect (`org.apache.kafka.connect.data.*`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.decoding.columns import (
    NO_COLUMNS,
    Column,
    Columns,
    JsonKind,
    LogicalType,
    SingleColumn,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class ConnectField(msgspec.Struct, omit_defaults=True):
    """One node of the schema. Members that are not needed here are not read."""

    type: str = ""
    field: str = ""
    name: str | None = None
    parameters: dict[str, str] | None = None
    fields: list[ConnectField] | None = None
    items: ConnectField | None = None
    values: ConnectField | None = None


_SCHEMA = msgspec.json.Decoder(ConnectField)

_CONNECT = "org.apache.kafka.connect.data."
_TIME = "io.debezium.time."
_MEANINGS = {
    _CONNECT + "Decimal": LogicalType.DECIMAL,
    _CONNECT + "Date": LogicalType.DAYS,
    _CONNECT + "Time": LogicalType.TIME_MS,
    _CONNECT + "Timestamp": LogicalType.MOMENT_MS,
    "io.debezium.data.VariableScaleDecimal": LogicalType.VARIABLE_DECIMAL,
    _TIME + "Date": LogicalType.DAYS,
    _TIME + "Time": LogicalType.TIME_MS,
    _TIME + "MicroTime": LogicalType.TIME_US,
    _TIME + "NanoTime": LogicalType.TIME_NS,
    _TIME + "Timestamp": LogicalType.MOMENT_MS,
    _TIME + "MicroTimestamp": LogicalType.MOMENT_US,
    _TIME + "NanoTimestamp": LogicalType.MOMENT_NS,
    _TIME + "ZonedTimestamp": LogicalType.ZONED_TIMESTAMP,
    _TIME + "IsoTimestamp": LogicalType.ZONED_TIMESTAMP,
    _TIME + "IsoDate": LogicalType.ISO_DATE,
    _TIME + "IsoTime": LogicalType.ISO_TIME,
}
_WRITTEN: dict[str, JsonKind] = {
    "string": "text",
    "bytes": "text",
    "int8": "integer",
    "int16": "integer",
    "int32": "integer",
    "int64": "integer",
    "float": "float",
    "double": "float",
    "boolean": "boolean",
}


def read_connect_schema(schema: bytes) -> ConnectField | None:
    """Read an embedded schema; `None`, and so no typed columns, when it cannot be read."""
    try:
        return _SCHEMA.decode(schema)
    except (msgspec.DecodeError, RecursionError):
        return None


def columns_of_row(schema: ConnectField | None) -> Columns:
    """Return the columns of a schema whose payload is a row."""
    return _columns(schema.fields or ()) if schema is not None else NO_COLUMNS


def columns_of_key(schema: ConnectField | None) -> Columns:
    """Return the columns of a schema whose payload is a Kafka key: a row, or one typed value."""
    if schema is not None and meaning_of(schema) is not LogicalType.PLAIN:
        return SingleColumn(_column(schema))
    return columns_of_row(schema)


def columns_of_envelope(schema: ConnectField | None) -> Columns:
    """Return the columns of the row inside a change-event schema."""
    return columns_of_row(member_of(schema, "after") or member_of(schema, "before"))


def columns_of_member(name: str) -> Callable[[ConnectField | None], Columns]:
    """Return the function that reads the columns of a row under one member of a document."""
    return lambda schema: columns_of_row(member_of(schema, name))


def member_of(schema: ConnectField | None, name: str) -> ConnectField | None:
    """Return the schema of a member of a document; `None` when the schema has no such member."""
    members = {
        member.field: member for member in (schema.fields if schema is not None else None) or ()
    }
    return members.get(name)


def meaning_of(field: ConnectField) -> LogicalType:
    """Return how to read the values of a column."""
    return _MEANINGS.get(field.name or "", LogicalType.PLAIN)


def _columns(fields: Sequence[ConnectField]) -> Columns:
    return {field.field: _column(field) for field in fields}


def _column(field: ConnectField) -> Column:
    meaning = meaning_of(field)
    written = _WRITTEN.get(field.type, "other")
    if meaning is LogicalType.DECIMAL:
        try:
            scale = int((field.parameters or {}).get("scale", ""))
        except ValueError:
            # Without a scale in the schema the column stays plain: a field rule must give `scale`.
            return Column(written=written)
        return Column(meaning, written, scale)
    each = field.items or field.values
    return Column(
        meaning,
        written,
        fields=_columns(field.fields or ()),
        items=None if each is None else _column(each),
    )
