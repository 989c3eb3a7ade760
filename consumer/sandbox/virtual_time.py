"""Run an event loop in virtual time: its clock jumps to the next timer instead of waiting.

```python
VirtualLoop.run(main())      # hours of timers in milliseconds, always in the same order
```
"""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

T = TypeVar("T")

BEGINNING_MS = 1_750_000_000_000
"""The wall clock at virtual second 0: 2025-06-15 15:06:40 UTC."""


class VirtualClock:
    """The clock of the running virtual loop. `skew_ms` moves only the wall clock."""

    def __init__(self) -> None:
        self.skew_ms = 0

    def now_s(self) -> float:
        """Return virtual monotonic seconds."""
        return asyncio.get_running_loop().time()

    def wall_ms(self) -> int:
        """Return virtual milliseconds since the epoch."""
        return BEGINNING_MS + int(self.now_s() * 1000) + self.skew_ms

    async def sleep(self, duration_s: float) -> None:
        """Wait in virtual time."""
        await asyncio.sleep(duration_s)


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop that never waits: its clock jumps to the time of the next timer."""

    def __init__(self) -> None:
        self._virtual_s = 0.0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        """Return virtual seconds since the loop was created."""
        return self._virtual_s

    def jump(self, duration_s: float) -> None:
        """Advance the virtual time."""
        self._virtual_s += duration_s

    @classmethod
    def run(cls, main: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end in virtual time."""
        with asyncio.Runner(loop_factory=cls) as runner:
            return runner.run(main)


class _JumpingSelector(selectors.SelectSelector):
    """Advances the virtual time by the time-out, instead of waiting for it."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready now. With nothing ready, advance the clock by the time-out."""
        ready = super().select(0)
        if not ready and timeout:
            self._loop.jump(timeout)
        return ready
