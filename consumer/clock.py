"""Time as a port, so that tests and the simulation can replace it."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """A source of time for the parts that do I/O; pure packages get times as arguments."""

    def now_s(self) -> float:
        """Return monotonic seconds; only differences between them have a meaning."""
        ...

    def wall_ms(self) -> int:
        """Return milliseconds since the Unix epoch, UTC; they may jump."""
        ...

    async def sleep(self, duration_s: float) -> None:
        """Wait for a duration on this clock."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now_s(self) -> float:
        """Return the time of the monotonic clock."""
        return time.monotonic()

    def wall_ms(self) -> int:
        """Return the time of the wall clock."""
        return time.time_ns() // 1_000_000

    async def sleep(self, duration_s: float) -> None:
        """Wait on the event loop."""
        await asyncio.sleep(duration_s)
