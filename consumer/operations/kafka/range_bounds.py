"""Reads the bounds of a range from text: an offset, a time, or a duration before now."""

from __future__ import annotations

import re
from typing import Final, TypeAlias

import msgspec

from consumer.config.kinds import moment_ms, span_s

WORDS: Final = (
    "an offset (1200), a time with zone (2026-01-31T00:00:00Z) or a duration before now (36h, 7d)"
)

_DAYS: Final = re.compile(r"(\d{1,5})d\Z")
_OFFSET: Final = re.compile(r"\d{1,18}\Z")
_DAY_S: Final = 86_400.0


class AtOffset(msgspec.Struct, frozen=True):
    """The same offset of every partition."""

    offset: int


class AtTime(msgspec.Struct, frozen=True):
    """In every partition, the first record with this timestamp or a later one.

    Units: milliseconds since the epoch.
    """

    wall_ms: int


RangeBound: TypeAlias = AtOffset | AtTime


class InvalidBound(ValueError):  # noqa: N818 - a fault of the input, shown to the user
    """A text that is not a bound; `WORDS` names the forms of one."""


def read_bound(text: str, wall_ms: int) -> RangeBound:
    """Read a bound. `wall_ms` is the present, from which a duration is subtracted.

    Raises: `InvalidBound`.
    """
    if _OFFSET.match(text):
        return AtOffset(int(text))
    ago_s = float(days[1]) * _DAY_S if (days := _DAYS.match(text)) else span_s(text)
    if ago_s is not None:
        return AtTime(max(0, wall_ms - round(ago_s * 1000)))
    moment = moment_ms(text)
    if moment is None:
        message = f"expected {WORDS}, got `{text}`"
        raise InvalidBound(message)
    return AtTime(moment)
