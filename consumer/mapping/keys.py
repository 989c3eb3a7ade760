"""The primary key: a non-empty string or an integer, as the text that names the row everywhere."""

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
    kind_of,
)
from consumer.errors import Reason, RecordError
from consumer.mapping.numbers import INTEGER
from consumer.mapping.settings import FieldType
from consumer.mapping.writings import write

if TYPE_CHECKING:
    from consumer.mapping.conversion import Conversion
    from consumer.mapping.sources import Origin, ValueSource
    from consumer.mapping.writings import Out

LONGEST_KEY = 255

_CONTROL_CHARACTER = re.compile("[\x00-\x1f\x7f-\x9f]")


class KeyField:
    """The field that holds the primary key."""

    def __init__(self, name: str, source: ValueSource, conversion: Conversion) -> None:
        self.name = name
        self.source = source
        self.conversion = conversion

    def fill(self, origin: Origin) -> tuple[str, Out]:
        """Return the key as text, and as it stands in the row.

        Raises: KEY reasons, ENVELOPE_UNAVAILABLE.
        """
        try:
            return self.of(self.source.fetch(origin))
        except RecordError as error:
            raise RecordError(error.reason, error.detail, field=self.name) from None

    def of(self, found: Opened | Absent) -> tuple[str, Out]:
        """Make the key of a source value. Raises as `fill`, without the field's name."""
        if found is Absent.UNPROVIDED:
            raise RecordError(
                Reason.ENVELOPE_UNAVAILABLE, "the source did not send the primary key"
            )
        if isinstance(found, Absent) or found is None:
            out = self.conversion.fallback
            if out is msgspec.UNSET:
                raise RecordError(Reason.KEY_MISSING, f"a primary key wanted, {_absence(found)}")
        else:
            opened = self.conversion.understand(found)
            if self.conversion.values is None:
                return self._written(opened)
            out = self.conversion.mapped(opened)
        return key_of_constant(out)

    def _written(self, opened: Opened) -> tuple[str, Out]:
        """Take a key from the source."""
        target = self.conversion.target
        if isinstance(opened, bool | Nested):
            raise RecordError(
                Reason.KEY_TYPE, f"a string or an integer wanted, {kind_of(opened)} found"
            )
        if isinstance(opened, Digits) and target in {FieldType.TEXT, FieldType.NUMBER}:
            return _integer_key(opened, target)
        if (
            isinstance(opened, str | Days | EpochMillis | TimeOfDay)
            and target is not FieldType.NUMBER
        ):
            text = require_key(opened) if type(opened) is str and target is FieldType.TEXT else None
            out = text if text is not None else write(self.conversion.writing, opened, target)
            return (out, out) if isinstance(out, str) else key_of_constant(out)
        if type(opened) is str and self.conversion.rule.number:
            return _integer_key(Digits(opened), target)
        raise RecordError(Reason.KEY_TYPE, f"an integer wanted, {kind_of(opened)} found")


def key_of_constant(out: Out) -> tuple[str, Out]:
    """Take a key from the configuration's own values. Raises: the KEY reasons."""
    if out is None:
        raise RecordError(Reason.KEY_MISSING, "a primary key wanted, null found")
    if isinstance(out, msgspec.Raw):
        return _integer_key(Digits(out, "ascii"), FieldType.NUMBER)
    if isinstance(out, bool):
        raise RecordError(Reason.KEY_TYPE, "a string or an integer wanted, boolean found")
    return require_key(out), out


def require_key(text: str) -> str:
    """Return a key that names a row. Raises: KEY_EMPTY, KEY_SIZE, KEY_CONTROL_CHARS."""
    if not text:
        raise RecordError(Reason.KEY_EMPTY, "a primary key wanted, empty text found")
    if len(text) > LONGEST_KEY:
        raise RecordError(
            Reason.KEY_SIZE, f"at most {LONGEST_KEY} characters wanted, {len(text)} found"
        )
    if not text.isprintable() and _CONTROL_CHARACTER.search(text):
        raise RecordError(
            Reason.KEY_CONTROL_CHARS, "a key without control characters wanted, one found"
        )
    return text


def _integer_key(digits: Digits, target: FieldType) -> tuple[str, Out]:
    """Make a key of an integer. A zero names one row, whatever its sign.

    No other has two spellings.
    """
    if not INTEGER.fullmatch(digits):
        raise RecordError(Reason.KEY_TYPE, "a string or an integer wanted, another number found")
    text = require_key("0" if digits == "-0" else str(digits))
    return text, text if target is FieldType.TEXT else msgspec.Raw(text.encode())


def _absence(found: Absent | None) -> str:
    return "null found" if found is None else "nothing found"
