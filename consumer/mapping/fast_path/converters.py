"""The most common conversions, as one function call each.

Each returns what `Conversion.convert` returns for values of its shape, and raises `TakeSlowPath`
where `convert` might refuse the value. Property tests compare the two.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from consumer.decoding.columns import Column, LogicalType
from consumer.decoding.opened import Nested, open_json
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

    from consumer.decoding.placeholders import Placeholders
    from consumer.mapping.conversion import Conversion
    from consumer.mapping.writings import Out

FastConverter: TypeAlias = "Callable[[Any], Out]"

_PLAIN_DECIMAL = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?").fullmatch
_QUOTE = ord('"')
_COMMON_BYTES = 16
_COMMON_SCALE = 38
"""Databases limit decimals to 38 digits; longer ones take the slow path."""

_TICKS: dict[LogicalType, int] = {
    LogicalType.MOMENT_MS: 1_000,
    LogicalType.MOMENT_US: 1_000_000,
    LogicalType.MOMENT_NS: 1_000_000_000,
}
_PER_SECOND_MS = TICKS_PER_SECOND["ms"]
_TIMED = frozenset({FieldType.DATE_TIME, FieldType.TEXT})
_DATED = frozenset({FieldType.DATE, FieldType.TEXT})


def unchanged(value: Out) -> Out:
    """Return a value as it was decoded; the compiler generates no call for this converter."""
    return value


def fast_converter(
    conversion: Conversion,
    column: Column | None,
    shape: Shape,
    zone: tzinfo | None,
    placeholders: Placeholders | None,
) -> FastConverter | None:
    """Return the one-call converter of a field for values that are not null, if there is one."""
    if conversion.values is not None:
        plain = shape is Shape.RAW and not conversion.changes_text and conversion.reading is None
        return _values(conversion, placeholders) if plain else None
    # For a shape without a short conversion, the compiler falls back to `field.of`.
    if conversion.rewrites and shape is not Shape.TEXT:
        return None
    if shape is Shape.INTEGER:
        return _of_integer(conversion, column)
    if shape is Shape.BOOLEAN:
        return unchanged if conversion.target is FieldType.BOOLEAN else None
    if shape is Shape.RAW:
        return _of_raw(conversion, placeholders)
    return _of_text(conversion, column, zone, placeholders)


def ticks_of(conversion: Conversion, column: Column | None) -> int | None:
    """Return the ticks per second of a field's epoch numbers; `None` if it has none."""
    unit = conversion.rule.unit
    if unit is not None:
        return TICKS_PER_SECOND.get(unit)
    if conversion.rule.scale is not None or column is None:
        return None
    return _TICKS.get(column.meaning)


def int_text(value: int) -> str:
    """Return an integer as text. Raises `Widen` for zero."""
    if not value:
        raise Widen  # may have been `-0`: read this leaf as raw JSON from now on
    text = str(value)
    if len(text) > SAFE_LENGTH:
        raise TakeSlowPath
    return text


def _of_raw(conversion: Conversion, placeholders: Placeholders | None) -> FastConverter | None:
    if (
        conversion.target is FieldType.NUMBER
        and conversion.rule.number
        and conversion.reading is None
    ):
        return decimal_text_as_number
    return _json_text(conversion, placeholders) if conversion.rule.json else None


def decimal_text_as_number(raw: msgspec.Raw) -> msgspec.Raw:
    """Return the exact digits of a decimal in quotes; a number without quotes is unchanged."""
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


def decimal_bytes_as_number(scale: int) -> FastConverter:
    """Return the converter of decimal bytes in base64, as `numbers.decimal_of_text` reads them."""
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
    """Return the scale of a field's decimal bytes, if it is within the limits of databases."""
    scale = conversion.rule.scale
    if (
        scale is None
        and conversion.rule.unit is None
        and column is not None
        and column.meaning is LogicalType.DECIMAL
    ):
        scale = column.scale
    # Trim and the like change the text around the reading: `Conversion.convert` does that.
    if scale is None or conversion.changes_text:
        return None
    return scale if 0 <= scale <= _COMMON_SCALE else None


def _of_integer(conversion: Conversion, column: Column | None) -> FastConverter | None:
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
    """Return the converter of an epoch number to milliseconds."""
    if per_second <= _PER_SECOND_MS:
        factor = _PER_SECOND_MS // per_second
        return lambda ticks: ticks * factor
    if per_second == NANO:
        return _nanos_as_ms
    per_ms = per_second // _PER_SECOND_MS
    return lambda ticks: ticks // per_ms


def _nanos_as_ms(ticks: int) -> int:
    if ticks in NANO_ENDS:  # infinity
        raise TakeSlowPath
    return ticks // 1_000_000


def _moment(per_second: int) -> FastConverter:
    if per_second == _PER_SECOND_MS:
        return moment_text
    if per_second == TICKS_PER_SECOND["us"]:
        return moment_text_of_us
    as_ms = counted_ms(per_second)
    return lambda ticks: moment_text(as_ms(ticks))


def is_moment_text(conversion: Conversion, column: Column | None) -> bool:
    """Whether text is read as an ISO 8601 date-time: by the target type, or by the column."""
    rule = conversion.rule
    if rule.scale is not None:
        return False
    if conversion.reading is None:
        return conversion.target is FieldType.DATE_TIME
    return (
        rule.unit is None and column is not None and column.meaning is LogicalType.ZONED_TIMESTAMP
    )


def _of_text(  # noqa: PLR0911 - one line per kind of text
    conversion: Conversion,
    column: Column | None,
    zone: tzinfo | None,
    placeholders: Placeholders | None,
) -> FastConverter | None:
    scale = _scale_of(conversion, column)
    if scale is not None and conversion.target is FieldType.NUMBER:
        return decimal_bytes_as_number(scale)
    if is_moment_text(conversion, column):
        if conversion.changes_text or conversion.target not in _TIMED:
            return None
        return moment_text_of_text if zone is None else lambda text: moment_text_of_text(text, zone)
    if conversion.reading is not None:
        return None
    if conversion.target is FieldType.DATE and not conversion.changes_text:
        return date_of
    if conversion.target is not FieldType.TEXT:
        return None
    return _tidied(conversion, placeholders) if conversion.changes_text else unchanged


def _tidied(conversion: Conversion, placeholders: Placeholders | None) -> FastConverter:
    # Without a step that rewrites, the checks of the encoded row find what `convert` would refuse.
    step: Callable[[str], Any] = conversion.convert if conversion.rewrites else conversion.interpret

    def tidied(text: str) -> str:
        if placeholders is not None and text in placeholders:
            raise TakeSlowPath
        return str(step(text))

    return tidied


def _values(conversion: Conversion, placeholders: Placeholders | None) -> FastConverter:
    """Return the converter that looks up the rule's `values` by the JSON bytes of the value."""
    by_bytes: dict[bytes, Out] = {}
    # Only text whose JSON form is unique can be looked up by its bytes: no escapes, no other
    # spelling. Everything else is opened and mapped below.
    for source, out in (conversion.values or {}).items():
        if (
            (placeholders is None or source not in placeholders)
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
        if placeholders is not None and placeholders.matches(opened):
            raise TakeSlowPath
        return conversion.mapped(opened)

    return look_up


def _json_text(conversion: Conversion, placeholders: Placeholders | None) -> FastConverter | None:
    """Return the converter of nested JSON to text."""
    if conversion.reading is not None or conversion.changes_text:
        return None

    def as_text(raw: msgspec.Raw) -> Out:
        opened = open_json(raw)
        if isinstance(opened, Nested):
            # Debezium's placeholder may be an array of the numbers of its bytes.
            if placeholders is not None and placeholders.may_be_in(opened):
                raise TakeSlowPath
            return str(opened)
        return None if opened is None else conversion.convert(opened)

    return as_text
