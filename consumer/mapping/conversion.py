"""The conversion of one field, from the opened value to the value sent: read, map, write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.decoding.opened import Digits, Nested, Opened, open_value
from consumer.errors import Reason, RecordError
from consumer.mapping.kinds import named_kind
from consumer.mapping.readings import reading_of
from consumer.mapping.settings import FieldRule, FieldType
from consumer.mapping.text_steps import finishing, replacing, tidying
from consumer.mapping.time_format import TimeFormat
from consumer.mapping.writings import Out, boolean_text, write, writing_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

    from consumer.decoding.columns import Column

PLAIN_RULE = FieldRule()


class Conversion:
    """The conversion of one field, compiled from its rule, its source column and its type.

    `values` are the rule's replacement values, ready to send. `fallback` is the rule's default,
    ready to send; `UNSET` when the rule has none. A step that the rule does not have is `None`. The
    fast path reads all attributes to choose a shorter conversion.
    """

    def __init__(
        self, target: FieldType, rule: FieldRule | None, column: Column | None, zone: tzinfo | None
    ) -> None:
        self.target = target
        self.rule = rule = rule or PLAIN_RULE
        self.tidy = tidying(rule)
        self.reading = reading_of(rule, column, target, zone)
        self.format = None if rule.format is None else TimeFormat(rule.format, zone)
        self.replace = replacing(rule)
        self.finish = finishing(rule)
        self.writing = writing_of(target, zone, number=rule.number, json=rule.json)
        # Converted once here, not for every record. The configuration check has tried the same
        # conversion, so it does not fail.
        self.values: Mapping[str, Out] | None = None
        if rule.values is not None:
            self.values = {source: constant(value, target) for source, value in rule.values.items()}
        self.fallback: Out | msgspec.UnsetType = msgspec.UNSET
        if rule.default is not msgspec.UNSET:
            self.fallback = constant(rule.default, target)

        self.rewrites = any(step is not None for step in (self.format, self.replace, self.finish))
        """Whether a value of any kind may be sent as another text than its own."""
        self.changes_text = self.rewrites or self.tidy is not None
        """Whether a text may be sent as another one than the source wrote."""

    def read(self, opened: Opened) -> Opened:
        """Tidy text, then read the value by its unit, scale or column."""
        # Exactly `str`: digits and nested JSON are subclasses of it and keep their text.
        if self.tidy is not None and type(opened) is str:
            opened = self.tidy(opened)
        return opened if self.reading is None else self.reading(opened)

    def interpret(self, opened: Opened) -> Opened:
        """Read the value, write a date or a time by `format`, and replace in text.

        Where text is sent or looked up, any single value is first written as its text.
        """
        opened = self.read(opened)
        if self.format is not None:
            opened = self.format.written(opened)
        if self.replace is None:
            return opened
        if type(opened) is not str and (self.target is FieldType.TEXT or self.values is not None):
            opened = str(write(_CANONICAL, opened, FieldType.TEXT))
        return self.replace(opened) if type(opened) is str else opened

    def convert(self, opened: Opened) -> Out:
        """Convert a value that is not null. Raises `RecordError`, without the field's name."""
        opened = self.interpret(opened)
        if self.values is not None:
            return self.mapped(opened)
        out = write(self.writing, opened, self.target)
        return out if self.finish is None else self.finish(str(out))

    def mapped(self, opened: Opened) -> Out:
        """Return the replacement of a value in the rule's `values`, else the rule's default.

        Raises: FIELD_ENUM when the rule has neither.
        """
        if self.values is None:
            raise RecordError(Reason.FIELD_ENUM, "the rule has no `values`")
        text = scalar_text(opened)
        if text in self.values:
            return self.values[text]
        if self.fallback is msgspec.UNSET:
            raise RecordError(
                Reason.FIELD_ENUM,
                "expected one of the rule's `values`, got another value; add it to `values`, or set"
                " `default`",
            )
        return self.fallback


def after_interpreting(rule: FieldRule) -> FieldRule:
    """Return the steps of a rule that follow `interpret`, for values that are already interpreted.

    Each alternative of `first_of` interprets its value by its own column.
    """
    return msgspec.structs.replace(
        rule,
        trim=False,
        lower=False,
        upper=False,
        unit=None,
        scale=None,
        format=None,
        replace=None,
        regex=None,
    )


def scalar_text(opened: Opened) -> str:
    """Return the exact JSON text of a scalar, without the quotes of a string.

    Raises: FIELD_TYPE for an object, an array or null.
    """
    if isinstance(opened, bool):
        return boolean_text(opened)
    if isinstance(opened, Nested) or opened is None:
        raise RecordError(Reason.FIELD_TYPE, f"expected a single value, got {named_kind(opened)}")
    if isinstance(opened, str):
        return str(opened)
    return str(write(_CANONICAL, opened, "text"))


def constant(value: str | float | bool | None, target: FieldType) -> Out:  # noqa: FBT001 - a written value
    """Convert a value of the configuration to the value sent.

    Raises: `RecordError` for a value that a field of this type does not accept.
    """
    return None if value is None else write(writing_of(target, None), open_value(value), target)


_CANONICAL = writing_of(FieldType.TEXT, None)

TEXT_RULE = Conversion(FieldType.TEXT, None, None, None)
"""The conversion of a value that is read as it is."""

__all__ = ["TEXT_RULE", "Conversion", "Digits", "constant", "scalar_text"]
