"""Makes every request to the tenant wait for its slot, and for the end of a pause."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.backoff import jittered_pause_s
from consumer.delivery.verdicts import Accepted, HoldLane, Retry

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.clock import Clock
    from consumer.delivery.load_control import RateBucket
    from consumer.delivery.verdicts import Verdict


class RateLimiter:
    """The one rate limiter for all requests to the tenant.

    Logins go to another host and do not use it.
    """

    def __init__(self, rate: RateBucket, clock: Clock, rng: Callable[[], float]) -> None:
        self._rate = rate
        self._clock = clock
        self._rng = rng

    async def acquire(self) -> None:
        """Wait for the next slot under the tenant's rate."""
        wait_s = self._rate.reserve(self._clock.now_s())
        while wait_s > 0:
            await self._clock.sleep(wait_s)
            wait_s = self._rate.start(self._clock.now_s())

    def observe(self, verdict: Verdict) -> float | None:
        """Apply what a verdict says about the rate; return the pause that it asks for, if any."""
        asked_s: float | None = None
        if isinstance(verdict, Accepted):
            asked_s = verdict.not_before_s
        elif isinstance(verdict, Retry):
            asked_s = verdict.after_s
            if verdict.throttled:
                self._rate.throttled(self._clock.now_s())
        elif isinstance(verdict, HoldLane):
            asked_s = verdict.after_s
        if asked_s is None:
            return None
        pause_s = jittered_pause_s(asked_s, self._rng())
        self._rate.pause_until(self._clock.now_s(), pause_s)
        return pause_s
