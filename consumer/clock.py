"""Time as a port: what the daemon reads and waits on.

So that tests and the simulation can own it.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """What an edge may know of time; pure rooms are told the figures and never hold a clock."""

    def now_s(self) -> float:
        """Monotonic seconds; only differences mean anything."""
        ...

    def wall_ms(self) -> int:
        """Milliseconds since the Unix epoch, UTC; may jump."""
        ...

    async def sleep(self, duration_s: float) -> None:
        """Wait on this clock."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now_s(self) -> float:
        """Read the monotonic clock."""
        return time.monotonic()

    def wall_ms(self) -> int:
        """Read the wall clock."""
        return time.time_ns() // 1_000_000

    async def sleep(self, duration_s: float) -> None:
        """Wait on the event loop."""
        await asyncio.sleep(duration_s)
