"""Opens the values of a source row: to a few kinds, with the exact digits of numbers.

A decoder returns rows whose values are JSON that is not parsed yet (`msgspec.Raw`) or Python values
(from a user's function). Both open to the same few kinds, so mapping handles one set of kinds.
"""

from __future__ import annotations

import base64
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Self, TypeAlias
from uuid import UUID

import msgspec

from consumer.errors import Reason, RecordError

Row: TypeAlias = Mapping[str, object]
"""Name of a column or member to a value that is not opened yet, or to an `Absent`."""


class Absent(Enum):
    """Why a source gives no value. Null is a value."""

    MISSING = "missing"
    UNPROVIDED = "unprovided"
    """The source has a value but did not send it (an unchanged TOAST column, a partial update)."""


class PartialObject(dict[str, object]):
    """An object of which the source sent only some members: as a whole it is unprovided."""

    def part(self, name: str) -> object:
        """Return a member, which is unprovided if the source did not send it."""
        return self.get(name, Absent.UNPROVIDED)


class Digits(str):
    """A number, as its exact JSON text."""

    __slots__ = ()


class Nested(str):
    """An object or array, as its JSON text."""

    __slots__ = ()


class Days(int):
    """A calendar date, as days since 1970-01-01."""


class EpochMillis(int):
    """A point in time, as milliseconds since the Unix epoch."""


class TimeOfDay(int):
    """A time of day, as nanoseconds since midnight."""


class ExactFloat(float):
    """A float that keeps the digits it was read from, so that they can be written unchanged."""

    digits: str

    def __new__(cls, digits: str) -> Self:
        """Read a JSON number."""
        self = super().__new__(cls, digits)
        self.digits = digits
        return self


Opened: TypeAlias = bool | str | Digits | Nested | Days | EpochMillis | TimeOfDay | None


class SourceValue(ABC):
    """A value in the notation of one source, which is read when a rule needs it."""

    @abstractmethod
    def open(self) -> Opened:
        """Return the opened value."""

    @abstractmethod
    def step(self, step: str | int) -> object:
        """Return the value that one step leads to, null where there is none.

        Raises: FIELD_TYPE if this is not an object or array.
        """

    @abstractmethod
    def json(self) -> msgspec.Raw:
        """Return the value in plain JSON."""


_TEXT = msgspec.json.Decoder(str)
_LITERALS: dict[bytes, bool | None] = {b"null": None, b"true": True, b"false": False}
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_QUOTE = ord('"')
_NUMBER_STARTS = frozenset(b"-0123456789")


def open_json(raw: msgspec.Raw) -> Opened:
    """Open one JSON value whose syntax was already checked."""
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
        # CPython limits the conversion of an integer to decimal digits.
        detail = "expected an integer that can be written in decimal, got one with too many digits"
        raise RecordError(Reason.NUMBER_RANGE, detail) from None


def _open_float(value: float) -> Opened:
    if math.isfinite(value):
        return Digits(value.digits if isinstance(value, ExactFloat) else repr(value))
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _open_decimal(value: Decimal) -> Opened:
    return Digits(value) if value.is_finite() else str(value)


def _open_datetime(value: datetime) -> Opened:
    """Open a point in time. Without a zone it stays text, and the route's zone is applied later."""
    if value.tzinfo is None:
        return value.isoformat()
    return EpochMillis(
        (value - datetime.fromtimestamp(0, value.tzinfo)) // timedelta(milliseconds=1)
    )


def _open_time(value: time) -> Opened:
    seconds = (value.hour * 60 + value.minute) * 60 + value.second
    return TimeOfDay((seconds * 1_000_000 + value.microsecond) * 1000)


def _plain(value: object) -> object:
    """Encode a value that the JSON encoder does not know."""
    if isinstance(value, ExactFloat):
        return msgspec.Raw(value.digits.encode())
    if isinstance(value, SourceValue):
        return value.json()
    raise TypeError(type(value).__name__)


_NESTED = msgspec.json.Encoder(decimal_format="number", enc_hook=_plain)


def _is_finite(value: object) -> bool:
    """Whether all floats inside are finite: the encoder would write null for NaN and infinity."""
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or isinstance(value, ExactFloat) or math.isfinite(value)


def _open_nested(value: object) -> Opened:
    try:
        if not _is_finite(value):
            detail = "expected JSON values in an object or array, got NaN or infinity"
            raise RecordError(Reason.FIELD_TYPE, detail)
        return Nested(_NESTED.encode(value), "utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        detail = f"expected JSON values in an object or array, got another ({type(error).__name__})"
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
    SourceValue: lambda value: value.open(),
}


def open_value(value: object) -> Opened:
    """Open a JSON or a Python value.

    Raises: FIELD_TYPE for a Python type that no column can have.
    """
    kind = type(value)
    opener = _BY_TYPE.get(kind)
    if opener is None:
        opener = next((_BY_TYPE[parent] for parent in kind.__mro__ if parent in _BY_TYPE), None)
        if opener is None:
            detail = f"expected a type that a column can have, got the Python type {kind.__name__}"
            raise RecordError(Reason.FIELD_TYPE, detail)
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
