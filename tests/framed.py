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
