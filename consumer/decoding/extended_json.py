"""Reads MongoDB's extended JSON, in which an object such as `{"$date": ...}` is one typed value.

Sources: MongoDB's specification of extended JSON, version 2 in its canonical and relaxed form, and
the legacy version 1, in which Debezium writes documents. Debezium writes ids and updated fields in
the relaxed form, so one value has several spellings. All of them are read as the same value.

A type without a plain value (a regular expression, a timestamp, a code with a scope, ...) stays an
object, as it is written.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from consumer.decoding.document import JsonObject, json_in_text, nests_deeper, open_member
from consumer.decoding.opened import (
    Digits,
    EpochMillis,
    Nested,
    Opened,
    SourceValue,
    kind_of,
    open_json,
)
from consumer.errors import Reason, RecordError

if TYPE_CHECKING:
    from collections.abc import Callable

DEEPEST_DOCUMENT = 128
"""Most levels of nesting. MongoDB stores at most 100; a typed value adds up to three."""

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?"
    r"(?:Z|[+-][0-9]{2}:?[0-9]{2})"
)
_NOT_FINITE = frozenset({"NaN", "Infinity", "-Infinity"})
_BARE_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|-?Infinity|NaN', re.DOTALL)
_LONGEST_TICKS = 20
_LARGEST_EXPONENT = 400
_UUID_SUBTYPE = 4
_MOST_MEMBERS = 2
"""Most members of an object that is one typed value."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MS, _LAST_MS = -62_135_596_800_000, 253_402_300_799_999
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])
_ENCODED = msgspec.json.Encoder().encode


def checked_json(text: str) -> msgspec.Raw:
    """Return the JSON value in a text of Debezium, whose doubles may be `NaN` and `Infinity`.

    Raises: FIELD_FORMAT.
    """
    if nests_deeper(text.encode(), DEEPEST_DOCUMENT):
        detail = f"expected at most {DEEPEST_DOCUMENT} levels of nesting in the JSON text, got more"
        raise RecordError(Reason.FIELD_FORMAT, detail)
    try:
        return json_in_text(text)
    except RecordError:
        if "NaN" not in text and "Infinity" not in text:
            raise
        return json_in_text(_BARE_WORD.sub(_quoted_word, text))


def _quoted_word(match: re.Match[str]) -> str:
    return match[0] if match[0].startswith('"') else f'{{"$numberDouble":"{match[0]}"}}'


class ExtendedJson(SourceValue):
    """One value of a document. It is known whole, so a member that it does not have is null."""

    __slots__ = ("_raw",)

    def __init__(self, raw: msgspec.Raw) -> None:
        self._raw = raw

    def open(self) -> Opened:
        """Return the value. An object or array is in plain JSON."""
        opened, _ = _typed(self._raw)
        return Nested(_written(self._raw, str)) if isinstance(opened, Nested) else opened

    def json(self) -> msgspec.Raw:
        """Return the value in plain JSON."""
        return msgspec.Raw(_written(self._raw, str).encode())

    def step(self, step: str | int) -> object:
        """Return the member or element. The name of a type (`$date`) leads to the value itself."""
        opened, members = _typed(self._raw)
        if opened is None:
            return None
        if not isinstance(opened, Nested):
            if str(step).startswith("$"):
                return self
            kind = kind_of(opened)
            got = kind if kind == "text" else f"a {kind}"
            raise RecordError(
                Reason.FIELD_TYPE, f"expected an object inside the source path, got {got}"
            )
        found: msgspec.Raw | None = None
        if members is not None:
            found = members.get(str(step))
        elif isinstance(step, int):
            elements = _ELEMENTS.decode(self._raw)
            found = elements[step] if step < len(elements) else None
        else:
            raise RecordError(
                Reason.FIELD_TYPE, "expected an object inside the source path, got an array"
            )
        return None if found is None else type(self)(found)


class DocumentId(ExtendedJson):
    """The `_id` of a document: its text is the same in every spelling, whatever its type is.

    A number is an integer if it is whole, as MongoDB takes 1 and 1.0 for the same id. Any other
    number, a boolean and an object are text.
    """

    __slots__ = ()

    def open(self) -> Opened:
        """Return text, an integer, a date-time, or null."""
        opened, _ = _typed(self._raw)
        if isinstance(opened, Nested):
            return _written(self._raw, _same_number)
        if isinstance(opened, bool):
            return "true" if opened else "false"
        if not isinstance(opened, Digits):
            return opened
        digits = _same_number(opened)
        return Digits(digits) if _INTEGER.fullmatch(digits) else digits


_NOT_TYPED = Nested("")
"""The mark of an array, and of an object that is not one typed value."""


def _typed(raw: msgspec.Raw) -> tuple[Opened, JsonObject | None]:
    """Open a value, and return it with the members of an object; `_NOT_TYPED` for nested JSON."""
    if bytes(raw)[:1] == b"[":
        return _NOT_TYPED, None
    members = open_member(raw)
    if members is None:
        return open_json(raw), None
    if len(members) > _MOST_MEMBERS:
        return _NOT_TYPED, members
    read = _TYPES.get(frozenset(members))
    return _NOT_TYPED if read is None else read(members), members


def _number(members: JsonObject) -> Opened:
    (value,) = map(open_json, members.values())
    if isinstance(value, Digits) or (type(value) is str and value in _NOT_FINITE):
        return value
    is_number = type(value) is str and _NUMBER.fullmatch(value)
    return Digits(value) if is_number else _NOT_TYPED


def _date(members: JsonObject) -> Opened:
    raw = members["$date"]
    value, _ = _typed(raw)
    if type(value) is str:
        if not _MOMENT.fullmatch(value):
            return value
        try:
            since = datetime.fromisoformat(value) - _EPOCH
        except (ValueError, OverflowError):
            return value
        return EpochMillis(since // timedelta(milliseconds=1))
    if not isinstance(value, Digits):
        return _NOT_TYPED
    is_whole = len(value) <= _LONGEST_TICKS and _INTEGER.fullmatch(value)
    return EpochMillis(int(value)) if is_whole else value


def _text(members: JsonObject) -> Opened:
    (value,) = map(open_json, members.values())
    return value if type(value) is str else _NOT_TYPED


def _undefined(members: JsonObject) -> Opened:
    del members
    return None


def _binary(members: JsonObject) -> Opened:
    inner = open_member(members["$binary"]) or {
        "base64": members["$binary"],
        "subType": members.get("$type", msgspec.Raw(b'"00"')),
    }
    content, subtype = (open_json(inner.get(name, _NULL)) for name in ("base64", "subType"))
    if type(content) is not str or not isinstance(subtype, str):
        return _NOT_TYPED
    try:
        of_uuid = int(subtype, 16) == _UUID_SUBTYPE
        return str(UUID(bytes=base64.b64decode(content, validate=True))) if of_uuid else content
    except (ValueError, binascii.Error):
        return content


def _uuid(members: JsonObject) -> Opened:
    value = open_json(members["$uuid"])
    try:
        return str(UUID(value)) if type(value) is str else _NOT_TYPED
    except ValueError:
        return _NOT_TYPED


_NULL = msgspec.Raw(b"null")
_TYPES: dict[frozenset[str], Callable[[JsonObject], Opened]] = {
    frozenset({"$oid"}): _text,
    frozenset({"$symbol"}): _text,
    frozenset({"$code"}): _text,
    frozenset({"$undefined"}): _undefined,
    frozenset({"$numberInt"}): _number,
    frozenset({"$numberLong"}): _number,
    frozenset({"$numberDouble"}): _number,
    frozenset({"$numberDecimal"}): _number,
    frozenset({"$date"}): _date,
    frozenset({"$binary"}): _binary,
    frozenset({"$binary", "$type"}): _binary,
    frozenset({"$uuid"}): _uuid,
}


def _same_number(digits: str) -> str:
    """Return the one spelling of a number, without an exponent and without zeros at its end."""
    try:
        number = Decimal(digits)
    except InvalidOperation:
        return digits  # an exponent that is too large
    if not number:
        return "0"
    if abs(number.adjusted()) > _LARGEST_EXPONENT:
        return digits
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _written(raw: msgspec.Raw, number: Callable[[str], str]) -> str:
    """Return a value in plain and compact JSON. `number` writes the digits of a number."""
    opened, members = _typed(raw)
    if not isinstance(opened, Nested):
        return _written_value(opened, number)
    if members is None:
        return f"[{','.join([_written(one, number) for one in _ELEMENTS.decode(raw)])}]"
    pairs = [f"{_ENCODED(name).decode()}:{_written(one, number)}" for name, one in members.items()]
    return f"{{{','.join(pairs)}}}"


def _written_value(opened: Opened, number: Callable[[str], str]) -> str:
    if isinstance(opened, Digits):
        return number(opened)
    if isinstance(opened, EpochMillis):
        if not _FIRST_MS <= opened <= _LAST_MS:
            return f'{{"$date":{{"$numberLong":"{opened:d}"}}}}'
        at = _EPOCH + timedelta(milliseconds=opened)
        return f'"{at.replace(tzinfo=None).isoformat(timespec="milliseconds")}Z"'
    return _ENCODED(opened).decode()
