"""What happens by the clock, as long as the daemon runs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVarTuple, Unpack

if TYPE_CHECKING:
    from collections.abc import Callable

Arguments = TypeVarTuple("Arguments")


class Timers:
    """Timers on the running loop that end together."""

    def __init__(self) -> None:
        self._timers: set[asyncio.TimerHandle] = set()

    def after(
        self, delay_s: float, act: Callable[[Unpack[Arguments]], None], *arguments: *Arguments
    ) -> asyncio.TimerHandle:
        """Do something when its time has come, unless all is closed by then."""
        loop = asyncio.get_running_loop()
        self._timers = {
            timer for timer in self._timers if timer.when() > loop.time() and not timer.cancelled()
        }
        timer = loop.call_later(delay_s, act, *arguments)
        self._timers.add(timer)
        return timer

    def close(self) -> None:
        """Nothing happens by the clock any more."""
        for timer in self._timers:
            timer.cancel()
