"""Learns how far the machine's clock is from the service's, from the `Date` of answers.

    Date: D  ──►  the service's time in the middle of the request, within 0.5 s and half of it
                  minus the monotonic clock = one sample
    last samples ──► median ──► the service's time, at any monotonic time

The monotonic clock does not jump when the wall clock is set. So a wall clock that is set while the
program runs is off at once, and right again at once.

When is the service's time used?

| the two clocks | used |
|---|---|
| at most a minute apart | the machine's |
| at most a day apart, three samples agree | the service's |
| further apart, or too few samples, or set or suspended since | the later |
| more than a year apart | the machine's: the peer has no clock |
| no sample at all | for a record whose Kafka timestamp is later, that timestamp |

The later one, because a time is the bound for versions that are too far ahead: where it is not sure
which clock is right, no good record may be refused.
"""

from __future__ import annotations

from collections import deque
from datetime import UTC
from email.utils import parsedate_to_datetime
from statistics import median
from typing import Final

import msgspec

ALLOWED_MS: Final = 60_000
"""A difference up to here is within what requests and clocks vary by, and is not corrected."""

LARGEST_CORRECTION_MS: Final = 86_400_000
LARGEST_DIFFERENCE_MS: Final = 366 * 86_400_000

_SAMPLES: Final = 5
_AGREEING: Final = 3
_LONGEST_REQUEST_S: Final = 10.0
"""The middle of a longer request says too little about when the answer was made."""

_TOLERANCE_MS: Final = 2_000.0
_HALF_SECOND_MS: Final = 500


class _DatedAnswer(msgspec.Struct, frozen=True):
    """`service_ms` and `machine_ms` are wall clocks minus the monotonic clock."""

    service_ms: float
    machine_ms: float


class ClockOffset:
    """The service's clock, as far as it is known. Every time is passed in."""

    def __init__(self) -> None:
        self._samples: deque[_DatedAnswer] = deque(maxlen=_SAMPLES)
        self._service_ms = 0.0
        self._agree = False

    def note(self, date: str | None, *, now_s: float, wall_ms: int, elapsed_s: float) -> None:
        """Note the `Date` of an answer that arrived now, `elapsed_s` after its request was sent."""
        date_ms = _date_ms(date)
        if date_ms is None or elapsed_s > _LONGEST_REQUEST_S:
            return
        # The header has whole seconds, cut off.
        middle_ms = (now_s - elapsed_s / 2) * 1_000
        sample = _DatedAnswer(date_ms + _HALF_SECOND_MS - middle_ms, wall_ms - now_s * 1_000)
        if abs(sample.service_ms - sample.machine_ms) > LARGEST_DIFFERENCE_MS:
            return
        if self._samples and _differ(sample.machine_ms, self._samples[-1].machine_ms):
            # The clock was set, or the machine suspended: the monotonic clock stood still then.
            self._samples.clear()
        self._samples.append(sample)
        self._service_ms = median(one.service_ms for one in self._samples)
        agreeing = sum(not _differ(one.service_ms, self._service_ms) for one in self._samples)
        self._agree = agreeing >= _AGREEING

    def ahead_ms(self, now_s: float, wall_ms: int) -> int | None:
        """Return how far the machine's clock is ahead of the service's; negative: behind.

        `None` before the first answer with a date.
        """
        if not self._samples:
            return None
        return round(wall_ms - now_s * 1_000 - self._service_ms)

    def corrected_ms(self, now_s: float, wall_ms: int) -> int:
        """Return the time to use at these times of the machine: see the table above."""
        ahead_ms = self.ahead_ms(now_s, wall_ms)
        if ahead_ms is None or abs(ahead_ms) <= ALLOWED_MS:
            return wall_ms
        service_ms = wall_ms - ahead_ms
        if self._is_sure(now_s, wall_ms) and abs(ahead_ms) <= LARGEST_CORRECTION_MS:
            return service_ms
        return max(wall_ms, service_ms)

    def latest_ms(self, record_ms: int, now_s: float, wall_ms: int) -> int:
        """Return the latest time that it may be, given the Kafka timestamp of a record.

        Where the service's time is not known, a record of the future shows that the machine's clock
        or the producer's is off; the record is not to blame for the machine's.
        """
        corrected_ms = self.corrected_ms(now_s, wall_ms)
        if self._samples or not ALLOWED_MS < record_ms - corrected_ms <= LARGEST_CORRECTION_MS:
            return corrected_ms
        return record_ms

    def _is_sure(self, now_s: float, wall_ms: int) -> bool:
        return self._agree and not _differ(wall_ms - now_s * 1_000, self._samples[-1].machine_ms)


def _differ(one_ms: float, other_ms: float) -> bool:
    return abs(one_ms - other_ms) > _TOLERANCE_MS


def _date_ms(text: str | None) -> float | None:
    """Return the time in a `Date` header; `None` without one, or for text that is not a date."""
    try:
        at = parsedate_to_datetime(text or "")
        return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp() * 1_000
    except (ValueError, OverflowError):
        return None
