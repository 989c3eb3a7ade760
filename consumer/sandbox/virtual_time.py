"""Time that costs nothing: an event loop whose clock jumps to the next timer whenever nothing else is to do.

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
"""The wall clock at virtual second 0: some day in June 2025."""


class VirtualClock:
    """The clock of the virtual loop that it is read on. `skew_ms` moves the wall clock alone."""

    def __init__(self) -> None:
        self.skew_ms = 0

    def now_s(self) -> float:
        """Virtual monotonic seconds."""
        return asyncio.get_running_loop().time()

    def wall_ms(self) -> int:
        """Virtual milliseconds since the epoch."""
        return BEGINNING_MS + int(self.now_s() * 1000) + self.skew_ms

    async def sleep(self, duration_s: float) -> None:
        """Wait in virtual time."""
        await asyncio.sleep(duration_s)


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop that never waits: where it would, its clock jumps instead."""

    def __init__(self) -> None:
        self._virtual_s = 0.0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        """Return virtual seconds since the loop was made."""
        return self._virtual_s

    def jump(self, duration_s: float) -> None:
        """Let time pass."""
        self._virtual_s += duration_s

    @classmethod
    def run(cls, main: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end in virtual time."""
        with asyncio.Runner(loop_factory=cls) as runner:
            return runner.run(main)


class _JumpingSelector(selectors.SelectSelector):
    """Instead of waiting for the time-out, lets it pass."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready at once.

        With nothing ready, the loop's clock has moved by the time-out.
        """
        ready = super().select(0)
        if not ready and timeout:
            self._loop.jump(timeout)
        return ready
