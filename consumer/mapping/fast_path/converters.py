"""The conversions that most records need, taken apart to one call each.

Each does what `Conversion.convert` does for values of its shape, and leaves the record to the
careful way where that would be refused; a property test holds the two against each other.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from consumer.decoding.columns import Column, LogicalType
from consumer.decoding.opened import Nested, open_json
from consumer.decoding.placeholders import PLACEHOLDERS, is_placeholder
from consumer.mapping.fast_path.shapes import Shape, TakeSlowPath, Widen
from consumer.mapping.numbers import NANO, NANO_ENDS, SAFE_LENGTH
from consumer.mapping.readings import TICKS_PER_SECOND
from consumer.mapping.settings import FieldType
from consumer.mapping.times import (
    date_of,
    day_text,
    moment_text,
    moment_text_of_text,
    moment_text_of_us,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

    from consumer.mapping.conversion import Conversion
    from consumer.mapping.writings import Out

HotConverter: TypeAlias = "Callable[[Any], Out]"

_PLAIN_DECIMAL = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?").fullmatch
_QUOTE = ord('"')
_COMMON_BYTES = 16
_COMMON_SCALE = 38
"""What databases call decimal has 38 digits at most; the careful way takes them all."""

_TICKS: dict[LogicalType, int] = {
    LogicalType.MOMENT_MS: 1_000,
    LogicalType.MOMENT_US: 1_000_000,
    LogicalType.MOMENT_NS: 1_000_000_000,
}
_PER_SECOND_MS = TICKS_PER_SECOND["ms"]
_TIMED = frozenset({FieldType.DATE_TIME, FieldType.TEXT})
_DATED = frozenset({FieldType.DATE, FieldType.TEXT})


def same(value: Out) -> Out:
    """Hand a value on as it was decoded; callers leave this one out."""
    return value


def hot_converter(
    conversion: Conversion,
    column: Column | None,
    shape: Shape,
    zone: tzinfo | None,
    *,
    has_placeholders: bool,
) -> HotConverter | None:
    """Return the one-call converter of a field, for values that are not null.

    `None` when there is none.
    """
    rule = conversion.rule
    if conversion.values is not None:
        plain = shape is Shape.RAW and not (rule.trim or rule.lower) and conversion.reading is None
        return _values(conversion, has_placeholders=has_placeholders) if plain else None
    if shape is Shape.INTEGER:
        return _of_integer(conversion, column)
    if shape is Shape.BOOLEAN:
        return same if conversion.target is FieldType.BOOLEAN else None
    if shape is Shape.RAW:
        return _of_raw(conversion, has_placeholders=has_placeholders)
    return _of_text(conversion, column, zone, has_placeholders=has_placeholders)


def ticks_of(conversion: Conversion, column: Column | None) -> int | None:
    """Return how many ticks a second an epoch figure counts; `None` when it counts none."""
    unit = conversion.rule.unit
    if unit is not None:
        return TICKS_PER_SECOND.get(unit)
    if conversion.rule.scale is not None or column is None:
        return None
    return _TICKS.get(column.meaning)


def int_text(value: int) -> str:
    """Write an integer's digits.

    A zero may have had a sign: from then on its leaf is read as it stands.
    """
    if not value:
        raise Widen
    text = str(value)
    if len(text) > SAFE_LENGTH:
        raise TakeSlowPath
    return text


def _of_raw(conversion: Conversion, *, has_placeholders: bool) -> HotConverter | None:
    if (
        conversion.target is FieldType.NUMBER
        and conversion.rule.number
        and conversion.reading is None
    ):
        return decimal_text_as_number
    return (
        _json_text(conversion, has_placeholders=has_placeholders) if conversion.rule.json else None
    )


def decimal_text_as_number(raw: msgspec.Raw) -> msgspec.Raw:
    """Take a decimal out of its quotes, digit for digit; a number that has none is one already."""
    content = bytes(raw)
    if len(content) > SAFE_LENGTH:
        raise TakeSlowPath
    if content[0] == _QUOTE:
        content = content[1:-1]
        if _PLAIN_DECIMAL(content):
            return msgspec.Raw(content)
    elif _PLAIN_DECIMAL(content):
        return raw
    raise TakeSlowPath


def decimal_bytes_as_number(scale: int) -> HotConverter:
    """Make the converter of a decimal whose unscaled value is base64 of a two's complement integer."""
    width = scale + 1

    def as_number(text: str) -> msgspec.Raw:
        try:
            unscaled = a2b_base64(text, strict_mode=True)
        except ValueError:
            raise TakeSlowPath from None
        if not 0 < len(unscaled) <= _COMMON_BYTES:
            raise TakeSlowPath
        digits = str(int.from_bytes(unscaled, "big", signed=True))
        if scale:
            sign, digits = ("-", digits[1:]) if digits[0] == "-" else ("", digits)
            digits = digits.rjust(width, "0")
            digits = f"{sign}{digits[:-scale]}.{digits[-scale:]}"
        return msgspec.Raw(digits.encode())

    return as_number


def _scale_of(conversion: Conversion, column: Column | None) -> int | None:
    """Return the scale of decimals that come as bytes in base64, where it is a common one."""
    scale = conversion.rule.scale
    if (
        scale is None
        and conversion.rule.unit is None
        and column is not None
        and column.meaning is LogicalType.DECIMAL
    ):
        scale = column.scale
    if scale is None or conversion.rule.trim or conversion.rule.lower:
        return None
    return scale if 0 <= scale <= _COMMON_SCALE else None


def _of_integer(conversion: Conversion, column: Column | None) -> HotConverter | None:
    per_second = ticks_of(conversion, column)
    if per_second is not None:
        return _moment(per_second) if conversion.target in _TIMED else None
    counts_days = conversion.rule.unit == "days" or (
        conversion.rule.scale is None and column is not None and column.meaning is LogicalType.DAYS
    )
    if counts_days:
        return day_text if conversion.target in _DATED else None
    return int_text if conversion.target is FieldType.TEXT and conversion.reading is None else None


def counted_ms(per_second: int) -> Callable[[int], int]:
    """Make the reader of an epoch figure as milliseconds."""
    if per_second <= _PER_SECOND_MS:
        factor = _PER_SECOND_MS // per_second
        return lambda ticks: ticks * factor
    if per_second == NANO:
        return _nanos_as_ms
    per_ms = per_second // _PER_SECOND_MS
    return lambda ticks: ticks // per_ms


def _nanos_as_ms(ticks: int) -> int:
    if ticks in NANO_ENDS:
        raise TakeSlowPath
    return ticks // 1_000_000


def _moment(per_second: int) -> HotConverter:
    if per_second == _PER_SECOND_MS:
        return moment_text
    if per_second == TICKS_PER_SECOND["us"]:
        return moment_text_of_us
    as_ms = counted_ms(per_second)
    return lambda ticks: moment_text(as_ms(ticks))


def is_moment_text(conversion: Conversion, column: Column | None) -> bool:
    """Whether a text is read as an ISO date-time and no other way.

    A date-time field does so itself.
    """
    rule = conversion.rule
    if rule.scale is not None:
        return False
    if conversion.reading is None:
        return conversion.target is FieldType.DATE_TIME
    return (
        rule.unit is None and column is not None and column.meaning is LogicalType.ZONED_TIMESTAMP
    )


def _of_text(  # noqa: PLR0911 - one line per kind of text
    conversion: Conversion, column: Column | None, zone: tzinfo | None, *, has_placeholders: bool
) -> HotConverter | None:
    rule = conversion.rule
    scale = _scale_of(conversion, column)
    if scale is not None and conversion.target is FieldType.NUMBER:
        return decimal_bytes_as_number(scale)
    if is_moment_text(conversion, column):
        if rule.trim or rule.lower or conversion.target not in _TIMED:
            return None
        return moment_text_of_text if zone is None else lambda text: moment_text_of_text(text, zone)
    if conversion.reading is not None:
        return None
    if conversion.target is FieldType.DATE and not rule.trim:
        return date_of
    if conversion.target is not FieldType.TEXT:
        return None
    return (
        _tidied(conversion, has_placeholders=has_placeholders) if rule.trim or rule.lower else same
    )


def _tidied(conversion: Conversion, *, has_placeholders: bool) -> HotConverter:
    def tidied(text: str) -> str:
        if has_placeholders and text in PLACEHOLDERS:
            raise TakeSlowPath
        return str(conversion.understand(text))

    return tidied


def _values(conversion: Conversion, *, has_placeholders: bool) -> HotConverter:
    """Look a value up by its JSON bytes.

    Text with its quotes, numbers and booleans as they stand.
    """
    by_bytes: dict[bytes, Out] = {}
    for source, out in (conversion.values or {}).items():
        if (
            source not in PLACEHOLDERS
            and source.isascii()
            and source.isprintable()
            and not set(source) & set('"\\')
        ):
            by_bytes[b'"%s"' % source.encode()] = out

    def look_up(raw: msgspec.Raw) -> Out:
        content = bytes(raw)
        if content in by_bytes:
            return by_bytes[content]
        opened = open_json(raw)
        if opened is None:
            return None
        if has_placeholders and is_placeholder(opened):
            raise TakeSlowPath
        return conversion.mapped(opened)

    return look_up


def _json_text(conversion: Conversion, *, has_placeholders: bool) -> HotConverter | None:
    """Hand nested JSON on as text.

    Where a mark of a missing value may hide in numbers, look carefully.
    """
    if conversion.reading is not None or conversion.rule.trim or conversion.rule.lower:
        return None

    def as_text(raw: msgspec.Raw) -> Out:
        opened = open_json(raw)
        if isinstance(opened, Nested):
            if has_placeholders and "95" in opened:
                raise TakeSlowPath
            return str(opened)
        return None if opened is None else conversion.convert(opened)

    return as_text
