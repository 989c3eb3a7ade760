"""Decides when a request may start, and how many may be open at a time."""

from __future__ import annotations

from collections import deque
from math import ceil, floor
from typing import Final

_MARGIN: Final = 0.03
"""Part of the share that is not used: requests may arrive closer together than they were sent."""

_BURST: Final = 0.02
_LEAST_LATE_S: Final = 0.02
_MOST_LATE_S: Final = 0.2
"""How much later than another a request may arrive, between the two for the largest and the
smallest rates: see `late_s`."""

_LATE_REQUESTS: Final = 8
"""Requests of a second that the margin for late arrivals costs at most."""

_NEWCOMERS: Final = 0.04
"""Part of the tenant's rate that is never shared out: ten requests of 250, for processes without a
share."""

_TICK_S: Final = 0.001
"""The shortest wait. A wait that the clock cannot tell from zero would be repeated in a busy
loop."""

_SMALLEST_FACTOR: Final = 1 / 16
_CLIMB_PER_S: Final = 1 / 60
"""Part of the full rate that comes back per second after a 429: from half to full in half a
minute."""

_SAME_CAUSE_S: Final = 1.0
"""Refusals within this time count as one event: the requests were in flight together."""


def late_s(requests_per_second: int) -> float:
    """Return how much later than another a request may arrive without exceeding the rate.

    A busy machine or a new connection may hold a request back for a tenth of a second. At a small
    rate a few requests that arrive together exceed it, and a margin costs little; at a large one
    they are few of many.
    """
    spare_s = _LATE_REQUESTS / requests_per_second - _MARGIN
    return max(_LEAST_LATE_S, min(_MOST_LATE_S, spare_s))


class RateBucket:
    """This process's share of the tenant's requests per second, kept in any sliding second.

    Two rules. Slots are spaced (GCRA), so that the service sees a stream and not bursts. And no
    window of a second and a margin holds more starts than `_most`, whatever delay the scheduler
    adds after a slot. The margin is for requests that arrive later than others (`late_s`): those
    that arrive within a second started within such a window.

    Why all replicas together stay within the tenant's rate:

    1. The partitions share out the rate that is left beside the newcomers' part, each share rounded
       down. So the owners of partitions together start no more than that, as long as each has at
       least one request per second.
    2. A share that shrinks takes effect at once. One that grows takes effect only when the requests
       of the former owner have left the window. So no window holds starts under the old and the new
       share of one partition.
    3. A process that owns nothing, or has just been given its first partition, starts one request
       per window, without knowing of the others. As many of these may start within one second as
       the newcomers' part has requests.
    """

    def __init__(self, requests_per_second: int) -> None:
        self._dealt_per_s = max(1, requests_per_second - ceil(requests_per_second * _NEWCOMERS))
        self._window_s = 1.0 + late_s(requests_per_second)
        self._share = 0.0
        self._pending_share: tuple[float, float] | None = None  # the larger share to come, and when
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
        """This process's part of the rate that is shared out, 0 to 1."""
        return self._share

    def set_share(self, owned: int, subscribed: int, now_s: float) -> None:
        """Set the share to the partitions owned among all that are subscribed, 0 when not known."""
        self._apply_pending_share(now_s)
        share = min(1.0, owned / subscribed) if subscribed > 0 else 0.0
        # Rule 2 above: smaller at once, larger only after a window. Of two larger shares in a row
        # the smaller one is kept.
        if share <= self._share:
            self._pending_share = None
            self._apply_share(share)
        elif self._pending_share is None or share < self._pending_share[0]:
            self._pending_share = (share, now_s + self._window_s)

    def limit_per_s(self, now_s: float) -> float:
        """Return how many requests per second may start at present."""
        return self._full_per_s * self._factor_now(now_s)

    def reserve(self, now_s: float) -> float:
        """Take the next slot and start if it is now; return 0 then.

        Otherwise return how long to wait before `start`.
        """
        self._apply_pending_share(now_s)
        # GCRA: up to `_burst` slots may be taken at once, the others follow one interval apart.
        interval_s = 1.0 / self.limit_per_s(now_s)
        slot_s = max(now_s, self._next_s - (self._burst - 1) * interval_s, self._paused_until_s)
        if self._pending_share is not None and slot_s > self._pending_share[1]:
            # A slot at the old, smaller rate would lie long after the larger share takes effect.
            return self._pending_share[1] - now_s
        self._next_s = max(self._next_s, slot_s) + interval_s
        return slot_s - now_s if slot_s > now_s else self.start(now_s)

    def start(self, now_s: float) -> float:
        """Start the request whose slot has come; return 0, or how long to wait and call again.

        A pause voids slots: each is taken again, after the pause and after the slots taken before.
        """
        # The slot lies in a pause that began after it was taken.
        if now_s < self._paused_until_s:
            return self.reserve(now_s)
        self._apply_pending_share(now_s)
        started_s = self._started_s
        while started_s and started_s[0] + self._window_s <= now_s:
            started_s.popleft()
        if len(started_s) >= self._most:
            # Several requests missed their slots and came together: the window has the last word.
            return max(_TICK_S, started_s[-self._most] + self._window_s - now_s)
        started_s.append(now_s)
        return 0.0

    def pause_until(self, now_s: float, duration_s: float) -> None:
        """Start nothing for this long, because the service asked for it."""
        self._paused_until_s = max(self._paused_until_s, now_s + duration_s)

    def paused_s(self, now_s: float) -> float:
        """Return how much of a pause is left."""
        return max(0.0, self._paused_until_s - now_s)

    def throttled(self, now_s: float) -> None:
        """Halve the rate after a 429. It climbs back by itself."""
        if now_s - self._halved_at_s < _SAME_CAUSE_S:
            return
        self._halved_at_s = now_s
        self._factor = max(_SMALLEST_FACTOR, self._factor_now(now_s) / 2)
        self._factor_at_s = now_s

    def _apply_pending_share(self, now_s: float) -> None:
        if self._pending_share is not None and now_s >= self._pending_share[1]:
            share, self._pending_share = self._pending_share[0], None
            self._apply_share(share)

    def _apply_share(self, share: float) -> None:
        if share != self._share:
            self._share = share
            self._fit()

    def _fit(self) -> None:
        """Spread the share over a second: a burst at once and spaced slots make at most `cap`."""
        # Rule 3 above: without a share one request per window.
        cap = self._dealt_per_s * self._share if self._share else 1.0
        if cap >= 1:
            cap = floor(cap)
        self._burst = max(1, floor(cap * _BURST))
        in_window = (cap + 1 - self._burst) * (1.0 - _MARGIN)
        self._full_per_s = in_window * (1.0 + _LEAST_LATE_S) / self._window_s
        self._most = max(1, min(floor(self._burst + in_window), round(cap * (1.0 - _MARGIN))))

    def _factor_now(self, now_s: float) -> float:
        return min(1.0, self._factor + max(0.0, now_s - self._factor_at_s) * _CLIMB_PER_S)


class RetryBudget:
    """Limits retries to a tenth of a minute's requests, but allows about one per second.

    The minimum keeps an outage probed: when every request is a retry, a tenth would be none.
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
        """Count a retry and return 0, or return how long to wait before the next call."""
        cell = self._cell(now_s)
        # Allowed by the tenth, or by the minimum of one per second.
        due_s = self._last_s + self._FLOOR_INTERVAL_S
        if self._retries + 1 > self._requests * self._PART and now_s < due_s:
            return due_s - now_s
        cell[2] += 1
        self._retries += 1
        self._last_s = now_s
        return 0.0

    def _cell(self, now_s: float) -> list[int]:
        """Return this second's counts `[second, requests, retries]`; drop those too old."""
        second = floor(now_s)
        while self._cells and self._cells[0][0] <= second - self._WINDOW_S:
            _, requests, retries = self._cells.popleft()
            self._requests -= requests
            self._retries -= retries
        if not self._cells or self._cells[-1][0] < second:
            self._cells.append([second, 0, 0])
        return self._cells[-1]


class AdaptiveLimit:
    """Limits how many requests may be open, by how the service answers.

    It doubles with each round until it first falls, then grows by one a round. It is halved on 429
    and 503, and falls by a tenth when answers take much longer than before. When a tenant stays
    slower, that becomes the new normal after some hundred answers.
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
        """Note an acceptance after `latency_s`, while `open_count` requests were open with it."""
        # The usual latency follows the recent one down at once and up only slowly.
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
            # A higher limit that is not used would prove nothing about the service.
            self._limit = min(
                self._most, self._limit + (1.0 if self._doubling else 1.0 / self._limit)
            )

    def pushed_back(self, now_s: float) -> None:
        """Note a 429 or 503."""
        self._fall(now_s, 0.5, self._recent_s)

    def _fall(self, now_s: float, factor: float, round_s: float) -> None:
        """Lower the limit once per round: the other answers of the round report the same event."""
        if now_s < self._rest_until_s:
            return
        self._rest_until_s = now_s + max(round_s, 0.1)
        self._doubling = False
        self._limit = max(1.0, self._limit * factor)
