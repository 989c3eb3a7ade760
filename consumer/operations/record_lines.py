"""Records written down, one JSON object a line: the shape of `kcat -J`, or a bare key and value."""

from __future__ import annotations

import base64
import binascii
from typing import NoReturn

import msgspec

from consumer.model import Headers, PlainRecord


class UnreadableLine(Exception):  # noqa: N818 - the caller's fault, said to the caller
    """A line that describes no record."""


class _RecordLine(msgspec.Struct):
    """What may stand in a line; a member that is not there differs from null."""

    topic: str | None = None
    partition: int = 0
    offset: int = 0
    ts: int = 0
    headers: list[str | None] | None = None
    key: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    key_base64: str | None = None
    payload: str | msgspec.UnsetType | None = msgspec.UNSET
    payload_base64: str | None = None
    value: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_LINE = msgspec.json.Decoder(_RecordLine)
_TEXT = msgspec.json.Decoder(str | None)
_NULL = msgspec.Raw(b"null")


def record_of_line(line: bytes, topic: str | None) -> PlainRecord:
    """Read one line. `topic` fills a missing one.

    Raises: `UnreadableLine`.
    """
    try:
        read = _LINE.decode(line)
        bare = isinstance(read.value, msgspec.Raw)
        if not bare and read.payload is msgspec.UNSET and read.payload_base64 is None:
            _refuse("neither `payload` (as kcat -J writes it) nor `value` in the line")
        name = read.topic or topic
        if name is None:
            _refuse("no `topic` in the line; write it there, or --topic")
        return PlainRecord(
            name,
            read.partition,
            read.offset,
            key=_content(read.key, read.key_base64, bare=bare),
            value=_content(read.value, None, bare=True)
            if bare
            else _text(read.payload, read.payload_base64),
            headers=_headers(read.headers),
            timestamp_ms=max(read.ts, 0),
        )
    except (msgspec.DecodeError, UnicodeDecodeError, binascii.Error) as error:
        _refuse(f"not a record as one JSON object: {error}")


def _refuse(text: str) -> NoReturn:
    raise UnreadableLine(text) from None


def _content(
    member: msgspec.Raw | msgspec.UnsetType, in_base64: str | None, *, bare: bool
) -> bytes | None:
    """Return the bytes of a key or value.

    Of a bare line its JSON, digits and all, else the text in it.
    """
    if in_base64 is not None:
        return base64.b64decode(in_base64, validate=True)
    if not isinstance(member, msgspec.Raw) or member == _NULL:
        return None
    if bare:
        return bytes(member)
    text = _TEXT.decode(member)
    return None if text is None else text.encode()


def _text(payload: str | msgspec.UnsetType | None, in_base64: str | None) -> bytes | None:
    if in_base64 is not None:
        return base64.b64decode(in_base64, validate=True)
    return payload.encode() if isinstance(payload, str) else None


def _headers(flat: list[str | None] | None) -> Headers | None:
    """Pair up the flat array of names and values.

    Raises `UnreadableLine` for one without a value.
    """
    if not flat:
        return None
    if len(flat) % 2:
        _refuse("`headers` is a flat array of names and values, and one has no value")
    pairs = zip(flat[::2], flat[1::2], strict=True)
    return [(name or "", None if value is None else value.encode()) for name, value in pairs]
