"""The Record Modified field: filled from the source row, else from the time of the change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.decoding.opened import (
    Absent,
    Days,
    Digits,
    EpochMillis,
    Opened,
)
from consumer.errors import Reason, RecordError
from consumer.mapping.numbers import INTEGER, SAFE_LENGTH
from consumer.mapping.settings import FieldType
from consumer.mapping.times import day_text, moment_of, moment_text
from consumer.mapping.writings import BARE_NUMBER, write

if TYPE_CHECKING:
    from datetime import tzinfo

    from consumer.mapping.conversion import Conversion
    from consumer.mapping.sources import Origin, ValueSource
    from consumer.mapping.writings import Out

_DAY_MS = 86_400_000
_NO_VERSION = "expected a value for Record Modified, got null or a boolean from its rule"


class VersionField:
    """The Record Modified field of one route.

    `ruled`: the configuration has a rule for it, and that rule must find a value. `counts`: the
    field is a number, so the version is a counter and not a time.
    """

    def __init__(
        self,
        name: str,
        source: ValueSource,
        conversion: Conversion,
        zone: tzinfo | None,
        *,
        ruled: bool,
    ) -> None:
        self.name = name
        self.source = source
        self.conversion = conversion
        self.ruled = ruled
        self.counts = conversion.target is FieldType.NUMBER
        self._zone = zone

    def version_ms(self, origin: Origin, change_ms: int | None) -> int:
        """Return the version of a row. `change_ms` is the time of the change, if known.

        Raises: VERSION_MISSING when the rule finds no value or the change has no time; the reasons
        of a date-time field for a value that is not a version.
        """
        try:
            found = self.source.fetch(origin)
            version_ms = self.of(found)
            return self.of_change(change_ms) if version_ms is None else version_ms
        except RecordError as error:
            raise RecordError(error.reason, error.detail, field=self.name) from None

    def of(self, found: Opened | Absent) -> int | None:
        """Return the version in the row; `None` when the time of the change applies."""
        if isinstance(found, Absent) or found is None:
            if self.conversion.fallback is not msgspec.UNSET:
                return self._of_out(self.conversion.fallback)
            if self.ruled:
                raise RecordError(
                    Reason.VERSION_MISSING,
                    "expected a value for Record Modified, got none: its rule found nothing; set"
                    " `default`, or remove the rule to use the time of the change",
                )
            return None
        # The same steps as `Conversion.convert`, but the result is a number that can be compared.
        opened = self.conversion.interpret(found)
        if self.conversion.values is not None:
            return self._of_out(self.conversion.mapped(opened))
        return self._read(opened)

    def of_change(self, change_ms: int | None) -> int:
        """Return the time of the change. Raises VERSION_MISSING when it is not known."""
        if change_ms is None:
            raise RecordError(
                Reason.VERSION_MISSING,
                "expected a time for Record Modified, got none in the row, the envelope or the"
                " Kafka record",
            )
        return change_ms

    def written(self, version_ms: int) -> Out:
        """Return a version in the form of the field's type."""
        if self.counts:
            return msgspec.Raw(b"%d" % version_ms)
        if self.conversion.target is FieldType.DATE:
            return day_text(version_ms // _DAY_MS)
        return moment_text(version_ms)

    def _of_out(self, out: Out | msgspec.UnsetType) -> int:
        """Return the version of a `default` or a replacement in `values`."""
        if isinstance(out, msgspec.Raw):
            return self._read(Digits(str(out, "ascii")))
        if not isinstance(out, str):
            raise RecordError(Reason.VERSION_MISSING, _NO_VERSION)
        return self._read(out)

    def _read(self, opened: Opened) -> int:
        if self.counts:
            return _count(opened)
        if isinstance(opened, EpochMillis):
            return int(opened)
        if isinstance(opened, Days) and self.conversion.target is FieldType.DATE:
            return int(opened) * _DAY_MS
        if type(opened) is str:
            if self.conversion.target is FieldType.DATE:
                write(self.conversion.writing, opened, self.conversion.target)
                return moment_of(f"{opened.removesuffix('Z')}T00:00:00Z", None)
            return moment_of(opened, self._zone)
        if isinstance(opened, Digits):
            raise RecordError(Reason.TIME_FORMAT, BARE_NUMBER)
        # `write` raises with the message of a date-time field for most other kinds.
        write(self.conversion.writing, opened, self.conversion.target)
        raise RecordError(Reason.FIELD_TYPE, "expected a date-time, got another kind of value")


def _count(opened: Opened) -> int:
    if not isinstance(opened, Digits) or len(opened) > SAFE_LENGTH or not INTEGER.fullmatch(opened):
        raise RecordError(
            Reason.FIELD_TYPE, "expected a whole number for Record Modified, got another value"
        )
    return int(opened)
