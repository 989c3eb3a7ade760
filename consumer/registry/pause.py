"""Keeps the pause that a schema registry asks for: one for all requests to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.backoff import jittered_pause_s
from consumer.errors import Transient
from consumer.http.messages import Answer
from consumer.http.retry_after import pause_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.clock import Clock
    from consumer.http.messages import HttpOutcome


class RegistryPause:
    """Requests are made for several schemas at a time, and none of them comes before its end."""

    def __init__(self, clock: Clock, rng: Callable[[], float]) -> None:
        self._clock = clock
        self._rng = rng
        self._until_s = float("-inf")

    def check(self) -> None:
        """Return when nothing is paused. Raises: `Transient` with what is left of the pause."""
        left_s = self._until_s - self._clock.now_s()
        if left_s > 0:
            detail = f"the schema registry asked for a pause; {left_s:.0f} s are left"
            raise Transient(detail, after_s=left_s)

    def asked_s(self, outcome: HttpOutcome) -> float | None:
        """Note an outcome; return the pause that it asks for."""
        if not isinstance(outcome, Answer):
            return None
        asked_s = pause_s(outcome, self._clock.wall_ms())
        if asked_s is not None:
            until_s = self._clock.now_s() + jittered_pause_s(asked_s, self._rng())
            self._until_s = max(self._until_s, until_s)
        return asked_s
