"""Writes a date or a time as text by a rule's `format`: the pattern symbols of Java and Salesforce.

`yyyy-MM-dd HH:mm:ss.SSS` and a few more symbols; text in single quotes and all other characters are
copied. A point in time is written in the zone of the format, else in UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from consumer.decoding.opened import Days, Digits, EpochMillis, Opened, TimeOfDay
from consumer.errors import Reason, RecordError
from consumer.mapping.kinds import named_kind
from consumer.mapping.numbers import OUTSIDE_THE_CALENDAR
from consumer.mapping.times import date_of, day_text, moment_of, time_of, time_text
from consumer.mapping.writings import BARE_NUMBER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from consumer.mapping.settings import TimeFormatSettings

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_NOON: Final = 12
_TOKEN: Final = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+|'")
_DATE_TEXT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}Z?")
_CLOCK_TEXT: Final = re.compile(r"[0-9]{2}:.*", re.DOTALL)

SYMBOLS: Final[dict[str, Callable[[datetime], str]]] = {
    "yyyy": lambda at: f"{at.year:04}",
    "yy": lambda at: f"{at.year % 100:02}",
    "MM": lambda at: f"{at.month:02}",
    "M": lambda at: str(at.month),
    "dd": lambda at: f"{at.day:02}",
    "d": lambda at: str(at.day),
    "HH": lambda at: f"{at.hour:02}",
    "H": lambda at: str(at.hour),
    "hh": lambda at: f"{at.hour % _NOON or _NOON:02}",
    "h": lambda at: str(at.hour % _NOON or _NOON),
    "mm": lambda at: f"{at.minute:02}",
    "ss": lambda at: f"{at.second:02}",
    "SSS": lambda at: f"{at.microsecond // 1000:03}",
    "a": lambda at: "AM" if at.hour < _NOON else "PM",
    "XXX": lambda at: _offset(at, ":"),
    "XX": lambda at: _offset(at, ""),
}
"""Each group of symbols with its writer."""

_DATE_SYMBOLS: Final = frozenset("yMd")
_CLOCK_SYMBOLS: Final = frozenset("HhmsSa")
_MEANT: Final = {
    "YYYY": "yyyy",
    "YY": "yy",
    "DD": "dd",
    "D": "d",
    "S": "SSS",
    "SSSSSS": "SSS",
    "m": "mm",
    "s": "ss",
    "T": "'T'",
    "Z": "XXX",
    "X": "XXX",
}


class TimeFormat:
    """A compiled `format`. `source_zone` applies to text without a zone."""

    def __init__(self, settings: TimeFormatSettings, source_zone: tzinfo | None) -> None:
        self._writers: list[str | Callable[[datetime], str]] = [
            literal if symbols is None else SYMBOLS[symbols]
            for literal, symbols in _tokens(settings.pattern)
        ]
        used = _symbols(settings.pattern)
        self._has_date = not used.isdisjoint(_DATE_SYMBOLS)
        self._has_clock = not used.isdisjoint(_CLOCK_SYMBOLS)
        self._has_offset = "X" in used
        self._zone: tzinfo = UTC if settings.zone is None else ZoneInfo(settings.zone)
        self._source_zone = source_zone

    def written(self, opened: Opened) -> str:
        """Write a date, a time of day, a point in time, or a text that is one of them.

        Raises: TIME_FORMAT, TIME_ZONE, TIME_RANGE; FIELD_TYPE for other kinds of values.
        """
        if type(opened) is str:
            opened = self._read(opened)
        if isinstance(opened, EpochMillis):
            at = self._local(opened)
        elif isinstance(opened, Days):
            at = self._midnight(opened)
        elif isinstance(opened, TimeOfDay):
            at = self._clock(opened)
        elif isinstance(opened, Digits):
            raise RecordError(Reason.TIME_FORMAT, BARE_NUMBER)
        else:
            raise RecordError(
                Reason.FIELD_TYPE, f"expected a date or a time, got {named_kind(opened)}"
            )
        return "".join([one if isinstance(one, str) else one(at) for one in self._writers])

    def _read(self, text: str) -> Opened:
        if _DATE_TEXT.fullmatch(text):
            return Days(date.fromisoformat(date_of(text)).toordinal() - _EPOCH_DAY)
        if _CLOCK_TEXT.fullmatch(text):
            return TimeOfDay(time_of(text))
        return EpochMillis(moment_of(text, self._source_zone))

    def _local(self, ms: int) -> datetime:
        try:
            return (_EPOCH + timedelta(milliseconds=ms)).astimezone(self._zone)
        except OverflowError:
            raise RecordError(Reason.TIME_RANGE, OUTSIDE_THE_CALENDAR) from None

    def _midnight(self, days: int) -> datetime:
        if self._has_clock or self._has_offset:
            raise RecordError(
                Reason.TIME_FORMAT,
                "expected a date-time for `format`, got a date; leave out the symbols of the time"
                " of day",
            )
        return datetime.fromisoformat(day_text(days))

    def _clock(self, ns: int) -> datetime:
        if self._has_date or self._has_offset:
            raise RecordError(
                Reason.TIME_FORMAT,
                "expected a date-time for `format`, got a time of day; leave out the symbols of"
                " the date",
            )
        # Nine digits of a second are read as six.
        return datetime.fromisoformat(f"1970-01-01T{time_text(ns)}")


def fault_of_time_format(pattern: str) -> str | None:
    """Return why a pattern cannot be used, else `None`."""
    for literal, symbols in _tokens(pattern):
        if symbols is None and literal == "'" and "''" not in pattern:
            return "the quote has no end; write text in single quotes, or '' for one quote"
        if symbols is not None and symbols not in SYMBOLS:
            guess = _MEANT.get(symbols)
            meant = f"; did you mean `{guess}`?" if guess else ""
            if "%" in pattern:
                meant = "; symbols are written without %"
            known = ", ".join(SYMBOLS)
            return (
                f"`{symbols}` is not a symbol of `format`; expected {known}, or text in single"
                f" quotes{meant}"
            )
    return _fault_of_symbols(_symbols(pattern))


def _fault_of_symbols(used: frozenset[str]) -> str | None:
    """Return which symbol lacks another one, so that it was probably mistaken, else `None`."""
    has_hour = not used.isdisjoint("Hh")
    fault = None
    if not used:
        fault = "the pattern has no symbols; write one such as dd.MM.yyyy"
    elif "m" in used and not has_hour:
        fault = "`mm` is the minute, and the pattern has no hour; write MM for the month"
    elif "M" in used and has_hour and used.isdisjoint("yd"):
        fault = "`MM` is the month, and the pattern has no day and no year; write mm for the minute"
    elif "h" in used and "a" not in used:
        fault = "`h` is the hour from 1 to 12, and the pattern has no `a` (AM or PM); write HH"
    return fault


def _tokens(pattern: str) -> Iterator[tuple[str, str | None]]:
    """Yield each part of a pattern: literal text and `None`, or nothing and a group of symbols."""
    for match in _TOKEN.finditer(pattern):
        if match[2] is not None:
            yield "", match[0]
        elif match[0] == "''":
            yield "'", None
        elif match[1] is not None:
            yield match[1].replace("''", "'"), None
        else:
            yield match[0], None


def _symbols(pattern: str) -> frozenset[str]:
    return frozenset(symbols[0] for _, symbols in _tokens(pattern) if symbols is not None)


def _offset(at: datetime, separator: str) -> str:
    """Write the offset from UTC: `Z`, or hours and minutes."""
    offset = at.utcoffset() or timedelta()
    if not offset:
        return "Z"
    minutes = int(offset.total_seconds()) // 60
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{separator}{abs(minutes) % 60:02}"
