"""Compiles Record Modified for the fast path, to one call or one division where possible."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consumer.mapping.fast_path.converters import counted_ms, is_moment_text, ticks_of
from consumer.mapping.fast_path.plan import VersionPlan
from consumer.mapping.fast_path.shapes import Shape
from consumer.mapping.fast_path.used_paths import is_flat
from consumer.mapping.settings import FieldType
from consumer.mapping.times import moment_of, moment_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

    from consumer.mapping.fast_path.used_paths import UsedPaths
    from consumer.mapping.version_field import VersionField
    from consumer.model import Record

_TICKS_OF_MS = 1_000


def version_plan(
    version: VersionField,
    slot: int,
    paths: UsedPaths,
    zone: tzinfo | None,
    change_ms: Callable[[Any, Record], int | None],
) -> VersionPlan:
    """Compile the version of a route; `change_ms` reads the time of a change."""
    found = paths.reader(version.source)
    return VersionPlan(
        slot=slot,
        read=_reader(version, paths, zone),
        ticks_per_ms=_ticks_per_ms(version, paths),
        of=lambda event, record: version.of(found(event, record)),
        change_ms=change_ms,
        written=version.written
        if version.conversion.target is not FieldType.DATE_TIME
        else moment_text,
        counts=version.counts,
    )


def _shape(version: VersionField, paths: UsedPaths) -> Shape | None:
    """Return the leaf's shape if the version is a date-time column, else `None`."""
    conversion = version.conversion
    plain = (
        conversion.target is FieldType.DATE_TIME
        and conversion.values is None
        and is_flat(version.source)
    )
    return paths.leaf(version.source).shape if plain else None


def _ticks_per_ms(version: VersionField, paths: UsedPaths) -> int | None:
    """Return the divisor from an epoch number to milliseconds.

    `None` if reading the version takes more than a division.
    """
    if _shape(version, paths) is not Shape.INTEGER:
        return None
    per_second = ticks_of(version.conversion, paths.column(version.source))
    return (
        per_second // _TICKS_OF_MS
        if per_second is not None and per_second >= _TICKS_OF_MS
        else None
    )


def _reader(
    version: VersionField, paths: UsedPaths, zone: tzinfo | None
) -> Callable[[Any], int] | None:
    """Return the one-call reader of a version: an epoch number or an ISO 8601 text; else `None`."""
    conversion, column, shape = (
        version.conversion,
        paths.column(version.source),
        _shape(version, paths),
    )
    if shape is Shape.INTEGER:
        per_second = ticks_of(conversion, column)
        return None if per_second is None else counted_ms(per_second)
    # Steps on text are left to `VersionField.of`, which applies them before and after reading.
    if shape is Shape.TEXT and not conversion.changes_text and is_moment_text(conversion, column):
        return lambda text: moment_of(text, zone)
    return None
