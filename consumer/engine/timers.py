"""Timers on the event loop, cancelled together at shutdown."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVarTuple, Unpack

if TYPE_CHECKING:
    from collections.abc import Callable

Arguments = TypeVarTuple("Arguments")


class Timers:
    """Timers on the running loop."""

    def __init__(self) -> None:
        self._timers: set[asyncio.TimerHandle] = set()

    def after(
        self, delay_s: float, act: Callable[[Unpack[Arguments]], None], *arguments: *Arguments
    ) -> asyncio.TimerHandle:
        """Call `act` after a delay, unless the timers are closed before."""
        loop = asyncio.get_running_loop()
        self._timers = {
            timer for timer in self._timers if timer.when() > loop.time() and not timer.cancelled()
        }
        timer = loop.call_later(delay_s, act, *arguments)
        self._timers.add(timer)
        return timer

    def close(self) -> None:
        """Cancel every timer."""
        for timer in self._timers:
            timer.cancel()
