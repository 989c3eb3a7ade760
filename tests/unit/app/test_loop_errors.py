"""Errors that reach the exception handler of the event loop: of a connection, or of the daemon."""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING, cast

import pytest
from structlog.testing import capture_logs

from consumer.app.serve import daemon_signals

if TYPE_CHECKING:
    from consumer.app.daemon import Daemon


class BrokenBy:
    """Records the error that ended it, as a daemon does."""

    def __init__(self) -> None:
        self.error: BaseException | None = None

    def broken(self, error: BaseException) -> None:
        """Take an error."""
        self.error = error


NO_DESCRIPTOR = OSError(errno.EMFILE, "Too many open files")


@pytest.mark.parametrize("key", ["socket", "transport", "protocol"])
async def test_an_error_of_one_connection_is_logged(key: str) -> None:
    """It must not end a process that has other connections."""
    daemon = BrokenBy()
    context = {"message": "socket.accept() out of system resource", "exception": NO_DESCRIPTOR}
    with daemon_signals(cast("Daemon", daemon), lambda: "info"), capture_logs() as lines:
        asyncio.get_running_loop().call_exception_handler({**context, key: object()})
    assert daemon.error is None
    detail = "socket.accept() out of system resource (OSError)"
    assert [{"event": "event_loop_error", "detail": detail, "log_level": "warning"}] == lines


async def test_an_error_in_a_callback_ends_the_daemon() -> None:
    """No task would raise it."""
    daemon = BrokenBy()
    error = ValueError("a bug")
    with daemon_signals(cast("Daemon", daemon), lambda: "info"):
        asyncio.get_running_loop().call_soon(raise_it, error)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert error is daemon.error


def raise_it(error: Exception) -> None:
    raise error
