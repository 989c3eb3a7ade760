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
_PAYLOAD = "payload"
_PAIR = frozenset({"schema", _PAYLOAD})
_NULL = b"null"
_OBJECTS = frozenset({b'"struct"', b'"map"'})
NO_NAMES: frozenset[str] = frozenset()


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

    The payload of a wrapped document is an object, beside a schema or the only member.
    """
    if _PAYLOAD not in document or ("schema" not in document and len(document) > 1):
        return None
    payload = open_member(document[_PAYLOAD])
    if payload is None:
        return None
    columns = schemas.columns(bytes(document.get("schema", _NULL)))
    return payload, Wrapping(_prefix(value, bytes(document[_PAYLOAD])), columns)


def is_wrapped(document: JsonObject, columns: frozenset[str] = NO_NAMES) -> bool:
    """Whether the document is the converter's pair, or only its payload, and not a row.

    Without a schema the document may also be a row with a column `payload`. It is a row if
    `columns`, the columns that the route reads, has that name.

    Source: Connect's JsonConverter writes a null schema for a value without one.
    """
    if _PAYLOAD not in document or not document.keys() <= _PAIR:
        return False
    if bytes(document.get("schema", _NULL)) != _NULL:
        return is_connect_struct(document)
    is_object_or_null = bytes(document[_PAYLOAD])[:1] in {b"{", b"n"}
    return is_object_or_null and _PAYLOAD not in columns


def is_connect_struct(document: JsonObject) -> bool:
    """Whether the document is the converter's pair with a schema of an object."""
    if document.keys() != _PAIR:
        return False
    schema = open_member(document["schema"])
    return (
        schema is not None
        and not schema.keys().isdisjoint({"fields", "values"})
        and bytes(schema.get("type", b"")) in _OBJECTS
    )


def is_connect_null(document: JsonObject, columns: frozenset[str] = NO_NAMES) -> bool:
    """Whether the document is the converter's pair, or only its payload, around a null."""
    return bytes(document.get(_PAYLOAD, b"")) == _NULL and is_wrapped(document, columns)


def wrapping_around(schema: ConnectField) -> tuple[bytes, bytes]:
    """Return the bytes before and after a payload that wrap it; empty without a struct schema."""
    if schema.fields is None:
        return b"", b""
    return b'{"schema":' + msgspec.json.encode(schema) + b',"payload":', b"}"


def _prefix(value: bytes, payload: bytes) -> bytes:
    """Return the bytes before the payload, if only one brace follows it."""
    return value[: -len(payload) - 1] if value.endswith(payload + b"}") else b""
