"""The shapes in which the fast path decodes a leaf, and how a shape widens.

A shape is a guess. A record that does not fit takes the slow path, and the leaf's shape widens once
or twice until every record fits. `RAW` fits everything.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

import msgspec

from consumer.decoding.columns import UNKNOWN, Column, LogicalType
from consumer.decoding.opened import Absent, Digits, Opened, open_json
from consumer.mapping.settings import FieldType

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.decoding.placeholders import Placeholders
    from consumer.mapping.conversion import Conversion


class TakeSlowPath(Exception):  # noqa: N818 - not an error: the record takes the slow path
    """The fast path does not map this record."""


class Widen(TakeSlowPath):
    """The fast path will not map similar records either, until the shape of a leaf widens."""


class Shape(Enum):
    """The type a leaf is decoded as: text, integer or boolean, each nullable, or raw JSON."""

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
    """Guess the shape of a field's source from its target type, its rule and its column."""
    column = column or UNKNOWN
    # Numbers stay raw to keep their digits; `values` and `json: true` accept several kinds. Only
    # decimal bytes are known to be text: base64.
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
    """Whether a value can be decoded in this shape without loss.

    Zero does not fit INTEGER: it may be `-0`, and an `int` has no sign for zero.
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
    """Return the narrowest shape that fits a value too.

    TEXT widens to INTEGER first: a leaf with one integer most likely has only integers.
    """
    if fits(shape, opened):
        return shape
    return Shape.INTEGER if shape is Shape.TEXT and fits(Shape.INTEGER, opened) else Shape.RAW


def opener(shape: Shape, placeholders: Placeholders | None) -> Callable[[Any], Opened | Absent]:
    """Return the opener of a leaf: it gives a decoded value the form it has on the slow path."""

    def open_leaf(value: object) -> Opened | Absent:
        if value is None:
            return None
        if value is msgspec.UNSET:
            return Absent.MISSING
        if shape is Shape.RAW:
            opened = open_json(value)  # type: ignore[arg-type]  # the shape says what it is
        elif shape is Shape.INTEGER:
            if value == 0:
                raise Widen  # may have been `-0`: read this leaf as raw JSON from now on
            opened = Digits(value)
        else:
            opened = value  # type: ignore[assignment]  # the shape says what it is
        if placeholders is not None and placeholders.matches(opened):
            raise TakeSlowPath
        return opened

    return open_leaf
