"""The schema registry's wire format: splits keys and values into schema id and body.

Three forms exist, for keys and values alike: a zero byte and a schema id of 4 bytes before the
body; a one byte and a schema GUID of 16 bytes before the body; either of them in the header
`__key_schema_id` or `__value_schema_id`, with only the body in its place. For Protobuf the message
indexes follow the id, before the body or in the header.

Source: Confluent's wire format, and the output of its serializers for Java and Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from consumer.errors import Reason, RecordError

if TYPE_CHECKING:
    from consumer.model import Headers

SchemaRef: TypeAlias = int | bytes
"""A schema's id in its registry, or its GUID."""

KEY_HEADER: Final = "__key_schema_id"
VALUE_HEADER: Final = "__value_schema_id"
_APICURIO: Final = {
    name: frozenset(
        f"apicurio.{part}.{name_of_id}"
        for name_of_id in ("globalId", "contentId", "contentHash", "artifactId")
    )
    for name, part in ((KEY_HEADER, "key"), (VALUE_HEADER, "value"))
}
"""Headers in which Apicurio's serializers put the schema id. Their bodies often begin with a zero,
too (the first branch of a union), and the bytes after it must not be taken for an id."""

_ID, _GUID = 0, 1
_ID_END = 5
_GUID_END = 17
_EXPECTED = (
    "expected the schema registry's wire format (a zero byte and an id, or a one byte and a GUID)"
)
_SET_APICURIO = (
    "set apicurio.registry.headers.enabled=false and apicurio.registry.as-confluent=true at"
    " the producer"
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
    if _has_apicurios_own(headers, name):
        raise RecordError(
            Reason.DECODE_FRAMED,
            f"{_EXPECTED}, got an id in Apicurio's own headers; {_SET_APICURIO}",
        )
    if not content:
        raise RecordError(Reason.DECODE_EMPTY, f"{_EXPECTED}, got 0 bytes")
    found = split_id(content)
    if found is None:
        raise RecordError(Reason.DECODE_FRAMED, f"{_EXPECTED}, got {_got(content)}")
    return Frame(found[0], found[1], None)


def schema_of(content: bytes | None, headers: Headers, name: str) -> SchemaRef | None:
    """Return the schema of a key or value; `None` when it is not in the wire format."""
    if content is None:
        return None
    for seen, held in reversed(headers):
        if seen == name:
            found = split_id(held or b"")
            return None if found is None else found[0]
    found = None if _has_apicurios_own(headers, name) else split_id(content)
    return None if found is None else found[0]


def _has_apicurios_own(headers: Headers, name: str) -> bool:
    return any(seen in _APICURIO[name] for seen, _ in headers)


def shown(schema: SchemaRef) -> str:
    """Return the name of a schema for a message."""
    if isinstance(schema, int):
        return f"schema {schema}"
    digits = schema.hex()
    return f"schema {digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def split_id(content: bytes) -> tuple[SchemaRef, bytes] | None:
    """Split the id from the bytes after it; `None` without an id."""
    if content[:1] == b"\0" and len(content) >= _ID_END:
        return int.from_bytes(content[1:_ID_END]), content[_ID_END:]
    if content[:1] == b"\1" and len(content) >= _GUID_END:
        return content[1:_GUID_END], content[_GUID_END:]
    return None


def _got(content: bytes) -> str:
    """Describe bytes in another form, never the value."""
    if content[0] in (_ID, _GUID):
        return f"{len(content)} byte{'' if len(content) == 1 else 's'}, which is too short"
    if content.lstrip(b" \t\r\n")[:1] in (b"{", b"["):
        return (
            "bare JSON; set the route's `encoding: json`, or let the producer use the registry's"
            " serializer"
        )
    return "other bytes; let the producer use the registry's serializer"
