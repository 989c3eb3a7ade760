"""Names the framings of keys and values, and says what to do about one that is not read here.

A serializer that writes no plain JSON puts something in front of the body or into a header: the id
of a schema, the magic bytes of a compression. A message about such bytes names the framing, and
never shows a value.

Source: Confluent's wire format; the serializers of AWS Glue, of Apicurio (versions 2 and 3) and of
Azure's schema registry; the Avro specification; TiCDC's open protocol.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

from consumer.decoding.schema_ids import (
    GLUE,
    GUID,
    ID,
    KEY_HEADER,
    VALUE_HEADER,
    split_glue,
    split_id,
)
from consumer.errors import Reason, RecordError

if TYPE_CHECKING:
    from consumer.model import Headers

Reads: TypeAlias = Literal["json", "confluent", "glue"]
"""What the route reads: no frame, or the frame of the configured registry."""


class Framing(msgspec.Struct, frozen=True):
    """A framing by its name.

    `registry` is the type of registry by which it can be read. Otherwise `advice` says what to do;
    `later` is the type of registry by which records can be read that are written after that.
    """

    name: str
    registry: Literal["confluent", "glue"] | None = None
    advice: str = ""
    later: Literal["confluent"] | None = None

    def advice_for(self, reads: Reads) -> str:
        """Return what to do where something else is read."""
        if self.registry is not None:
            key = _KEYS[self.registry]
            return f"set the route's `encoding` and {key}" if reads == "json" else f"set {key}"
        if self.later is not None and reads == "json":
            return f"{self.advice}, and here the route's `encoding` and {_KEYS[self.later]}"
        return self.advice or (_WRITE_JSON if reads == "json" else _USE_SERIALIZER)


_NOT_JSON: Final = frozenset(
    {
        Reason.DECODE_SYNTAX,
        Reason.DECODE_ENCODING,
        Reason.DECODE_NOT_OBJECT,
        Reason.DECODE_FRAMED,
    }
)
_KEYS: Final = {
    "confluent": "kafka.schema_registry.url",
    "glue": "kafka.schema_registry: {type: glue, region: REGION}",
}
_APICURIO_PRODUCER: Final = (
    "set apicurio.registry.headers.enabled=false and apicurio.registry.as-confluent=true at"
    " the producer"
)
_APICURIO_HEADERS: Final = {
    name: frozenset(
        f"apicurio.{part}.{name_of_id}"
        for name_of_id in ("globalId", "contentId", "contentHash", "artifactId")
    )
    for name, part in ((KEY_HEADER, "key"), (VALUE_HEADER, "value"))
}
_CONTENT_TYPE: Final = "content-type"
FOREIGN: Final = {
    KEY_HEADER: _APICURIO_HEADERS[KEY_HEADER],
    VALUE_HEADER: _APICURIO_HEADERS[VALUE_HEADER] | {_CONTENT_TYPE},
}
"""Headers that may hold the schema id of another registry's serializer. Their bodies often begin
with a zero, too (the first branch of a union), and the bytes after it must not be taken for an
id."""

_AZURE_TYPE: Final = re.compile(rb"[a-z]+/[a-z.-]+\+[0-9a-f]{32}", re.IGNORECASE)
_AZURE_PREAMBLE: Final = re.compile(rb"\0\0\0\0[0-9a-f]{32}")
_GUID_BYTES: Final = 16
_LENGTH_BYTES: Final = 8
_LONG_ID: Final = re.compile(rb"\0\0\0\0\0(?!\0\0\0\0).{4}", re.DOTALL)

_APICURIO: Final = Framing(
    "an id in Apicurio's own headers", advice=_APICURIO_PRODUCER, later="confluent"
)
_APICURIO_LONG: Final = Framing(
    "Apicurio's frame with an id of 8 bytes",
    advice=(
        "set apicurio.registry.as-confluent=true at the producer (in version 3:"
        " apicurio.registry.id-handler=io.apicurio.registry.serde.Default4ByteIdHandler)"
    ),
    later="confluent",
)
_AZURE: Final = Framing(
    "the framing of Azure's schema registry",
    advice=(
        "its API is not Confluent's and is not read: let the producer write JSON, or use a"
        " registry with Confluent's API"
    ),
)
_CONFLUENT: Final = Framing("the Confluent wire format", registry="confluent")
_CONFLUENT_GUID: Final = Framing(
    "the Confluent wire format with a schema GUID", registry="confluent"
)
_GLUE: Final = Framing("AWS Glue's frame", registry="glue")
_TICDC_OPEN: Final = Framing(
    "lengths before each event, as TiCDC's open protocol has them",
    advice=("set protocol=canal-json or protocol=debezium in the sink URI of the changefeed"),
)
_IN_HEADER: Final = Framing(
    "the Confluent wire format with its schema id in a header", registry="confluent"
)
_WRITE_JSON: Final = "let the producer write JSON"
_USE_SERIALIZER: Final = "let the producer use the registry's serializer"
_MAGIC: Final = (
    *(
        (magic, Framing(f"{name}, which is not unpacked"))
        for magic, name in (
            (b"\x1f\x8b", "gzip"),
            (b"\x28\xb5\x2f\xfd", "zstd"),
            (b"\x04\x22\x4d\x18", "lz4"),
            (b"\x82SNAPPY\x00", "snappy"),
            (b"BZh", "bzip2"),
            (b"\xfd7zXZ\x00", "xz"),
            (b"PK\x03\x04", "zip"),
            (b"PAR1", "Parquet"),
            (b"Obj\x01", "an Avro object container"),
            (b"\xac\xed\x00\x05", "Java serialisation"),
        )
    ),
    (
        b"\xc3\x01",
        Framing(
            "Avro's single-object encoding",
            advice=(
                "it has no schema id but a fingerprint: let the producer use the serializer of a"
                " schema registry"
            ),
        ),
    ),
)


def framing_of(content: bytes, headers: Headers, name: str) -> Framing | None:
    """Return the framing of a key or value; `name` is the header that may hold its schema id."""
    return framing_by_header(headers, name) or framing_by_bytes(content)


def framing_by_header(headers: Headers, name: str) -> Framing | None:
    """Return the framing that the headers show."""
    if any(seen == name for seen, _ in headers):
        return _IN_HEADER
    return foreign_header(headers, name)


def foreign_header(headers: Headers, name: str) -> Framing | None:
    """Return the framing of another registry than Confluent's that the headers show."""
    foreign = FOREIGN[name]
    for seen, held in headers:
        if seen in foreign:
            if seen != _CONTENT_TYPE:
                return _APICURIO
            if held is not None and _AZURE_TYPE.fullmatch(held) is not None:
                return _AZURE
    return None


def framing_by_bytes(content: bytes) -> Framing | None:
    """Return the framing that the first bytes show."""
    first = content[0] if content else None
    if first in (ID, GUID):
        return _framing_of_id(content)
    if first == GLUE and split_glue(content) is not None:
        return _GLUE
    return next((framing for magic, framing in _MAGIC if content.startswith(magic)), None)


def _framing_of_id(content: bytes) -> Framing | None:
    """Return the framing of bytes that begin with 0 or 1."""
    if is_of_open_protocol(content):
        return _TICDC_OPEN
    if _AZURE_PREAMBLE.match(content) is not None:
        return _AZURE
    if _LONG_ID.match(content) is not None:
        return _APICURIO_LONG
    _, body = split_id(content) or (None, b"")
    if content[0] == GUID:
        return _CONFLUENT_GUID if len(content) > _GUID_BYTES else None
    is_utf_16 = content[1:3] == b"{\0"
    return _CONFLUENT if body and not is_utf_16 else None


def is_of_open_protocol(value: bytes) -> bool:
    """Return whether bytes are events of TiCDC's open protocol: 8 bytes of length before each.

    An event is a JSON object, or 0 bytes for a resolved timestamp.
    """
    at = 0
    while at + _LENGTH_BYTES <= len(value):
        start = at + _LENGTH_BYTES
        at = start + int.from_bytes(value[at:start])
        if start < at and value[start : start + 1] != b"{":
            return False
    return bool(value) and at == len(value)


def not_json(framing: Framing) -> str:
    """Return the detail for a framed value where JSON is read."""
    return f"expected JSON, got {framing.name}; {framing.advice_for('json')}"


def named_by_header(error: RecordError, headers: Headers, name: str) -> RecordError:
    """Return the fault of content that is not JSON, with the framing that the headers show.

    The bytes show most framings, and were judged before. Only headers show the others.
    """
    framing = framing_by_header(headers, name) if error.reason in _NOT_JSON else None
    return error if framing is None else RecordError(Reason.DECODE_FRAMED, not_json(framing))


def got(content: bytes, headers: Headers, name: str, reads: Reads) -> str:
    """Describe bytes that are not in the frame that is read, and say what to do about them."""
    framing = framing_of(content, headers, name)
    if framing is not None and framing.registry != reads:
        return f"{framing.name}; {framing.advice_for(reads)}"
    if content[0] in ((GLUE,) if reads == "glue" else (ID, GUID)):
        return f"{len(content)} byte{'' if len(content) == 1 else 's'}, which is too short"
    if content.lstrip(b" \t\r\n")[:1] in (b"{", b"["):
        return (
            "bare JSON; set the route's `encoding: json`, or let the producer use the registry's"
            " serializer"
        )
    return f"other bytes; {_USE_SERIALIZER}"
