"""A clock that a test sets."""

from __future__ import annotations


class SteppedClock:
    """Monotonic and wall time; `sleep` advances both."""

    def __init__(self) -> None:
        self.monotonic_s = 1_000.0
        self.wall_s = 1_750_000_000.0

    def now_s(self) -> float:
        """Return the monotonic time."""
        return self.monotonic_s

    def wall_ms(self) -> int:
        """Return the wall time."""
        return int(self.wall_s * 1000)

    def step(self, duration_s: float) -> None:
        """Let time pass."""
        self.monotonic_s += duration_s
        self.wall_s += duration_s

    async def sleep(self, duration_s: float) -> None:
        """Let time pass."""
        self.step(duration_s)
