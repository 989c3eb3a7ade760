"""Writes a value into a field: one table per schema type, as documented in `docs/values.md`."""

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
)
from consumer.errors import Reason, RecordError
from consumer.mapping.kinds import named_kind, with_article
from consumer.mapping.numbers import checked, number_of_text, variable_decimal
from consumer.mapping.settings import FieldType
from consumer.mapping.times import date_of, day_text, moment_of, moment_text, time_text

if TYPE_CHECKING:
    from datetime import tzinfo

Out: TypeAlias = str | bool | msgspec.Raw | None
"""A value as the JSON encoder takes it. A number is `Raw`: its exact digits."""

ValueWriter: TypeAlias = Mapping[type, Callable[[Any], Out]]
"""Maps each kind of opened value to its writer. A kind without a writer is FIELD_TYPE."""

BARE_NUMBER = (
    "expected text, got a number whose unit is not known; set the rule's `unit` (s, ms, us, ns or"
    " days)"
)
_DECIMAL_MODES = (
    "expected a number, got text; for Debezium decimals set `scale` (decimal.handling.mode precise)"
    " or `number: true` (string)"
)


def write(writing: ValueWriter, opened: Opened, expected: str) -> Out:
    """Write one value; `expected` is the type for the message.

    Raises: `RecordError` without the field's name.
    """
    writer = writing.get(type(opened))
    if writer is None:
        raise RecordError(
            Reason.FIELD_TYPE, f"expected {with_article(expected)}, got {named_kind(opened)}"
        )
    return writer(opened)


def writing_of(
    target: FieldType, zone: tzinfo | None, *, number: bool = False, json: bool = False
) -> ValueWriter:
    """Return the writers of a field. `number` and `json` are the flags of its rule."""
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
    """Return text unchanged. Raises FIELD_CHARS for a NUL character."""
    if "\0" in text:
        raise RecordError(Reason.FIELD_CHARS, "expected text without NUL characters, got one")
    return text


def boolean_text(truth: bool) -> str:  # noqa: FBT001 - the value itself
    """Write a boolean as JSON text."""
    return "true" if truth else "false"


def digits_raw(digits: str) -> msgspec.Raw:
    """Write a number with its exact digits."""
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
            f"expected text, got {named_kind(nested)}; to send it as JSON text, set `json: true`",
        )
    return checked(digits)


def _variable_number(nested: Nested) -> msgspec.Raw:
    digits = variable_decimal(nested)
    if digits is None:
        raise RecordError(Reason.FIELD_TYPE, f"expected a number, got {named_kind(nested)}")
    return digits_raw(digits)


def _refuse_bare_number(digits: str) -> NoReturn:
    del digits
    raise RecordError(Reason.TIME_FORMAT, BARE_NUMBER)


def _refuse_moment(ms: int) -> NoReturn:
    del ms
    raise RecordError(Reason.FIELD_TYPE, "expected a date, got a date-time")


def _refuse_days(days: int) -> NoReturn:
    del days
    raise RecordError(
        Reason.TIME_ZONE,
        "expected a date-time, got a date, which has no time of day and no zone; send it to a date"
        " field",
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
