"""Records as producers with a schema registry write them."""

from __future__ import annotations

import io
import json
from typing import Any

import fastavro


def framed(schema: int, body: bytes) -> bytes:
    """Return a body in Confluent's first wire format: a zero byte and the schema's id."""
    return b"\0" + schema.to_bytes(4) + body


def avro_body(schema: Any, value: Any) -> bytes:  # noqa: ANN401 - a schema and a value of it
    """Encode a value with a schema that is given as JSON or as text."""
    stream = io.BytesIO()
    parsed = fastavro.parse_schema(json.loads(schema) if isinstance(schema, str) else schema)
    fastavro.schemaless_writer(stream, parsed, value)
    return stream.getvalue()


def varint(number: int) -> bytes:
    """Return a number as Protocol Buffers writes it; Avro writes `2 * n` for a positive `n`."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])
