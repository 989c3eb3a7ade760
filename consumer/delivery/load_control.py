"""When a request may start and how many may be open.

The tenant's rate, the retry budget, the adaptive limit.
"""

from __future__ import annotations

from collections import deque
from math import ceil, floor
from typing import Final

_MARGIN: Final = 0.03
"""Requests arrive closer together than they left, when a slow one is followed by fast ones."""

_BURST: Final = 0.02
_WINDOW_S: Final = 1.02
"""A little more than the service's second: what started just outside of it may arrive inside."""

_NEWCOMERS: Final = 0.04
"""The part of the tenant's rate that is never dealt: ten requests of 250, for processes without a
share."""

_TICK_S: Final = 0.001
"""The shortest wait that is asked for: what a clock cannot tell from none would be asked for again
and again."""

_SMALLEST_FACTOR: Final = 1 / 16
_CLIMB_PER_S: Final = 1 / 60
"""How much of the full rate comes back per second after a 429: from a half in half a minute."""

_SAME_CAUSE_S: Final = 1.0
"""Refusals within this time of one another are one event: the requests were under way together."""


class RateBucket:
    """The process's share of the tenant's requests per second, kept in any sliding second.

    Two rules. Places are spaced (GCRA), so that the service sees a stream, not waves. And whatever
    the scheduler does to lanes that wait for their place, no second holds more starts than `_most`,
    which is below the share.

    Why all replicas together stay within the tenant's rate, in any window of a second: 1.
    Partitions share out what is left beside the newcomers' part, each share rounded down, so owners
    that
       stand still start no more than that, as long as each has at least one request per second.
    2. A share that shrinks does so at once. One that grows waits until what the earlier owner
    started has left
       the window. So no window holds starts under the old and under the new share of one partition.
    3. Who owns nothing, or has just been given its first partition, starts one request in a window.
    Nobody has
       dealt it a share, and it knows of no other that starts beside it; so all that can be said of these is
       their number: as many may start within one second as the newcomers' part has requests.
    """

    def __init__(self, requests_per_second: int) -> None:
        self._dealt_per_s = max(1, requests_per_second - ceil(requests_per_second * _NEWCOMERS))
        self._share = 0.0
        self._grown: tuple[float, float] | None = None  # the larger share to come, and when
        self._factor = 1.0
        self._factor_at_s = 0.0
        self._next_s = float("-inf")
        self._paused_until_s = float("-inf")
        self._halved_at_s = float("-inf")
        self._started_s: deque[float] = deque()
        self._burst = 1
        self._full_per_s = 0.0
        self._most = 1
        self._fit()

    @property
    def share(self) -> float:
        """The part of what is dealt that is ours, 0 to 1."""
        return self._share

    def set_share(self, owned: int, subscribed: int, now_s: float) -> None:
        """Take the share of the partitions owned among all that are subscribed.

        0 when that is not known.
        """
        self._grow(now_s)
        share = min(1.0, owned / subscribed) if subscribed > 0 else 0.0
        if share <= self._share:
            self._grown = None
            self._take(share)
        elif self._grown is None or share < self._grown[0]:
            self._grown = (share, now_s + _WINDOW_S)

    def limit_per_s(self, now_s: float) -> float:
        """Return how many requests per second may start at present."""
        return self._full_per_s * self._factor_now(now_s)

    def reserve(self, now_s: float) -> float:
        """Take the next place: 0 when the request starts now.

        Else how long to wait before asking `start`.
        """
        self._grow(now_s)
        interval_s = 1.0 / self.limit_per_s(now_s)
        place_s = max(now_s, self._next_s - (self._burst - 1) * interval_s, self._paused_until_s)
        if self._grown is not None and place_s > self._grown[1]:
            # A place at the old, smaller rate would be held long after the larger share has come.
            return self._grown[1] - now_s
        self._next_s = max(self._next_s, place_s) + interval_s
        return place_s - now_s if place_s > now_s else self.start(now_s)

    def start(self, now_s: float) -> float:
        """Start the request whose place has come.

        0 when it may, else how long to wait and ask again.

        A pause makes places void: each is taken anew, after the pause and after all that were taken
        before.
        """
        if now_s < self._paused_until_s:
            return self.reserve(now_s)
        self._grow(now_s)
        started_s = self._started_s
        while started_s and started_s[0] + _WINDOW_S <= now_s:
            started_s.popleft()
        if len(started_s) >= self._most:
            # Lanes that overslept their places came together.
            return max(_TICK_S, started_s[-self._most] + _WINDOW_S - now_s)
        started_s.append(now_s)
        return 0.0

    def pause_until(self, now_s: float, duration_s: float) -> None:
        """Start nothing for this long: the service said when to come back."""
        self._paused_until_s = max(self._paused_until_s, now_s + duration_s)

    def paused_s(self, now_s: float) -> float:
        """Return how much of a pause is left."""
        return max(0.0, self._paused_until_s - now_s)

    def throttled(self, now_s: float) -> None:
        """Halve the rate: the service said that we are too fast. It climbs back by itself."""
        if now_s - self._halved_at_s < _SAME_CAUSE_S:
            return
        self._halved_at_s = now_s
        self._factor = max(_SMALLEST_FACTOR, self._factor_now(now_s) / 2)
        self._factor_at_s = now_s

    def _grow(self, now_s: float) -> None:
        if self._grown is not None and now_s >= self._grown[1]:
            share, self._grown = self._grown[0], None
            self._take(share)

    def _take(self, share: float) -> None:
        if share != self._share:
            self._share = share
            self._fit()

    def _fit(self) -> None:
        """Spread the share over a second.

        `burst` places at once and the rest spaced make at most `cap`.
        """
        cap = self._dealt_per_s * self._share if self._share else 1.0
        if cap >= 1:
            cap = floor(cap)
        self._burst = max(1, floor(cap * _BURST))
        self._full_per_s = (cap + 1 - self._burst) * (1.0 - _MARGIN)
        self._most = max(
            1, min(floor(self._burst + self._full_per_s), round(cap * (1.0 - _MARGIN)))
        )

    def _factor_now(self, now_s: float) -> float:
        return min(1.0, self._factor + max(0.0, now_s - self._factor_at_s) * _CLIMB_PER_S)


class RetryBudget:
    """Retries are at most a tenth of the requests of a minute, and at least about one per second.

    The floor keeps an outage probed: when every request is a retry, a tenth of nothing would be
    silence.
    """

    _WINDOW_S: Final = 60.0
    _PART: Final = 0.1
    _FLOOR_INTERVAL_S: Final = 1.0

    def __init__(self) -> None:
        self._cells: deque[list[int]] = deque()
        self._requests = 0
        self._retries = 0
        self._last_s = float("-inf")

    def sent(self, now_s: float) -> None:
        """Count a request, retry or not."""
        self._cell(now_s)[1] += 1
        self._requests += 1

    def may_retry(self, now_s: float) -> float:
        """Return 0 and count the retry when it may go now.

        Else how long to wait before asking again.
        """
        cell = self._cell(now_s)
        due_s = self._last_s + self._FLOOR_INTERVAL_S
        if self._retries + 1 > self._requests * self._PART and now_s < due_s:
            return due_s - now_s
        cell[2] += 1
        self._retries += 1
        self._last_s = now_s
        return 0.0

    def _cell(self, now_s: float) -> list[int]:
        """Return this second's counts `[second, requests, retries]`.

        Dropping those that left the window.
        """
        second = floor(now_s)
        while self._cells and self._cells[0][0] <= second - self._WINDOW_S:
            _, requests, retries = self._cells.popleft()
            self._requests -= requests
            self._retries -= retries
        if not self._cells or self._cells[-1][0] < second:
            self._cells.append([second, 0, 0])
        return self._cells[-1]


class AdaptiveLimit:
    """How many requests may be open: as many as bring something.

    It doubles with each round until the first push-back, then grows by one a round; it falls by
    half on 429 and 503, and by a tenth when answers take much longer than they did. A tenant that
    has become slower for good becomes the new normal after some hundred answers.
    """

    _FIRST: Final = 8
    _BAND: Final = 2.0
    _BAND_S: Final = 0.05
    _RECENT: Final = 1 / 16
    _DRIFT: Final = 1 / 128

    def __init__(self, in_flight: int) -> None:
        self._most = in_flight
        self._limit = float(min(in_flight, self._FIRST))
        self._doubling = True
        self._usual_s: float | None = None
        self._recent_s = 0.0
        self._rest_until_s = float("-inf")

    @property
    def limit(self) -> int:
        """How many requests may be open now, from 1 to `in_flight`."""
        return int(self._limit)

    def answered(self, now_s: float, latency_s: float, open_count: int) -> None:
        """An answer came after `latency_s` while `open_count` requests were open.

        This one included.
        """
        if self._usual_s is None:
            self._usual_s = self._recent_s = latency_s
        self._recent_s += (latency_s - self._recent_s) * self._RECENT
        if self._recent_s <= self._usual_s:
            self._usual_s = self._recent_s
        else:
            self._usual_s += (self._recent_s - self._usual_s) * self._DRIFT
        if self._recent_s > self._usual_s * self._BAND + self._BAND_S:
            self._fall(now_s, 0.9, latency_s)
        elif open_count >= self.limit:
            # Growing while the room is not used would prove nothing about the service.
            self._limit = min(
                self._most, self._limit + (1.0 if self._doubling else 1.0 / self._limit)
            )

    def pushed_back(self, now_s: float) -> None:
        """The service answered 429 or 503."""
        self._fall(now_s, 0.5, self._recent_s)

    def _fall(self, now_s: float, factor: float, round_s: float) -> None:
        """Fall once per round: the other requests of the round tell of the same event."""
        if now_s < self._rest_until_s:
            return
        self._rest_until_s = now_s + max(round_s, 0.1)
        self._doubling = False
        self._limit = max(1.0, self._limit * factor)
