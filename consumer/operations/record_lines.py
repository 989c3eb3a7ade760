"""Reads records from lines of JSON: the output of `kcat -J`, or a bare key and value."""

from __future__ import annotations

import base64
import binascii
from typing import NoReturn

import msgspec

from consumer.model import Headers, PlainRecord


class UnreadableLine(Exception):  # noqa: N818 - a fault of the input, shown to the user
    """A line that is not a record."""


class _RecordLine(msgspec.Struct):
    """The members of a line. `UNSET` means that a member is absent, which is not null."""

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
    """Read one line. `topic` is used if the line has none.

    Raises: `UnreadableLine`.
    """
    try:
        read = _LINE.decode(line)
        bare = isinstance(read.value, msgspec.Raw)
        if not bare and read.payload is msgspec.UNSET and read.payload_base64 is None:
            _refuse("expected `payload` (as in kcat -J) or `value`, got neither")
        name = read.topic or topic
        if name is None:
            _refuse("expected `topic`, got none; add it to the line, or use --topic")
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
        _refuse(f"expected a record as one JSON object, got: {error}")


def _refuse(text: str) -> NoReturn:
    raise UnreadableLine(text) from None


def _content(
    member: msgspec.Raw | msgspec.UnsetType, in_base64: str | None, *, bare: bool
) -> bytes | None:
    """Return the bytes of a key or value.

    In a bare line they are the JSON text as it is written, so that numbers keep their digits.
    Otherwise they are the text in the JSON string.
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
    """Return the headers from a flat array of names and values.

    Raises: `UnreadableLine` if the last name has no value.
    """
    if not flat:
        return None
    if len(flat) % 2:
        _refuse(
            f"expected `headers` as a flat array of names and values, got {len(flat)}"
            f" {'entry' if len(flat) == 1 else 'entries'}: the last name has no value"
        )
    pairs = zip(flat[::2], flat[1::2], strict=True)
    return [(name or "", None if value is None else value.encode()) for name, value in pairs]
