"""One field's way from an opened value to what is sent: read, trim, map, write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.decoding.opened import Digits, Nested, Opened, kind_of, open_value
from consumer.errors import Reason, RecordError
from consumer.mapping.readings import reading_of
from consumer.mapping.settings import FieldRule, FieldType
from consumer.mapping.writings import Out, boolean_text, write, writing_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

    from consumer.decoding.columns import Column

PLAIN_RULE = FieldRule()


class Conversion:
    """The conversion of one field, compiled from its rule.

    The source's column and the field's type.

    `writing` and `reading` are open to the fast path, which takes them apart. `values` are the
    mapped ones, ready to send; `fallback` is the ready default, `UNSET` when the rule has none.
    """

    def __init__(
        self, target: FieldType, rule: FieldRule | None, column: Column | None, zone: tzinfo | None
    ) -> None:
        self.target = target
        self.rule = rule = rule or PLAIN_RULE
        self.reading = reading_of(rule, column, target, zone)
        self.writing = writing_of(target, zone, number=rule.number, json=rule.json)
        self.values: Mapping[str, Out] | None = None
        if rule.values is not None:
            self.values = {source: constant(value, target) for source, value in rule.values.items()}
        self.fallback: Out | msgspec.UnsetType = msgspec.UNSET
        if rule.default is not msgspec.UNSET:
            self.fallback = constant(rule.default, target)

    def understand(self, opened: Opened) -> Opened:
        """Read a value and apply the rule's trim and lower.

        The value may still be mapped and must be written.
        """
        if type(opened) is str:
            if self.rule.trim:
                opened = opened.strip()
            if self.rule.lower:
                opened = opened.lower()
        return opened if self.reading is None else self.reading(opened)

    def convert(self, opened: Opened) -> Out:
        """Convert a value that is not null. Raises `RecordError`, without the field's name."""
        opened = self.understand(opened)
        if self.values is not None:
            return self.mapped(opened)
        return write(self.writing, opened, self.target)

    def mapped(self, opened: Opened) -> Out:
        """Replace a value by the one that the rule's `values` name for it, else by its default."""
        if self.values is None:
            raise RecordError(Reason.FIELD_ENUM, "no values to choose from")
        text = scalar_text(opened)
        if text in self.values:
            return self.values[text]
        if self.fallback is msgspec.UNSET:
            raise RecordError(
                Reason.FIELD_ENUM, "none of the rule's `values`, and the rule has no `default`"
            )
        return self.fallback


def scalar_text(opened: Opened) -> str:
    """Return the exact JSON text of a scalar, text without its quotes.

    Raises FIELD_TYPE for anything nested.
    """
    if isinstance(opened, bool):
        return boolean_text(opened)
    if isinstance(opened, Nested) or opened is None:
        raise RecordError(Reason.FIELD_TYPE, f"one value wanted, {kind_of(opened)} found")
    if isinstance(opened, str):
        return str(opened)
    return str(write(_CANONICAL, opened, "text"))


def constant(value: str | float | bool | None, target: FieldType) -> Out:  # noqa: FBT001 - a written value
    """Make a value of the configuration ready to send.

    Raises `RecordError` for one that no such field takes.
    """
    return None if value is None else write(writing_of(target, None), open_value(value), target)


_CANONICAL = writing_of(FieldType.TEXT, None)

__all__ = ["Conversion", "Digits", "constant", "scalar_text"]
