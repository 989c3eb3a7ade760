"""The largest request body of one object: as configured, or learned from answers 413.

A proxy or gateway in between may allow less than the service does. Its limit is not documented
anywhere, so it is learned from refused requests:

```
413 for n bytes ──► limit = n/2, or the largest accepted body below n
ten minutes later ─► one batch a quarter larger (a trial) ─┬─ accepted: it is the limit, and the
                                                           │  next trial follows at once
                                                           └─ 413: as before, for ten minutes
```
"""

from __future__ import annotations

from typing import Final

TRIAL_AFTER_S: Final = 600.0
"""How long a learned limit is kept before a larger body is tried: one 413 in this time."""

SMALLEST_BYTES: Final = 4_096
"""No proxy has a lower limit: below it, only halving finds the row that is refused."""

CONTRADICTIONS: Final = 3
"""How many bodies in a row must be refused that are no larger than one accepted before."""

_STEP: Final = 1.25


class BodyLimit:
    """The limit for the bodies of one object, in bytes."""

    __slots__ = (
        "_accepted_bytes",
        "_contradictions",
        "_full_bytes",
        "_refused_bytes",
        "_smallest_bytes",
        "_trial_due_s",
        "limit_bytes",
    )

    def __init__(self, full_bytes: int, smallest_bytes: int = SMALLEST_BYTES) -> None:
        """`full_bytes` is the configured limit, which no body exceeds."""
        self._full_bytes = full_bytes
        self._smallest_bytes = smallest_bytes
        self.forget()

    def forget(self) -> None:
        """Start again with the configured limit: the tenant has another address."""
        self.limit_bytes = self._full_bytes
        self._accepted_bytes = self._refused_bytes = self._contradictions = 0
        self._trial_due_s = float("inf")

    def next_bytes(self, now_s: float) -> int:
        """Return the largest body that the next batch may have: more than the limit for a trial."""
        if now_s < self._trial_due_s:
            return self.limit_bytes
        return min(self._full_bytes, int(self.limit_bytes * _STEP) + 1)

    def trial_begun(self, now_s: float) -> None:
        """Note that a batch above the limit is complete: there is one at a time."""
        self._trial_due_s = now_s + TRIAL_AFTER_S

    def refused(self, body_bytes: int, records: int, now_s: float) -> bool:
        """Note a 413; return whether it lowers the limit."""
        if self._accepted_bytes >= body_bytes:
            # As large a body was accepted before: is it really the size that is refused?
            self._contradictions += 1
            self._refused_bytes = body_bytes
            if records == 1 or self._contradictions < CONTRADICTIONS:
                return False
            self._accepted_bytes = 0
        self._contradictions = 0
        self._trial_due_s = now_s + TRIAL_AFTER_S
        # A trial, or built before the limit was learned: it says nothing about the limit.
        if body_bytes > self.limit_bytes:
            return False
        found_bytes = max(self._accepted_bytes, body_bytes // 2, self._smallest_bytes)
        if found_bytes >= self.limit_bytes:
            return False
        self.limit_bytes = found_bytes
        return True

    def accepted(self, body_bytes: int, now_s: float) -> bool:
        """Note an acceptance; return whether it raises the limit."""
        self._accepted_bytes = max(self._accepted_bytes, body_bytes)
        if body_bytes >= self._refused_bytes:
            self._contradictions = 0
        if body_bytes <= self.limit_bytes:
            return False
        self.limit_bytes = body_bytes
        is_full = body_bytes * _STEP >= self._full_bytes
        if is_full:
            self.limit_bytes = self._full_bytes
        self._trial_due_s = float("inf") if is_full else now_s
        return True
