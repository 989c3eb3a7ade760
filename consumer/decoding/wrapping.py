"""Unwraps the `{"schema": ..., "payload": ...}` pair of Connect's JSON converter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.decoding.columns import Columns
from consumer.decoding.connect_schema import read_connect_schema
from consumer.decoding.document import open_member

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.decoding.connect_schema import ConnectField
    from consumer.decoding.document import JsonObject

_KNOWN_SCHEMAS = 32
_STRUCT = b'"struct"'


class Wrapping(msgspec.Struct, frozen=True):
    """The pair around a payload.

    `prefix` are all bytes before the payload. A later value that starts with the same bytes and
    ends with one brace has the same wrapping. It is empty when the payload was not the last member.
    """

    prefix: bytes
    columns: Columns


class EmbeddedSchemaCache:
    """Columns of embedded schemas, by the bytes of the schema; cleared when it is full."""

    def __init__(self, read_columns: Callable[[ConnectField | None], Columns]) -> None:
        self._read_columns = read_columns
        self._columns: dict[bytes, Columns] = {}

    def columns(self, schema: bytes) -> Columns:
        """Return the columns of a schema, which is read once."""
        found = self._columns.get(schema)
        if found is None:
            if len(self._columns) >= _KNOWN_SCHEMAS:
                self._columns.clear()
            found = self._columns[schema] = self._read_columns(read_connect_schema(schema))
        return found


def unwrap(
    value: bytes, document: JsonObject, schemas: EmbeddedSchemaCache
) -> tuple[JsonObject, Wrapping] | None:
    """Return the payload and its wrapping; `None` when the document is not wrapped.

    A wrapped document has both members, and its payload is an object.
    """
    if "schema" not in document or "payload" not in document:
        return None
    payload = open_member(document["payload"])
    if payload is None:
        return None
    columns = schemas.columns(bytes(document["schema"]))
    return payload, Wrapping(_prefix(value, bytes(document["payload"])), columns)


def is_connect_struct(document: JsonObject) -> bool:
    """Whether the document is the converter's pair, and not a row with columns of these names."""
    if list(document) != ["schema", "payload"]:
        return False
    schema = open_member(document["schema"])
    return schema is not None and "fields" in schema and bytes(schema.get("type", b"")) == _STRUCT


def is_connect_null(document: JsonObject) -> bool:
    """Whether the document is the converter's pair around a null."""
    return bytes(document.get("payload", b"")) == b"null" and is_connect_struct(document)


def wrapping_around(schema: ConnectField) -> tuple[bytes, bytes]:
    """Return the bytes before and after a payload that wrap it; empty without a struct schema."""
    if schema.fields is None:
        return b"", b""
    return b'{"schema":' + msgspec.json.encode(schema) + b',"payload":', b"}"


def _prefix(value: bytes, payload: bytes) -> bytes:
    """Return the bytes before the payload, if only one brace follows it."""
    return value[: -len(payload) - 1] if value.endswith(payload + b"}") else b""
