"""Runs the real daemon as an asyncio task, and lets the caller watch and stop it."""

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

POLL_S: Final = 0.1
STALL_S: Final = 30.0
"""A wait ends if the ledger has not changed for this long."""


class RunningDaemon:
    """One call of `serve`, from start to end.

    SIGINT and SIGTERM stop it as usual: drain, commit, leave the group.
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
        """Whether the daemon has ended."""
        return self._task.done()

    async def parts(self) -> tuple[Daemon, AdminServer]:
        """Return the daemon and its admin server, once the server listens.

        Raises: the exception of `serve` if it fails before, e.g. `ConfigFaults` for a taken port.
        """
        await asyncio.wait((self._task, self._up), return_when=asyncio.FIRST_COMPLETED)
        if not self._up.done():
            await self._task
        return self._up.result()

    async def wait_for(
        self, reached: Callable[[StatusReport], bool], seen: Callable[[StatusReport], None]
    ) -> bool:
        """Pass each status report to `seen`, until `reached` accepts one.

        Returns False if the daemon ended or made no progress for `STALL_S`.

        Raises: `Fatal` if the daemon failed.
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
            await self.wait(POLL_S)

    async def wait(self, duration_s: float) -> None:
        """Wait for a time, or until the daemon ends."""
        await asyncio.wait((self._task,), timeout=duration_s)

    async def stop(self) -> None:
        """Stop the daemon and wait until it has drained, committed and left the group.

        Raises: `Fatal` if it failed.
        """
        await self.close()
        await self._task

    async def close(self) -> None:
        """Stop the daemon like `stop`, but ignore its exception; for clean-up."""
        await asyncio.wait((self._task, self._up), return_when=asyncio.FIRST_COMPLETED)
        if self._up.done() and not self.ended:
            daemon, _ = self._up.result()
            daemon.stop()
        await asyncio.wait((self._task,))
        if not self._task.cancelled():
            self._task.exception()  # marks it as retrieved, else asyncio logs it
