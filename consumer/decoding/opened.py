"""Values of a source row, opened: what kind of thing each is, with a number's digits as they stand.

A decoder hands over rows of values that are either JSON still to be opened (`msgspec.Raw`) or
Python values (a binary format, a user's function). Both open to the same few kinds, so that mapping
knows one set of kinds.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Self, TypeAlias
from uuid import UUID

import msgspec

from consumer.errors import Reason, RecordError

Row: TypeAlias = Mapping[str, object]
"""Column or member name to a value not opened yet, or to an `Absent`."""


class Absent(Enum):
    """Why a source gives no value at all; null is a value."""

    MISSING = "missing"
    UNPROVIDED = "unprovided"
    """The source has a value and did not send it (an unchanged TOAST column, a partial update)."""


class Digits(str):
    """A number as its exact JSON text."""

    __slots__ = ()


class Nested(str):
    """An object or array as its JSON text."""

    __slots__ = ()


class Days(int):
    """A calendar date as days since 1970-01-01."""


class EpochMillis(int):
    """A point in time as milliseconds since the Unix epoch."""


class TimeOfDay(int):
    """A time of day as nanoseconds since midnight."""


class ExactFloat(float):
    """A float that remembers the digits it was read from.

    So that handing it on unchanged loses none.
    """

    digits: str

    def __new__(cls, digits: str) -> Self:
        """Read a JSON number."""
        self = super().__new__(cls, digits)
        self.digits = digits
        return self


Opened: TypeAlias = bool | str | Digits | Nested | Days | EpochMillis | TimeOfDay | None

_TEXT = msgspec.json.Decoder(str)
_LITERALS: dict[bytes, bool | None] = {b"null": None, b"true": True, b"false": False}
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_QUOTE = ord('"')
_NUMBER_STARTS = frozenset(b"-0123456789")


def open_json(raw: msgspec.Raw) -> Opened:
    """Open one JSON value whose syntax has been checked already."""
    content = bytes(raw)
    first = content[0]
    if first == _QUOTE:
        return _TEXT.decode(content)
    if first in _NUMBER_STARTS:
        return Digits(content, "ascii")
    if first in b"{[":
        return Nested(content, "utf-8")
    return _LITERALS[content]


def _open_int(value: int) -> Opened:
    try:
        return Digits(int(value))
    except ValueError:
        raise RecordError(
            Reason.NUMBER_RANGE, "an integer beyond what can be written out"
        ) from None


def _open_float(value: float) -> Opened:
    if math.isfinite(value):
        return Digits(value.digits if isinstance(value, ExactFloat) else repr(value))
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _open_decimal(value: Decimal) -> Opened:
    return Digits(value) if value.is_finite() else str(value)


def _open_datetime(value: datetime) -> Opened:
    """A time without zone stays text, for the route's zone to judge."""
    if value.tzinfo is None:
        return value.isoformat()
    return EpochMillis(
        (value - datetime.fromtimestamp(0, value.tzinfo)) // timedelta(milliseconds=1)
    )


def _open_time(value: time) -> Opened:
    seconds = (value.hour * 60 + value.minute) * 60 + value.second
    return TimeOfDay((seconds * 1_000_000 + value.microsecond) * 1000)


def _plain(value: object) -> object:
    """Write what the JSON encoder does not know by itself."""
    if isinstance(value, ExactFloat):
        return msgspec.Raw(value.digits.encode())
    raise TypeError(type(value).__name__)


_NESTED = msgspec.json.Encoder(decimal_format="number", enc_hook=_plain)


def _is_finite(value: object) -> bool:
    """Whether no float inside is one that JSON cannot say; the encoder would write null for it."""
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or isinstance(value, ExactFloat) or math.isfinite(value)


def _open_nested(value: object) -> Opened:
    try:
        if not _is_finite(value):
            raise RecordError(Reason.FIELD_TYPE, "a nested value holds NaN or infinity")
        return Nested(_NESTED.encode(value), "utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        detail = f"a nested value holds something that is no JSON value ({type(error).__name__})"
        raise RecordError(Reason.FIELD_TYPE, detail) from None


def _as_it_is(value: Opened) -> Opened:
    return value


_BY_TYPE: dict[type, Callable[..., Opened]] = {
    msgspec.Raw: open_json,
    type(None): lambda _: None,
    bool: bool,
    str: str,
    int: _open_int,
    float: _open_float,
    ExactFloat: _open_float,
    Decimal: _open_decimal,
    bytes: lambda value: base64.b64encode(value).decode(),
    UUID: str,
    date: lambda value: Days(value.toordinal() - _EPOCH_DAY),
    datetime: _open_datetime,
    time: _open_time,
    dict: _open_nested,
    list: _open_nested,
    tuple: _open_nested,
    Digits: _as_it_is,
    Nested: _as_it_is,
    Days: _as_it_is,
    EpochMillis: _as_it_is,
    TimeOfDay: _as_it_is,
}


def open_value(value: object) -> Opened:
    """Open a value of either sort.

    Raises FIELD_TYPE for a Python value of a kind that no column has.
    """
    kind = type(value)
    opener = _BY_TYPE.get(kind)
    if opener is None:
        opener = next((_BY_TYPE[parent] for parent in kind.__mro__ if parent in _BY_TYPE), None)
        if opener is None:
            raise RecordError(Reason.FIELD_TYPE, f"no column value is a {kind.__name__}")
    return opener(value)


_KINDS: dict[type, str] = {
    type(None): "null",
    bool: "boolean",
    str: "text",
    Digits: "number",
    Days: "date",
    EpochMillis: "date-time",
    TimeOfDay: "time of day",
}


def kind_of(opened: Opened) -> str:
    """Name the kind of a value for a message, never the value."""
    if isinstance(opened, Nested):
        return "object" if opened.startswith("{") else "array"
    return _KINDS[type(opened)]
