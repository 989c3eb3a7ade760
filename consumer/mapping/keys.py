"""The primary key of a row: a non-empty string or an integer, and its text form."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from consumer.decoding.opened import (
    Absent,
    Days,
    Digits,
    EpochMillis,
    Nested,
    Opened,
    TimeOfDay,
)
from consumer.errors import Reason, RecordError
from consumer.mapping.kinds import named_kind
from consumer.mapping.numbers import INTEGER, variable_decimal
from consumer.mapping.settings import FieldType
from consumer.mapping.writings import write

if TYPE_CHECKING:
    from consumer.mapping.conversion import Conversion
    from consumer.mapping.sources import Origin, ValueSource
    from consumer.mapping.writings import Out

LONGEST_KEY = 255

_ARRAY = "; let the source write one value, or an object with columns, for example as the Kafka key"
_VARIABLE = (
    " with `scale` and `value`, a number such as Oracle's NUMBER without a schema: set `scale: 0`"
    " on the rule of the primary key"
)

_CONTROL_CHARACTER = re.compile("[\x00-\x1f\x7f-\x9f]")


class KeyField:
    """The primary key field of a route."""

    def __init__(self, name: str, source: ValueSource, conversion: Conversion) -> None:
        self.name = name
        self.source = source
        self.conversion = conversion

    def fill(self, origin: Origin) -> tuple[str, Out]:
        """Return the key as text, and the value to send in the key field.

        Raises: a KEY reason, or ENVELOPE_UNAVAILABLE.
        """
        try:
            return self.of(self.source.fetch(origin))
        except RecordError as error:
            raise RecordError(error.reason, error.detail, field=self.name) from None

    def of(self, found: Opened | Absent) -> tuple[str, Out]:
        """Make the key from a source value. Raises like `fill`, without the field's name."""
        if found is Absent.UNPROVIDED:
            raise RecordError(
                Reason.ENVELOPE_UNAVAILABLE,
                "expected a primary key, got none: the source left it out because it did not"
                " change",
            )
        if isinstance(found, Absent) or found is None:
            out = self.conversion.fallback
            if out is msgspec.UNSET:
                raise RecordError(
                    Reason.KEY_MISSING, f"expected a primary key, got {_absence(found)}"
                )
        else:
            if self.conversion.values is None:
                return self._key_of(found)
            out = self.conversion.mapped(self.conversion.interpret(found))
        return key_of_constant(out)

    def _key_of(self, found: Opened) -> tuple[str, Out]:
        """Make the key from a source value, by all steps of its rule."""
        conversion = self.conversion
        opened = conversion.read(found)
        if not conversion.rewrites:
            return self._written(opened)
        # The steps get the text that the key would be without them. So a row has one key, whether
        # an upsert has it as a number or the Kafka key of a delete as text.
        if conversion.format is not None:
            opened = conversion.format.written(opened)
        if type(opened) is not str:
            opened = self._written(opened)[0]
        if conversion.replace is not None:
            opened = conversion.replace(opened)
        if conversion.finish is None:
            return self._written(opened)
        key = require_key(conversion.finish(opened))
        return key, key

    def _written(self, opened: Opened) -> tuple[str, Out]:
        """Make the key from an interpreted source value."""
        target = self.conversion.target
        if isinstance(opened, bool | Nested):
            detail = f"expected text or an integer, got {named_kind(opened)}"
            if isinstance(opened, Nested):
                detail += _remedy(opened)
            raise RecordError(Reason.KEY_TYPE, detail)
        if isinstance(opened, Digits) and target in {FieldType.TEXT, FieldType.NUMBER}:
            return _integer_key(opened, target)
        if (
            isinstance(opened, str | Days | EpochMillis | TimeOfDay)
            and target is not FieldType.NUMBER
        ):
            # Text keys are checked before writing, so that a NUL is KEY_CONTROL_CHARS here too.
            text = require_key(opened) if type(opened) is str and target is FieldType.TEXT else None
            out = text if text is not None else write(self.conversion.writing, opened, target)
            return (out, out) if isinstance(out, str) else key_of_constant(out)
        if type(opened) is str and self.conversion.rule.number:
            return _integer_key(Digits(opened), target)
        raise RecordError(Reason.KEY_TYPE, f"expected an integer, got {named_kind(opened)}")


def _remedy(nested: Nested) -> str:
    """Return what to do about an object or array that was found as a key."""
    if nested.startswith("["):
        return _ARRAY
    return "" if variable_decimal(nested) is None else _VARIABLE


def key_of_constant(out: Out) -> tuple[str, Out]:
    """Make the key from a value of the configuration. Raises: a KEY reason."""
    if out is None:
        raise RecordError(Reason.KEY_MISSING, "expected a primary key, got null")
    if isinstance(out, msgspec.Raw):
        return _integer_key(Digits(out, "ascii"), FieldType.NUMBER)
    if isinstance(out, bool):
        raise RecordError(Reason.KEY_TYPE, "expected text or an integer, got a boolean")
    return require_key(out), out


def require_key(text: str) -> str:
    """Return the key if it can name a row. Raises: KEY_EMPTY, KEY_SIZE, KEY_CONTROL_CHARS."""
    if not text:
        raise RecordError(Reason.KEY_EMPTY, "expected a primary key, got empty text")
    if len(text) > LONGEST_KEY:
        raise RecordError(
            Reason.KEY_SIZE, f"expected at most {LONGEST_KEY} characters, got {len(text)}"
        )
    if not text.isprintable() and _CONTROL_CHARACTER.search(text):
        raise RecordError(
            Reason.KEY_CONTROL_CHARS, "expected a key without control characters, got one"
        )
    return text


def _integer_key(digits: Digits, target: FieldType) -> tuple[str, Out]:
    """Make the key from an integer: `-0` and `0` are the same row.

    Every other integer has one spelling in JSON.
    """
    if not INTEGER.fullmatch(digits):
        raise RecordError(Reason.KEY_TYPE, "expected text or an integer, got another number")
    text = require_key("0" if digits == "-0" else str(digits))
    return text, text if target is FieldType.TEXT else msgspec.Raw(text.encode())


def _absence(found: Absent | None) -> str:
    return "null" if found is None else "none"
