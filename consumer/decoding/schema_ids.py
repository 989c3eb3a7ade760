"""Splits schema ids from the bytes around them, in the frames of schema registries.

Source: Confluent's wire format, and the serializers of the AWS Glue Schema Registry.
"""

from __future__ import annotations

from typing import Final, TypeAlias
from uuid import UUID

SchemaRef: TypeAlias = int | bytes
"""A schema's id in its registry, or its GUID."""

KEY_HEADER: Final = "__key_schema_id"
VALUE_HEADER: Final = "__value_schema_id"

ID, GUID, GLUE = 0, 1, 3
"""First bytes of frames."""

GLUE_PLAIN, GLUE_ZLIB = 0, 5
"""Second bytes of AWS Glue's frames: the compression of the body."""

_ID_END: Final = 5
_GUID_END: Final = 17
_GLUE_END: Final = 18


def shown(schema: SchemaRef) -> str:
    """Return the name of a schema for a message."""
    return f"schema {schema if isinstance(schema, int) else UUID(bytes=schema)}"


def split_id(content: bytes) -> tuple[SchemaRef, bytes] | None:
    """Split the id of Confluent's wire format from the bytes after it; `None` without an id.

    Ids begin at 1. A zero is the start of another frame, with an id of 8 bytes.
    """
    if content[:1] == b"\0" and len(content) >= _ID_END:
        number = int.from_bytes(content[1:_ID_END])
        return (number, content[_ID_END:]) if number else None
    if content[:1] == b"\1" and len(content) >= _GUID_END:
        return content[1:_GUID_END], content[_GUID_END:]
    return None


def split_glue(content: bytes) -> tuple[bytes, int, bytes] | None:
    """Split the schema version and the compression from the bytes after them.

    `None` when the bytes are not AWS Glue's frame.
    """
    if len(content) < _GLUE_END or content[0] != GLUE or content[1] not in (GLUE_PLAIN, GLUE_ZLIB):
        return None
    return content[2:_GLUE_END], content[1], content[_GLUE_END:]
