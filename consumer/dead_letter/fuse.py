"""Tell a bad record from a bad set-up.

Beyond a run or a share of records at fault, dead-lettering stops.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from consumer.dead_letter.settings import FuseSettings
    from consumer.errors import Reason

WINDOW_S: Final = 60
"""The share is taken over this long; in whole seconds, so the figures kept are bounded."""

SHARE_FROM_COUNT: Final = 200
"""With fewer records than this in the window a share says nothing."""


class Fuse:
    """Counts what becomes of records, and says when it is not the records that are at fault.

    It heals in two ways: the run ends with the next record that passes, and the share falls as the
    window moves on. A probe that found the cause gone ends both, by `mend`.
    """

    __slots__ = ("_failed", "_latest", "_run", "_seconds", "_settings", "_total")

    def __init__(self, settings: FuseSettings) -> None:
        self._settings = settings
        self._seconds: deque[tuple[int, int, int]] = (
            deque()
        )  # (second, records, of these at fault), oldest first
        self._total = 0
        self._failed = 0
        self._run = 0
        self._latest: Reason | None = None

    @property
    def run(self) -> int:
        """How many records in a row were at fault, up to now."""
        return self._run

    def dead_lettered(self, now_s: float, reason: Reason | None = None) -> None:
        """Count one record at fault."""
        self._run += 1
        self._latest = reason
        self._add(now_s, 1, 1)

    def singled_out(self, now_s: float) -> None:
        """Count one record at fault that the service named among many good ones.

        No part of a run.
        """
        self._add(now_s, 1, 1)

    def are_few(self, failed: int, records: int) -> bool:
        """Tell whether so many of so many at fault are a share that may go on."""
        return failed < records * self._settings.ratio

    def passed(self, now_s: float, count: int = 1) -> None:
        """Count records that were not at fault; any number of them ends the run."""
        if count <= 0:
            return
        self._run = 0
        self._add(now_s, count, 0)

    def blown(self, now_s: float) -> str | None:
        """Return why dead-lettering has to stop, for `Hold(MASS_REJECT)`.

        Or `None` while it may go on.
        """
        self._forget(now_s)
        latest = f"; the latest {self._latest}" if self._latest else ""
        if self._run >= self._settings.consecutive:
            return (
                f"{self._run} records in a row were at fault (limit"
                f" {self._settings.consecutive}){latest}"
            )
        if self._total < SHARE_FROM_COUNT or not self._failed:
            return None
        share = self._failed / self._total
        if share < self._settings.ratio:
            return None
        return (
            f"{self._failed} of {self._total} records in {WINDOW_S} s were at fault "
            f"({share:.1%}, limit {self._settings.ratio:.1%}){latest}"
        )

    def mend(self) -> None:
        """Forget everything: a probe found the cause gone."""
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
