"""Bind a service of the sandbox to an address, and clean up when that fails."""

from __future__ import annotations

from typing import Final

from aiohttp import web

_SHUTDOWN_S: Final = 0.5


async def listening(application: web.Application, host: str, port: int) -> web.AppRunner:
    """Bind an application and serve it. With port 0, `addresses` has the port that was chosen.

    Raises: `OSError` when the address cannot be bound; nothing is left open then.
    """
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=_SHUTDOWN_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError:
        await runner.cleanup()
        raise
    return runner
