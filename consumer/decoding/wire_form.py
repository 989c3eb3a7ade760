"""The schema registry's wire form: which schema bytes were written by, and where their body begins.

Three forms, of keys and values alike: a zero and the schema's id of 4 bytes before the body; a one
and its GUID of 16 bytes before the body; either of them in the header `__key_schema_id` or
`__value_schema_id`, and nothing before the body. Of Protobuf the place of the message in its file
follows the id, wherever that stands.

Source: Confluent's wire format, and what its serialisers for Java and Python write.
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
        f"apicurio.{part}.{told}" for told in ("globalId", "contentId", "contentHash", "artifactId")
    )
    for name, part in ((KEY_HEADER, "key"), (VALUE_HEADER, "value"))
}
"""Headers in which Apicurio's serialisers put what they call a schema by: a body behind them often
begins with a zero too (a union's first branch), and what follows would be taken for an id."""

_ID, _GUID = 0, 1
_ID_END = 5
_GUID_END = 17
_WANTED = "the schema registry's wire form wanted (a zero and an id, or a one and a GUID)"
_TELL_APICURIO = (
    "set apicurio.registry.headers.enabled=false and apicurio.registry.as-confluent=true at"
    " its producer"
)


class Frame(NamedTuple):
    """What was written by which schema.

    `after_id` is what followed the id in a header, `None` where the id was not in one.
    """

    schema: SchemaRef
    body: bytes
    after_id: bytes | None


def frame_of(content: bytes, headers: Headers, name: str) -> Frame:
    """Take a key or value out of its frame; `name` is that of the header which may hold the id.

    Raises: DECODE_EMPTY, or DECODE_FRAMED for bytes that are in none of the forms.
    """
    for seen, held in reversed(headers):
        if seen == name:
            found = split_id(held or b"")
            if found is None:
                detail = "a schema id wanted, something else found"
                raise RecordError(Reason.DECODE_FRAMED, detail, field=f"$header.{name}")
            return Frame(found[0], content, found[1])
    if _has_apicurios_own(headers, name):
        raise RecordError(
            Reason.DECODE_FRAMED,
            f"{_WANTED}, an id in Apicurio's own headers found; {_TELL_APICURIO}",
        )
    if not content:
        raise RecordError(Reason.DECODE_EMPTY, f"{_WANTED}, 0 bytes found")
    found = split_id(content)
    if found is None:
        raise RecordError(Reason.DECODE_FRAMED, f"{_WANTED}, {_seen(content)}")
    return Frame(found[0], found[1], None)


def schema_of(content: bytes | None, headers: Headers, name: str) -> SchemaRef | None:
    """Return the schema that bytes were written by; `None` where they do not say."""
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
    """Name a schema for a message."""
    if isinstance(schema, int):
        return f"schema {schema}"
    digits = schema.hex()
    return f"schema {digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def split_id(content: bytes) -> tuple[SchemaRef, bytes] | None:
    """Part the id from what follows it; `None` where there is none."""
    if content[:1] == b"\0" and len(content) >= _ID_END:
        return int.from_bytes(content[1:_ID_END]), content[_ID_END:]
    if content[:1] == b"\1" and len(content) >= _GUID_END:
        return content[1:_GUID_END], content[_GUID_END:]
    return None


def _seen(content: bytes) -> str:
    """Say what stands there instead, never the value."""
    if content[0] in (_ID, _GUID):
        return f"{len(content)} bytes found, which is too short"
    if content.lstrip(b" \t\r\n")[:1] in (b"{", b"["):
        return (
            "bare JSON found; write `encoding: json`, or let the producer use its registry's"
            " serialiser"
        )
    return "other bytes found"
