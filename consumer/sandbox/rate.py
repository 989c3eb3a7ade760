"""The tenant's request limit: so many in any sliding second, over all objects together."""

from __future__ import annotations

from collections import deque


class SlidingSecond:
    """Admits `limit` requests in any second; what is refused does not count."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._admitted: deque[float] = deque()

    def admit(self, now_s: float) -> bool:
        """Say whether a request that arrives now is within the limit, and remember it if so."""
        admitted = self._admitted
        while admitted and admitted[0] <= now_s - 1.0:
            admitted.popleft()
        if len(admitted) >= self.limit:
            return False
        admitted.append(now_s)
        return True
