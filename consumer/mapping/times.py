"""Times and dates as Data Cloud wants them.

Strict in, one canonical form out, each second written once.

Consecutive records carry neighbouring times: the text of a second, a day and a parsed prefix is
kept, which takes a date-time from 2.5 µs to 0.4 µs.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, tzinfo
from functools import lru_cache

from consumer.errors import Reason, RecordError

_KEPT = 8192
_KEPT_DAYS = 32_768
"""Dates of birth reach over as many days."""

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - what is added to it is UTC
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_FIRST_SECOND = (date.min.toordinal() - _EPOCH_DAY) * 86_400
_LAST_SECOND = (date.max.toordinal() - _EPOCH_DAY + 1) * 86_400 - 1
_DAY_NS = 86_400_000_000_000

_SECONDS_LENGTH = len("2026-01-31T00:00:00")
_MICROS_LENGTH = len("2026-01-31T00:00:00.123456Z")
MILLIS = tuple(f".{ms:03}Z" for ms in range(1000))
"""How a date-time ends, by its millisecond."""

_MILLI_SUFFIX = {f"{ms:03}": suffix for ms, suffix in enumerate(MILLIS)}

_DATE = r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
_CLOCK = r"([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]+))?)?"
_ZONE = r"(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?"
_SECOND_TEXT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}")
_TAIL = re.compile(rf"(?:\.([0-9]+))?{_ZONE}")
_DATE_TIME_TEXT = re.compile(f"{_DATE}[T ]{_CLOCK}{_ZONE}")
_DATE_TEXT = re.compile(_DATE)
_TIME_TEXT = re.compile(_CLOCK)
_OTHER_YEARS = re.compile(
    r"(?:[+-][0-9]{4}|[+-]?[0-9]{5,})-[0-9]{2}-[0-9]{2}(?:[T ].*)?"
    r"|[0-9]{4,}-[0-9]{2}-[0-9]{2}(?: .*)? BC",
    re.DOTALL,
)
_NO_HOUR = "24"
"""Python 3.13 and later read it as the next day."""

_NO_SUCH_TIME = "no such date or time of day"
_INFINITIES = frozenset({"infinity", "-infinity"})


def moment_text(ms: int) -> str:
    """Write a point in time, UTC to the millisecond.

    Raises TIME_RANGE outside the years 0001 to 9999.
    """
    second, milli = divmod(ms, 1000)
    return second_text(second) + MILLIS[milli]


def moment_text_of_us(us: int) -> str:
    """Write a point in time given in microseconds."""
    return second_text(us // 1_000_000) + MILLIS[us // 1_000 % 1_000]


def moment_text_of_text(text: str, zone: tzinfo | None = None) -> str:
    """Write a point in time given as text.

    `moment_text` of `moment_of`, in one step for the commonest form.
    """
    # 2026-01-31T00:00:00.123456Z, in three pieces that are each known again: digits are ASCII
    # digits by the table.
    if len(text) == _MICROS_LENGTH and text[26] == "Z" and text[23:26] in _MILLI_SUFFIX:
        second, suffix = _dotted_second_text(text[:20]), _MILLI_SUFFIX.get(text[20:23])
        if second is not None and suffix is not None:
            return second + suffix
    return moment_text(moment_of(text, zone))


@lru_cache(_KEPT)
def _dotted_second_text(text: str) -> str | None:
    if not text.endswith(".") or _utc_second(text[:-1], "Z", None) is None:
        return None
    return f"{text[:10]}T{text[11:-1]}"


@lru_cache(_KEPT)
def second_text(second: int) -> str:
    """Write a whole second, without the zone. Raises TIME_RANGE outside the years 0001 to 9999."""
    if not _FIRST_SECOND <= second <= _LAST_SECOND:
        raise RecordError(Reason.TIME_RANGE, "outside the years 0001 to 9999")
    return (_EPOCH + timedelta(seconds=second)).isoformat()


@lru_cache(_KEPT_DAYS)
def day_text(days: int) -> str:
    """Write a calendar date. Raises TIME_RANGE outside the years 0001 to 9999."""
    ordinal = days + _EPOCH_DAY
    if not date.min.toordinal() <= ordinal <= date.max.toordinal():
        raise RecordError(Reason.TIME_RANGE, "outside the years 0001 to 9999")
    return date.fromordinal(ordinal).isoformat()


def time_text(ns: int) -> str:
    """Write a time of day with 0, 3, 6 or 9 fraction digits, as many as it needs."""
    if not 0 <= ns < _DAY_NS:
        raise RecordError(Reason.TIME_RANGE, "outside one day")
    seconds, fraction = divmod(ns, 1_000_000_000)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    if not fraction:
        return text
    digits = f"{fraction:09}"
    while digits.endswith("000"):
        digits = digits[:-3]
    return f"{text}.{digits}"


def moment_of(text: str, zone: tzinfo | None) -> int:
    """Read an ISO 8601 date-time with zone as milliseconds; digits below are cut towards the past.

    `zone` is that of texts that carry none. Raises: TIME_FORMAT, TIME_ZONE, TIME_RANGE.
    """
    # Nearly all are read through the memory of their first 19 characters, which neighbours share.
    tail = _TAIL.fullmatch(text, _SECONDS_LENGTH)
    if tail is not None:
        fraction, offset = tail.groups()
        known = _utc_second(text[:_SECONDS_LENGTH], offset, zone)
        if known is not None:
            return known * 1000 + (int(fraction[:3].ljust(3, "0")) if fraction else 0)
    match = _DATE_TIME_TEXT.fullmatch(text)
    if match is None:
        return _moment_of_other_shape(text, zone)
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    local = _calendar(year, month, day, hour, minute, second or "0")
    ms = int((fraction or "0")[:3].ljust(3, "0"))
    return _second_in_utc(local, offset, zone) * 1000 + ms


@lru_cache(_KEPT)
def _utc_second(text: str, offset: str | None, zone: tzinfo | None) -> int | None:
    if not _SECOND_TEXT.fullmatch(text):
        return None
    try:
        local = None if text[11:13] == _NO_HOUR else datetime.fromisoformat(text)
    except ValueError:
        local = None
    if local is None:
        raise RecordError(Reason.TIME_RANGE, _NO_SUCH_TIME)
    return _second_in_utc(local, offset, zone)


def _second_in_utc(local: datetime, offset: str | None, zone: tzinfo | None) -> int:
    """Read a local time with its own offset, else in the route's zone."""
    return _zoned(local, zone) if offset is None else _second_of(local) - _offset_seconds(offset)


def _moment_of_other_shape(text: str, zone: tzinfo | None) -> int:
    """Tell apart a date, a sentinel or year that no calendar here has.

    And what is no time at all.
    """
    if _DATE_TEXT.fullmatch(text):
        return _zoned(datetime.fromisoformat(date_of(text)), zone) * 1000
    if text in _INFINITIES or _OTHER_YEARS.fullmatch(text):
        raise RecordError(Reason.TIME_RANGE, "infinity, or outside the years 0001 to 9999")
    raise RecordError(Reason.TIME_FORMAT, "an ISO 8601 date-time wanted, another text found")


def _calendar(*parts: str) -> datetime:
    """Build a local time. Raises TIME_RANGE for one that no calendar and no clock shows (24:00 and :60 too)."""
    try:
        return datetime(*map(int, parts))  # type: ignore[arg-type]  # noqa: DTZ001 - the caller adds the zone
    except ValueError:
        raise RecordError(Reason.TIME_RANGE, _NO_SUCH_TIME) from None


def _second_of(local: datetime) -> int:
    return (
        ((local.toordinal() - _EPOCH_DAY) * 24 + local.hour) * 3600
        + local.minute * 60
        + local.second
    )


def _offset_seconds(offset: str) -> int:
    """Return the seconds east of UTC."""
    if offset == "Z":
        return 0
    hours, minutes = int(offset[1:3]), int(offset[-2:]) if len(offset) > len("+00") else 0
    if hours > 18 or minutes > 59:  # noqa: PLR2004 - no zone is further from UTC than 18 hours
        raise RecordError(Reason.TIME_RANGE, "no zone is that far from UTC")
    return (hours * 3600 + minutes * 60) * (-1 if offset[0] == "-" else 1)


def _zoned(local: datetime, zone: tzinfo | None) -> int:
    """Read a local time in the route's zone.

    One that a clock change skips or repeats has no single answer.
    """
    if zone is None:
        raise RecordError(Reason.TIME_ZONE, "no zone in the text; write the route's `zone`")
    first, second = (
        local.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta() for fold in (0, 1)
    )
    if first != second:
        raise RecordError(Reason.TIME_ZONE, "a clock change skips or repeats this local time")
    return _second_of(local) - int(first.total_seconds())


@lru_cache(_KEPT_DAYS)
def date_of(text: str) -> str:
    """Read a calendar date, a trailing `Z` allowed.

    Raises: TIME_FORMAT, TIME_RANGE, FIELD_TYPE for a date-time.
    """
    stripped = text.removesuffix("Z")
    match = _DATE_TEXT.fullmatch(stripped)
    if match is not None:
        _calendar(*match.groups())
        return stripped
    if _DATE_TIME_TEXT.fullmatch(text):
        raise RecordError(Reason.FIELD_TYPE, "date wanted, date-time found")
    if text in _INFINITIES or _OTHER_YEARS.fullmatch(stripped):
        raise RecordError(Reason.TIME_RANGE, "infinity, or outside the years 0001 to 9999")
    raise RecordError(Reason.TIME_FORMAT, "a date such as 2026-01-31 wanted, another text found")


def time_of(text: str) -> int:
    """Read a time of day, a trailing `Z` allowed, as nanoseconds.

    Raises: TIME_FORMAT, TIME_RANGE.
    """
    match = _TIME_TEXT.fullmatch(text.removesuffix("Z"))
    if match is None:
        raise RecordError(
            Reason.TIME_FORMAT, "a time of day such as 08:30:00 wanted, another text found"
        )
    hour, minute, second, fraction = match.groups()
    clock = _calendar("1970", "01", "01", hour, minute, second or "0")
    seconds = clock.hour * 3600 + clock.minute * 60 + clock.second
    return seconds * 1_000_000_000 + int((fraction or "0")[:9].ljust(9, "0"))
