"""The real daemon as a task beside the one who watches it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from consumer.app.serve import serve

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.admin.port import StatusReport
    from consumer.admin.server import AdminServer
    from consumer.app.daemon import Daemon
    from consumer.config.settings import Settings

LOOK_S: Final = 0.1
STALL_S: Final = 30.0
"""A ledger that stands still for so long is not worth waiting for: whoever watches is told."""


class RunningDaemon:
    """One `serve`, from start to end.

    It takes SIGINT and SIGTERM as it always does: drain, commit, leave.
    """

    def __init__(self, settings: Settings) -> None:
        self._up: asyncio.Future[tuple[Daemon, AdminServer]] = (
            asyncio.get_running_loop().create_future()
        )
        self._task = asyncio.create_task(
            serve(settings, started=lambda *parts: self._up.set_result(parts))
        )

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self._task.done()

    async def parts(self) -> tuple[Daemon, AdminServer]:
        """Return the daemon and its admin port once that listens.

        Raises: what `serve` raised instead, such as `ConfigFaults` for a port that is taken.
        """
        await asyncio.wait((self._task, self._up), return_when=asyncio.FIRST_COMPLETED)
        if not self._up.done():
            await self._task
        return self._up.result()

    async def until(
        self, reached: Callable[[StatusReport], bool], seen: Callable[[StatusReport], None]
    ) -> bool:
        """Show every look until one shows what is wanted.

        False when the daemon ended or stood still.

        Raises: `Fatal` when the daemon failed.
        """
        daemon, _ = await self.parts()
        loop = asyncio.get_running_loop()
        ledger, moved_s = None, loop.time()
        while True:
            report = daemon.status.snapshot()
            seen(report)
            if reached(report):
                return True
            if report.ledger != ledger:
                ledger, moved_s = report.ledger, loop.time()
            if self.ended:
                await self._task
                return False
            if loop.time() - moved_s > STALL_S:
                return False
            await self.wait(LOOK_S)

    async def wait(self, duration_s: float) -> None:
        """Let time pass, no longer than it is up."""
        await asyncio.wait((self._task,), timeout=duration_s)

    async def stop(self) -> None:
        """Let it drain, commit and leave, and return when it has; also when it had ended before.

        Raises: `Fatal` when it failed.
        """
        await self.let_go()
        await self._task

    async def let_go(self) -> None:
        """The same for one who is on the way out and has no use for its error."""
        await asyncio.wait((self._task, self._up), return_when=asyncio.FIRST_COMPLETED)
        if self._up.done() and not self.ended:
            daemon, _ = self._up.result()
            daemon.stop()
        await asyncio.wait((self._task,))
        if not self._task.cancelled():
            self._task.exception()
