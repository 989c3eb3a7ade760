"""The `not`, `above` and `below` of a condition in `where`: exact numbers, dates and times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from consumer.decoding.opened import Days, Digits, EpochMillis, Opened, open_value
from consumer.errors import Reason, RecordError
from consumer.mapping.kinds import named_kind
from consumer.mapping.numbers import GRAMMAR, checked
from consumer.mapping.times import date_of, day_text, moment_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.mapping.settings import Comparison

_EPOCH_DAY: Final = datetime(1970, 1, 1, tzinfo=UTC).toordinal()
_DATE_LENGTH: Final = len("2026-01-31Z")
_DAY_S: Final = 86_400


class Range(Protocol):
    """The bounds of a condition, compared with values that are not null."""

    def contains(self, opened: Opened) -> bool:
        """Whether a value is within the bounds. Raises `RecordError` for another kind of value."""
        ...


class NumberRange:
    """Numbers between two bounds, which are outside. Decimals are compared, never floats."""

    def __init__(self, above: Digits | None, below: Digits | None) -> None:
        self._above = None if above is None else Decimal(above)
        self._below = None if below is None else Decimal(below)

    @property
    def is_empty(self) -> bool:
        """Whether no number is between the bounds."""
        return self._above is not None and self._below is not None and self._above >= self._below

    def contains(self, opened: Opened) -> bool:
        """Whether a number is between the bounds; text may be a number, in JSON's grammar.

        Raises: FIELD_TYPE for another kind of value, NUMBER_RANGE.
        """
        if not isinstance(opened, Digits) and not (
            type(opened) is str and GRAMMAR.fullmatch(opened)
        ):
            detail = f"expected a number for the bounds in `where`, got {named_kind(opened)}"
            raise RecordError(Reason.FIELD_TYPE, detail)
        amount = _amount(str(opened))
        return (self._above is None or amount > self._above) and (
            self._below is None or amount < self._below
        )


class Moment(msgspec.Struct, frozen=True):
    """A date or a time. Units: `ms` since the epoch; `days` since it, only if it is a date."""

    ms: int
    days: int | None = None

    def is_after(self, other: Moment) -> bool:
        """Whether this is later: two dates by their days, else by the first moment of a date."""
        if self.days is not None and other.days is not None:
            return self.days > other.days
        return self.ms > other.ms


class TimeRange:
    """Dates and times between two bounds, which are outside."""

    def __init__(self, above: Moment | None, below: Moment | None, zone: tzinfo | None) -> None:
        self._above = above
        self._below = below
        self._zone = zone

    @property
    def is_empty(self) -> bool:
        """Whether no time is between the bounds."""
        above, below = self._above, self._below
        return above is not None and below is not None and not below.is_after(above)

    def contains(self, opened: Opened) -> bool:
        """Whether a date or a time is between the bounds.

        Raises: FIELD_TYPE for another kind of value; a TIME reason for text that is not a time.
        """
        moment = self._moment(opened)
        return (self._above is None or moment.is_after(self._above)) and (
            self._below is None or self._below.is_after(moment)
        )

    def _moment(self, opened: Opened) -> Moment:
        if type(opened) is str:
            return moment_in_text(opened, self._zone)
        if isinstance(opened, Days):
            return _first_moment(opened, self._zone)
        if isinstance(opened, EpochMillis):
            return Moment(int(opened))
        remedy = "; set `unit` beside the bounds" if isinstance(opened, Digits) else ""
        detail = (
            f"expected a date or a time for the bounds in `where`, got {named_kind(opened)}{remedy}"
        )
        raise RecordError(Reason.FIELD_TYPE, detail)


class ComparedValues:
    """The values that the `not`, `above` and `below` of a condition accept together.

    Null is not within any bounds. `read` gives a value the kind that the bounds have.
    """

    def __init__(
        self,
        excludes: Callable[[Opened], bool],
        bounds: Range | None,
        read: Callable[[Opened], Opened],
    ) -> None:
        self._excludes = excludes
        self._bounds = bounds
        self._read = read

    def contains(self, opened: Opened) -> bool:
        """Whether a value meets all tests. Raises: `RecordError` if it cannot be compared."""
        if self._excludes(opened):
            return False
        if self._bounds is None:
            return True
        return opened is not None and self._bounds.contains(self._read(opened))


def range_of(comparison: Comparison, zone: tzinfo | None) -> NumberRange | TimeRange | None:
    """Return the bounds of a condition; `None` if it has none.

    Raises: FIELD_TYPE for bounds of two kinds; a TIME reason, NUMBER_RANGE.
    """
    opened = [
        None if one is None else open_value(one) for one in (comparison.above, comparison.below)
    ]
    given = [one for one in opened if one is not None]
    if not given:
        return None
    above, below = opened
    numbers = [one for one in given if isinstance(one, Digits)]
    if len(numbers) == len(given):
        return NumberRange(
            above if isinstance(above, Digits) else None,
            below if isinstance(below, Digits) else None,
        )
    if numbers:
        detail = "expected two numbers, or two dates or times, got one of each"
        raise RecordError(Reason.FIELD_TYPE, detail)
    return TimeRange(
        None if above is None else moment_in_text(str(above), zone),
        None if below is None else moment_in_text(str(below), zone),
        zone,
    )


def moment_in_text(text: str, zone: tzinfo | None) -> Moment:
    """Read a date, or a time with a zone or in the route's zone. Raises: a TIME reason."""
    if len(text) <= _DATE_LENGTH and ":" not in text:
        return _first_moment(datetime.fromisoformat(date_of(text)).toordinal() - _EPOCH_DAY, zone)
    return Moment(moment_of(text, zone))


def _first_moment(days: int, zone: tzinfo | None) -> Moment:
    """Return a date with its first moment in a zone, UTC without one. Raises: TIME_RANGE."""
    local = datetime.fromisoformat(day_text(days)).replace(tzinfo=zone or UTC)
    # Where a clock change skips midnight, `fold=0` gives the moment of the change.
    offset = local.utcoffset() or timedelta()
    return Moment((days * _DAY_S - int(offset.total_seconds())) * 1000, int(days))


def _amount(digits: str) -> Decimal:
    """Return a number exactly. Raises: NUMBER_RANGE beyond a double."""
    try:
        return Decimal(checked(digits))
    except InvalidOperation:
        detail = "expected a number with an exponent that fits a double, got another"
        raise RecordError(Reason.NUMBER_RANGE, detail) from None
