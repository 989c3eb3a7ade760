"""How a value is written into a field of each schema type.

The table of the documentation, as tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import msgspec

from consumer.decoding.opened import (
    Days,
    Digits,
    EpochMillis,
    Nested,
    Opened,
    TimeOfDay,
    kind_of,
)
from consumer.errors import Reason, RecordError
from consumer.mapping.numbers import checked, number_of_text, variable_decimal
from consumer.mapping.settings import FieldType
from consumer.mapping.times import date_of, day_text, moment_of, moment_text, time_text

if TYPE_CHECKING:
    from datetime import tzinfo

Out: TypeAlias = str | bool | msgspec.Raw | None
"""A value as the encoder takes it; numbers are their own digits."""

ValueWriter: TypeAlias = Mapping[type, Callable[[Any], Out]]
"""Per kind of opened value, what to send; a kind that is not there is a FIELD_TYPE."""

_DECIMAL_MODES = (
    "number wanted, text found; for Debezium's decimal.handling.mode precise write `scale`,"
    " for string"
    " `number: true`"
)


def write(writing: ValueWriter, opened: Opened, wanted: str) -> Out:
    """Write one value. Raises `RecordError`, without the field's name."""
    writer = writing.get(type(opened))
    if writer is None:
        raise RecordError(Reason.FIELD_TYPE, f"{wanted} wanted, {kind_of(opened)} found")
    return writer(opened)


def writing_of(
    target: FieldType, zone: tzinfo | None, *, number: bool = False, json: bool = False
) -> ValueWriter:
    """Choose the table of a field. `number` and `json` are the rule's permissions."""
    if target is FieldType.NUMBER:
        return _NUMBERS | {str: _number_text if number else _refuse_number_text}
    if target is FieldType.BOOLEAN:
        return {bool: bool}
    if target is FieldType.DATE:
        return _DATES
    if target is FieldType.DATE_TIME:
        return _DATE_TIMES | {str: lambda text: moment_text(moment_of(text, zone))}
    return _TEXTS | {Nested: str} if json else _TEXTS


def plain_text(text: str) -> str:
    """Return text as it stands. Raises FIELD_CHARS for a NUL."""
    if "\0" in text:
        raise RecordError(Reason.FIELD_CHARS, "text without NUL wanted, a NUL found")
    return text


def boolean_text(truth: bool) -> str:  # noqa: FBT001 - the value itself
    """Write a boolean as JSON does."""
    return "true" if truth else "false"


def digits_raw(digits: str) -> msgspec.Raw:
    """Hand a number on, digit for digit."""
    return msgspec.Raw(checked(digits).encode())


def _number_text(text: str) -> msgspec.Raw:
    return msgspec.Raw(number_of_text(text).encode())


def _refuse_number_text(text: str) -> NoReturn:
    del text
    raise RecordError(Reason.FIELD_TYPE, _DECIMAL_MODES)


def _variable_text(nested: Nested) -> str:
    digits = variable_decimal(nested)
    if digits is None:
        raise RecordError(
            Reason.FIELD_TYPE,
            f"text wanted, {kind_of(nested)} found; to send JSON write `json: true`",
        )
    return checked(digits)


def _variable_number(nested: Nested) -> msgspec.Raw:
    digits = variable_decimal(nested)
    if digits is None:
        raise RecordError(Reason.FIELD_TYPE, f"number wanted, {kind_of(nested)} found")
    return digits_raw(digits)


def _refuse_bare_number(digits: str) -> NoReturn:
    del digits
    raise RecordError(Reason.TIME_FORMAT, "a bare number found; write the rule's `unit`")


def _refuse_moment(ms: int) -> NoReturn:
    del ms
    raise RecordError(Reason.FIELD_TYPE, "date wanted, date-time found")


def _refuse_days(days: int) -> NoReturn:
    del days
    raise RecordError(
        Reason.TIME_ZONE, "date-time wanted, date found, which has neither time nor zone"
    )


_TEXTS: dict[type, Callable[[Any], Out]] = {
    str: plain_text,
    Digits: checked,
    bool: boolean_text,
    Days: day_text,
    EpochMillis: moment_text,
    TimeOfDay: time_text,
    Nested: _variable_text,
}
_NUMBERS: dict[type, Callable[[Any], Out]] = {Digits: digits_raw, Nested: _variable_number}
_DATES: dict[type, Callable[[Any], Out]] = {
    str: date_of,
    Days: day_text,
    Digits: _refuse_bare_number,
    EpochMillis: _refuse_moment,
}
_DATE_TIMES: dict[type, Callable[[Any], Out]] = {
    EpochMillis: moment_text,
    Digits: _refuse_bare_number,
    Days: _refuse_days,
}
