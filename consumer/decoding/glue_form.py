"""AWS Glue's frame: splits keys and values into schema version and body.

    3   compression: 0 none, 5 zlib   schema version id (16 bytes)   body

For Protobuf the body begins with the index of its message type. Glue's serializers put nothing into
headers.

Source: the serializers and deserializers of the AWS Glue Schema Registry.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from consumer.decoding.framings import foreign_header, got
from consumer.decoding.schema_ids import GLUE_ZLIB, SchemaRef, split_glue
from consumer.decoding.wire_form import Frame
from consumer.errors import Reason, RecordError

if TYPE_CHECKING:
    from consumer.model import Headers

MOST_UNPACKED: Final = 16 * 1024 * 1024
"""Largest body after decompression: a few bytes can claim any amount of memory."""

_EXPECTED: Final = (
    "expected AWS Glue's frame (a 3 byte, a compression byte and a schema version id)"
)


def frame_of(content: bytes, headers: Headers, name: str) -> Frame:
    """Split a key or value and decompress its body.

    Raises: DECODE_EMPTY, or DECODE_FRAMED for other bytes and for a body that does not decompress.
    """
    if not content:
        raise RecordError(Reason.DECODE_EMPTY, f"{_EXPECTED}, got 0 bytes")
    found = None if _is_foreign(headers, name) else split_glue(content)
    if found is None:
        what = got(content, headers, name, "glue")
        raise RecordError(Reason.DECODE_FRAMED, f"{_EXPECTED}, got {what}")
    schema, compression, body = found
    return Frame(schema, _unpacked(body) if compression == GLUE_ZLIB else body, None)


def schema_of(content: bytes | None, headers: Headers, name: str) -> SchemaRef | None:
    """Return the schema version of a key or value; `None` when it is not in the frame."""
    found = None if content is None or _is_foreign(headers, name) else split_glue(content)
    return None if found is None else found[0]


def _is_foreign(headers: Headers, name: str) -> bool:
    """Whether a header says that another registry's serializer wrote the bytes."""
    return foreign_header(headers, name) is not None or any(seen == name for seen, _ in headers)


def _unpacked(body: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        unpacked = unpacker.decompress(body, MOST_UNPACKED)
    except zlib.error:
        detail = "expected a body that zlib unpacks in AWS Glue's frame, got other bytes"
        raise RecordError(Reason.DECODE_FRAMED, detail) from None
    if len(unpacked) >= MOST_UNPACKED and not unpacker.eof:
        detail = f"expected at most {MOST_UNPACKED} bytes in AWS Glue's frame, got more"
        raise RecordError(Reason.DECODE_FRAMED, detail)
    if not unpacker.eof or unpacker.unused_data:
        detail = "expected one whole zlib stream in AWS Glue's frame, got a cut one or more bytes"
        raise RecordError(Reason.DECODE_FRAMED, detail)
    return unpacked
