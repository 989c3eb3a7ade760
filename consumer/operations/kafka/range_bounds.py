"""The edge of a range as a person writes it: an offset, a time, or how long ago."""

from __future__ import annotations

import re
from typing import Final, TypeAlias

import msgspec

from consumer.config.kinds import moment_ms, span_s

WORDS: Final = (
    "an offset (1200), a time with zone (2026-01-31T00:00:00Z), or how long ago (36h, 7d)"
)

_DAYS: Final = re.compile(r"(\d{1,5})d\Z")
_OFFSET: Final = re.compile(r"\d{1,18}\Z")
_DAY_S: Final = 86_400.0


class AtOffset(msgspec.Struct, frozen=True):
    """The same offset of every partition."""

    offset: int


class AtTime(msgspec.Struct, frozen=True):
    """Of every partition the first record that is not older.

    Units: milliseconds since the epoch.
    """

    wall_ms: int


RangeBound: TypeAlias = AtOffset | AtTime


class InvalidBound(ValueError):  # noqa: N818 - the fact, as the caller says it
    """A text that is none of `WORDS`."""


def read_bound(text: str, wall_ms: int) -> RangeBound:
    """Read an edge; `wall_ms` is the present, from which a duration counts back.

    Raises: `InvalidBound`.
    """
    if _OFFSET.match(text):
        return AtOffset(int(text))
    ago_s = float(days[1]) * _DAY_S if (days := _DAYS.match(text)) else span_s(text)
    if ago_s is not None:
        return AtTime(max(0, wall_ms - round(ago_s * 1000)))
    moment = moment_ms(text)
    if moment is None:
        message = f"expected {WORDS}; found `{text}`"
        raise InvalidBound(message)
    return AtTime(moment)
