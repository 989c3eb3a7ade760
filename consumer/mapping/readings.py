"""Reads a source value by the rule's `unit` or `scale`, else by its column in the schema."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from consumer.decoding.columns import UNKNOWN, Column, LogicalType
from consumer.decoding.opened import (
    Days,
    Digits,
    EpochMillis,
    Nested,
    Opened,
    TimeOfDay,
)
from consumer.errors import Reason, RecordError
from consumer.mapping.numbers import (
    GRAMMAR,
    INTEGER,
    SAFE_LENGTH,
    decimal_of_text,
    floor_ms,
    variable_decimal,
)
from consumer.mapping.settings import FieldRule, FieldType
from consumer.mapping.times import date_of, moment_of, time_of

if TYPE_CHECKING:
    from datetime import tzinfo

ValueReader: TypeAlias = Callable[[Opened], Opened]

TICKS_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def reading_of(
    rule: FieldRule | None, column: Column | None, target: FieldType, zone: tzinfo | None
) -> ValueReader | None:
    """Return the reader of a field's values; `None` when values are used as they are.

    A number field takes epoch numbers unchanged; only decimals are read for it. `zone` applies to
    times without a zone.
    """
    # The rule takes precedence over the schema's column.
    if rule is not None and rule.scale is not None:
        return _decimal(rule.scale)
    if rule is not None and rule.unit is not None:
        return _days if rule.unit == "days" else _moment(TICKS_PER_SECOND[rule.unit])
    column = column or UNKNOWN
    if column.meaning is LogicalType.DECIMAL:
        return _decimal(column.scale)
    if column.meaning is LogicalType.ZONED_TIMESTAMP:
        return _iso_moment(zone)
    # Into a number field, a typed time is the number that the source wrote.
    reading = _BY_MEANING.get(column.meaning)
    return reading if target is not FieldType.NUMBER or reading is variable else None


def _decimal(scale: int) -> ValueReader:
    def read(opened: Opened) -> Opened:
        return decimal_of_text(opened, scale) if type(opened) is str else variable(opened)

    return read


def variable(opened: Opened) -> Opened:
    """Read Debezium's VariableScaleDecimal `{scale, value}`; return other values unchanged."""
    if not isinstance(opened, Nested):
        return opened
    return variable_decimal(opened) or opened


def _digits(opened: Opened) -> Digits | None:
    """Return a number, or text that is one in JSON's grammar; `None` for any other value."""
    if isinstance(opened, Digits):
        return opened
    return Digits(opened) if type(opened) is str and GRAMMAR.fullmatch(opened) else None


def _moment(per_second: int) -> ValueReader:
    def read(opened: Opened) -> Opened:
        digits = _digits(opened)
        return opened if digits is None else EpochMillis(floor_ms(digits, per_second))

    return read


def _whole(digits: str) -> int:
    """Read a count of days or ticks. Raises TIME_FORMAT for a fraction or an exponent."""
    if len(digits) > SAFE_LENGTH or not INTEGER.fullmatch(digits):
        raise RecordError(Reason.TIME_FORMAT, "expected a whole number, got another number")
    return int(digits)


def _days(opened: Opened) -> Opened:
    digits = _digits(opened)
    return opened if digits is None else Days(_whole(digits))


def _time(tick_ns: int) -> ValueReader:
    def read(opened: Opened) -> Opened:
        return TimeOfDay(_whole(opened) * tick_ns) if isinstance(opened, Digits) else opened

    return read


def _iso_moment(zone: tzinfo | None) -> ValueReader:
    def read(opened: Opened) -> Opened:
        return EpochMillis(moment_of(opened, zone)) if type(opened) is str else opened

    return read


def _iso_date(opened: Opened) -> Opened:
    return date_of(opened) if type(opened) is str else opened


def _iso_time(opened: Opened) -> Opened:
    return TimeOfDay(time_of(opened)) if type(opened) is str else opened


_BY_MEANING: dict[LogicalType, ValueReader] = {
    LogicalType.VARIABLE_DECIMAL: variable,
    LogicalType.DAYS: _days,
    LogicalType.MOMENT_MS: _moment(1_000),
    LogicalType.MOMENT_US: _moment(1_000_000),
    LogicalType.MOMENT_NS: _moment(1_000_000_000),
    LogicalType.TIME_MS: _time(1_000_000),
    LogicalType.TIME_US: _time(1_000),
    LogicalType.TIME_NS: _time(1),
    LogicalType.ISO_DATE: _iso_date,
    LogicalType.ISO_TIME: _iso_time,
}
