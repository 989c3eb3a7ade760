"""Stops dead-lettering when too many records are at fault."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from consumer.dead_letter.settings import FuseSettings
    from consumer.errors import Reason

WINDOW_S: Final = 60
"""Length of the sliding window for the share. Counts are kept per second, so memory is bounded."""

SHARE_FROM_COUNT: Final = 200
"""Fewest records in the window for which the share is evaluated."""


class Fuse:
    """Counts records that passed and records at fault; blown when the set-up must be at fault.

    It is blown by a run (`consecutive` records at fault in a row) or by a share (`ratio` of the
    records of the last minute). The next record that passes ends a run. A share falls as the window
    moves on. `reset` ends both, after a probe that succeeded.
    """

    __slots__ = ("_failed", "_latest", "_run", "_seconds", "_settings", "_total")

    def __init__(self, settings: FuseSettings) -> None:
        self._settings = settings
        self._seconds: deque[tuple[int, int, int]] = (
            deque()
        )  # (second, records, records at fault), oldest first
        self._total = 0
        self._failed = 0
        self._run = 0
        self._latest: Reason | None = None

    @property
    def run(self) -> int:
        """Number of records at fault since the last one that passed."""
        return self._run

    def dead_lettered(self, now_s: float, reason: Reason | None = None) -> None:
        """Count one record at fault."""
        self._run += 1
        self._latest = reason
        self._add(now_s, 1, 1)

    def singled_out(self, now_s: float) -> None:
        """Count one record at fault, named among many good ones: not part of a run."""
        self._add(now_s, 1, 1)

    def are_few(self, failed: int, records: int) -> bool:
        """Return whether `failed` of `records` are below the share that blows the fuse."""
        return failed < records * self._settings.ratio

    def passed(self, now_s: float, count: int = 1) -> None:
        """Count records that were not at fault; one of them ends the run."""
        if count <= 0:
            return
        self._run = 0
        self._add(now_s, count, 0)

    def blown(self, now_s: float) -> str | None:
        """Return the detail of `Hold(MASS_REJECT)`, or `None` while dead-lettering may continue."""
        self._forget(now_s)
        latest = f"; latest reason {self._latest}" if self._latest else ""
        if self._run >= self._settings.consecutive:
            were = "record was" if self._run == 1 else "records in a row were"
            return f"{self._run} {were} at fault (limit {self._settings.consecutive}){latest}"
        # `_failed` too: with a ratio of 0, a share of 0 must not blow the fuse.
        if self._total < SHARE_FROM_COUNT or not self._failed:
            return None
        share = self._failed / self._total
        if share < self._settings.ratio:
            return None
        return (
            f"{self._failed} of {self._total} records in {WINDOW_S} s were at fault"
            f" ({share:.1%}, limit {self._settings.ratio:.1%}){latest}"
        )

    def reset(self) -> None:
        """Set all counts to zero, after a probe that succeeded."""
        self._seconds.clear()
        self._total = self._failed = self._run = 0
        self._latest = None

    def _add(self, now_s: float, records: int, failed: int) -> None:
        self._forget(now_s)
        second = int(now_s)
        if self._seconds and self._seconds[-1][0] == second:
            _, earlier, earlier_failed = self._seconds.pop()
            self._seconds.append((second, earlier + records, earlier_failed + failed))
        else:
            self._seconds.append((second, records, failed))
        self._total += records
        self._failed += failed

    def _forget(self, now_s: float) -> None:
        oldest = int(now_s) - WINDOW_S
        while self._seconds and self._seconds[0][0] <= oldest:
            _, records, failed = self._seconds.popleft()
            self._total -= records
            self._failed -= failed
