"""The field that holds Record Modified: the source's own value, or the time of the change."""

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
from consumer.mapping.writings import write

if TYPE_CHECKING:
    from datetime import tzinfo

    from consumer.mapping.conversion import Conversion
    from consumer.mapping.sources import Origin, ValueSource
    from consumer.mapping.writings import Out

_DAY_MS = 86_400_000


class VersionField:
    """Record Modified of one route.

    `ruled` says that the file has a rule for it, which must find a value.
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
        """Return the version of a row. `change_ms` is the change's own time.

        Raises: VERSION_MISSING when a rule finds nothing or the change has no time; else as any
        field.
        """
        try:
            found = self.source.fetch(origin)
            version_ms = self.of(found)
            return self.of_change(change_ms) if version_ms is None else version_ms
        except RecordError as error:
            raise RecordError(error.reason, error.detail, field=self.name) from None

    def of(self, found: Opened | Absent) -> int | None:
        """Read the version that the row gives.

        `None` when it is the change's own time that counts.
        """
        if isinstance(found, Absent) or found is None:
            if self.conversion.fallback is not msgspec.UNSET:
                return self._of_out(self.conversion.fallback)
            if self.ruled:
                raise RecordError(
                    Reason.VERSION_MISSING, "the rule of Record Modified finds no value"
                )
            return None
        opened = self.conversion.understand(found)
        if self.conversion.values is not None:
            return self._of_out(self.conversion.mapped(opened))
        return self._read(opened)

    def of_change(self, change_ms: int | None) -> int:
        """Take the change's own time. Raises VERSION_MISSING when nothing tells it."""
        if change_ms is None:
            raise RecordError(
                Reason.VERSION_MISSING, "neither the row, the envelope nor Kafka tells a time"
            )
        return change_ms

    def written(self, version_ms: int) -> Out:
        """Write a version as the field's type wants it."""
        if self.counts:
            return msgspec.Raw(b"%d" % version_ms)
        if self.conversion.target is FieldType.DATE:
            return day_text(version_ms // _DAY_MS)
        return moment_text(version_ms)

    def _of_out(self, out: Out | msgspec.UnsetType) -> int:
        """Read a version that the configuration names."""
        if isinstance(out, msgspec.Raw):
            return self._read(Digits(str(out, "ascii")))
        if not isinstance(out, str):
            raise RecordError(Reason.VERSION_MISSING, "the rule of Record Modified yields no value")
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
            raise RecordError(Reason.TIME_FORMAT, "a bare number found; write the rule's `unit`")
        write(self.conversion.writing, opened, self.conversion.target)
        raise RecordError(Reason.FIELD_TYPE, "date-time wanted, another kind of value found")


def _count(opened: Opened) -> int:
    if not isinstance(opened, Digits) or len(opened) > SAFE_LENGTH or not INTEGER.fullmatch(opened):
        raise RecordError(
            Reason.FIELD_TYPE, "a whole number wanted as Record Modified, another value found"
        )
    return int(opened)
