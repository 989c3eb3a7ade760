"""The few shapes in which a leaf of a document is decoded fast.

And what is learned when a record does not fit.

A shape is a guess: a record that does not fit goes the careful way, and the leaf's shape widens
once or twice until every record fits. `RAW` fits everything.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

import msgspec

from consumer.decoding.columns import UNKNOWN, Column, LogicalType
from consumer.decoding.opened import Absent, Digits, Opened, open_json
from consumer.decoding.placeholders import is_placeholder
from consumer.mapping.settings import FieldType

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.mapping.conversion import Conversion


class TakeSlowPath(Exception):  # noqa: N818 - not an error: the record takes the other way
    """This record is not for the fast way."""


class Widen(TakeSlowPath):
    """Nor will the next like it be, unless a leaf's shape widens."""


class Shape(Enum):
    """How a leaf is decoded: as text, as an integer, as a boolean, each or null.

    Or not at all yet.
    """

    TEXT = "text"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    RAW = "raw"


_COUNTED = frozenset(
    {
        LogicalType.DAYS,
        LogicalType.MOMENT_MS,
        LogicalType.MOMENT_US,
        LogicalType.MOMENT_NS,
        LogicalType.TIME_MS,
        LogicalType.TIME_US,
        LogicalType.TIME_NS,
    }
)


def first_shape(conversion: Conversion, column: Column | None) -> Shape:
    """Guess how a field's source stands in the document."""
    column = column or UNKNOWN
    if (
        conversion.values is not None
        or conversion.target is FieldType.NUMBER
        or conversion.rule.json
    ):
        return (
            Shape.TEXT
            if conversion.rule.scale is not None and conversion.values is None
            else Shape.RAW
        )
    if conversion.target is FieldType.BOOLEAN:
        return Shape.BOOLEAN
    if (
        conversion.rule.unit is not None
        or column.meaning in _COUNTED
        or column.written == "integer"
    ):
        return Shape.INTEGER
    return Shape.RAW if column.written in {"float", "boolean"} or column.fields else Shape.TEXT


def fits(shape: Shape, opened: Opened) -> bool:
    """Whether the fast way takes a value in this shape.

    An integer zero may have a sign, which its shape loses.
    """
    if shape is Shape.RAW or opened is None:
        return True
    if isinstance(opened, Digits):
        return (
            shape is Shape.INTEGER and opened.lstrip("-").isdecimal() and opened not in {"0", "-0"}
        )
    return shape is (Shape.BOOLEAN if isinstance(opened, bool) else Shape.TEXT) and type(
        opened
    ) in {bool, str}


def widened(shape: Shape, opened: Opened) -> Shape:
    """Return the shape that takes a value too.

    Integers where text was guessed are likely always integers.
    """
    if fits(shape, opened):
        return shape
    return Shape.INTEGER if shape is Shape.TEXT and fits(Shape.INTEGER, opened) else Shape.RAW


def opener(shape: Shape, *, has_placeholders: bool) -> Callable[[Any], Opened | Absent]:
    """Make the opener of a leaf, for conversions that want the same value as the careful way's."""

    def open_leaf(value: object) -> Opened | Absent:
        if value is None:
            return None
        if value is msgspec.UNSET:
            return Absent.MISSING
        if shape is Shape.RAW:
            opened = open_json(value)  # type: ignore[arg-type]  # the shape says what it is
        elif shape is Shape.INTEGER:
            if value == 0:
                raise Widen
            opened = Digits(value)
        else:
            opened = value  # type: ignore[assignment]  # the shape says what it is
        if has_placeholders and is_placeholder(opened):
            raise TakeSlowPath
        return opened

    return open_leaf
