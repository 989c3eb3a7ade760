"""Confluent's wire format: splits keys and values into schema id and body.

Three forms exist, for keys and values alike: a zero byte and a schema id of 4 bytes before the
body; a one byte and a schema GUID of 16 bytes before the body; either of them in the header
`__key_schema_id` or `__value_schema_id`, with only the body in its place. For Protobuf the message
indexes follow the id, before the body or in the header.

Source: Confluent's wire format, and the output of its serializers for Java and Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from consumer.decoding.framings import foreign_header, got
from consumer.decoding.schema_ids import SchemaRef, split_id
from consumer.errors import Reason, RecordError

if TYPE_CHECKING:
    from consumer.model import Headers

_EXPECTED: Final = (
    "expected the schema registry's wire format (a zero byte and an id, or a one byte and a GUID)"
)


class Frame(NamedTuple):
    """The schema and the body of a key or value.

    `after_id` are the bytes after the id in a header, `None` when the id was not in a header.
    """

    schema: SchemaRef
    body: bytes
    after_id: bytes | None


def frame_of(content: bytes, headers: Headers, name: str) -> Frame:
    """Split a key or value; `name` is the header that may hold the id.

    Raises: DECODE_EMPTY, or DECODE_FRAMED for bytes in none of the forms.
    """
    for seen, held in reversed(headers):
        if seen == name:
            found = split_id(held or b"")
            if found is None:
                detail = "expected a schema id in the header, got other bytes"
                raise RecordError(Reason.DECODE_FRAMED, detail, field=f"$header.{name}")
            return Frame(found[0], content, found[1])
    if not content:
        raise RecordError(Reason.DECODE_EMPTY, f"{_EXPECTED}, got 0 bytes")
    found = None if foreign_header(headers, name) is not None else split_id(content)
    if found is None:
        what = got(content, headers, name, "confluent")
        raise RecordError(Reason.DECODE_FRAMED, f"{_EXPECTED}, got {what}")
    return Frame(found[0], found[1], None)


def schema_of(content: bytes | None, headers: Headers, name: str) -> SchemaRef | None:
    """Return the schema of a key or value; `None` when it is not in the wire format."""
    if content is None:
        return None
    for seen, held in reversed(headers):
        if seen == name:
            found = split_id(held or b"")
            return None if found is None else found[0]
    found = None if foreign_header(headers, name) is not None else split_id(content)
    return None if found is None else found[0]
