"""Opens the bytes of a value as a JSON object, or raises the reason why they are not one."""

from __future__ import annotations

import json
import re
from itertools import accumulate
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from consumer.decoding.framings import framing_by_bytes, not_json
from consumer.errors import Reason, RecordError

if TYPE_CHECKING:
    from typing import NoReturn

JsonObject: TypeAlias = dict[str, msgspec.Raw]

_WHITE = b" \t\r\n"
_ANY = msgspec.json.Decoder(msgspec.Raw)
_OBJECT = msgspec.json.Decoder(JsonObject)
_TEXT = msgspec.json.Decoder(str)

DEEPEST = 500
"""Most levels of nesting. The interpreter's stack limits the decoder, and its free part varies.
Half of it is left for the code that opens the members later."""

LARGEST_VALUE = 16 << 20
"""Most bytes of a value that is opened. The largest row that can be sent is a fraction of it."""

MOST_MEMBERS = 100_000
_MANY_BYTES = 1 << 20
"""Smaller values cannot have more members than `MOST_MEMBERS` by much. A member that is opened
takes some 250 bytes."""

_DEPTH = f"expected at most {DEEPEST} levels of nesting, got more"
_ROUNDS = 16
_PREFIX_FACTOR = 2
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b'[]{}"\\'))
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1, ord('"'): 0, ord("\\"): 0}
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")
_KINDS = {0x5B: "an array", 0x22: "text", 0x6E: "null", 0x74: "true", 0x66: "false"}
_TEXT_STARTS = frozenset(b'{["-0123456789ntf')
_ASCII_END = 0x80


def check_size(value: bytes) -> None:
    """Raise RECORD_SIZE for a value that would take too much memory or time to open."""
    if len(value) > LARGEST_VALUE:
        limit = f"at most {LARGEST_VALUE >> 20} MiB"
        detail = f"expected a value of {limit}, got {len(value):,} bytes"
        raise RecordError(Reason.RECORD_SIZE, detail)
    if len(value) > _MANY_BYTES and value.count(b'":') > MOST_MEMBERS:
        detail = f"expected a value with at most {MOST_MEMBERS:,} members, got more"
        raise RecordError(Reason.RECORD_SIZE, detail)


def open_object(value: bytes) -> JsonObject:
    """Open a JSON object one level deep. Syntax and UTF-8 are checked in all of it, used or not.

    Raises: `RecordError` with the DECODE reason, or RECORD_SIZE.
    """
    check_size(value)
    body = value.strip(_WHITE)
    if not body:
        got = f"white space only (length {len(value)})" if value else "0 bytes"
        raise RecordError(Reason.DECODE_EMPTY, f"expected a JSON object, got {got}")
    # Before the decoder: it would recurse as deep as the brackets go.
    if nests_deeper(value, DEEPEST):
        raise RecordError(Reason.DECODE_DEPTH, _DEPTH)
    fault = None
    try:
        _ANY.decode(value)
    except RecursionError:
        raise RecordError(Reason.DECODE_DEPTH, _DEPTH) from None
    except msgspec.DecodeError as error:
        fault = str(error)
    if fault is not None:
        _refuse(value, body, fault)
    # The decoder checks the UTF-8 of text that is read; here all of it is checked.
    if not value.isascii():
        require_utf8(value)
    if not body.startswith(b"{"):
        _refuse_kind(body)
    return _OBJECT.decode(value)


def json_in_text(text: str) -> msgspec.Raw:
    """Return the JSON value that a text holds, checked like a document of its length.

    Raises: FIELD_FORMAT.
    """
    content = text.encode()
    if nests_deeper(content, DEEPEST):
        raise RecordError(Reason.FIELD_FORMAT, f"{_DEPTH} in the JSON inside text")
    try:
        _ANY.decode(content)
    except (msgspec.DecodeError, RecursionError):
        raise RecordError(
            Reason.FIELD_FORMAT, "expected JSON inside the text, got other text"
        ) from None
    return msgspec.Raw(content.strip(_WHITE))


def nests_deeper(value: bytes, levels: int) -> bool:
    """Whether a document is nested deeper than `levels`.

    Its length answers for most documents, and the number of brackets for nearly all others.
    """
    if len(value) <= levels or value.count(b"[") + value.count(b"{") <= levels:
        return False
    brackets = value.translate(None, _NO_BRACKETS)
    # An escaped quote does not end its text: remove whole texts from the value instead.
    if b"\\" in brackets:
        brackets = _STRING.sub(b"", value).translate(None, _NO_BRACKETS)
    # Only brackets and quotes are left. Adjacent quotes have no bracket between them.
    brackets = _STRING.sub(b"", brackets.replace(b'""', b""))
    # A hostile document is usually deep at its start: a short prefix answers.
    if _opens(brackets[: _PREFIX_FACTOR * levels], levels):
        return True
    # Removing the innermost pairs, level by level, ends early for a wide and flat document.
    left = brackets
    for _ in range(_ROUNDS):
        if not left:
            return False
        left = left.replace(b"[]", b"").replace(b"{}", b"")
    return _opens(brackets, levels)


def _opens(brackets: bytes, levels: int) -> bool:
    """Whether more than `levels` brackets are open at the same time."""
    return any(depth > levels for depth in accumulate(map(_STEPS.__getitem__, brackets)))


def open_member(raw: object) -> JsonObject | None:
    """Open an object inside a checked document; `None` for another kind of value or none."""
    if not isinstance(raw, msgspec.Raw) or bytes(raw)[:1] != b"{":
        return None
    return _OBJECT.decode(raw)


def require_utf8(value: bytes) -> None:
    """Refuse bytes that are not UTF-8 (RFC 3629: no surrogates, nothing above U+10FFFF)."""
    try:
        value.decode()
    except UnicodeDecodeError as error:
        detail = f"expected UTF-8, got an invalid byte at position {error.start}"
        raise RecordError(Reason.DECODE_ENCODING, detail) from None


def _refuse(value: bytes, body: bytes, message: str) -> NoReturn:
    """Raise the reason why bytes are not JSON: another format, another encoding, or syntax."""
    framing = framing_by_bytes(value)
    if framing is not None:
        raise RecordError(Reason.DECODE_FRAMED, not_json(framing))
    # Bytes that do not even start like JSON are a syntax error, not a wrong encoding.
    if body[0] in _TEXT_STARTS or body[0] >= _ASCII_END:
        require_utf8(value)
    if "surrogate" in message or (_SURROGATE_ESCAPE.search(value) is not None and _is_whole(value)):
        detail = "expected whole characters, got an escaped half of a surrogate pair"
        raise RecordError(Reason.DECODE_ENCODING, detail)
    raise RecordError(
        Reason.DECODE_SYNTAX, f"not valid JSON: {message.removeprefix('JSON is malformed: ')}"
    )


def _is_whole(value: bytes) -> bool:
    """Whether a document is JSON to a parser that allows lone surrogates; msgspec does not."""
    try:
        json.loads(value, parse_int=str, parse_float=str, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse_constant(name: str) -> NoReturn:
    """Refuse NaN and infinity. Raises: `ValueError`."""
    raise ValueError(name)


def _refuse_kind(body: bytes) -> NoReturn:
    kind = _KINDS.get(body[0], "a number")
    detail = f"expected a JSON object, got {kind}"
    if kind == "text" and _TEXT.decode(body).lstrip().startswith(("{", "[")):
        detail += (
            " that holds a JSON document (double encoded): let the producer encode it once, or read"
            " it with `row: {parse: json}` and format json"
        )
    raise RecordError(Reason.DECODE_NOT_OBJECT, detail)
