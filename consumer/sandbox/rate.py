"""The request limit of the tenant, for any sliding second over all objects."""

from __future__ import annotations

from collections import deque


class SlidingSecond:
    """Admits `limit` requests in any second; refused requests do not count."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._admitted: deque[float] = deque()

    def admit(self, now_s: float) -> bool:
        """Return whether a request that arrives now is within the limit, and count it if so."""
        admitted = self._admitted
        while admitted and admitted[0] <= now_s - 1.0:
            admitted.popleft()
        if len(admitted) >= self.limit:
            return False
        admitted.append(now_s)
        return True
