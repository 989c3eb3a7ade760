"""Limits the connections of the admin port, so that idle ones never take the descriptors away.

Anyone in the pod's network may connect. A descriptor is needed for each connection, and the
brokers and the tenant need some too.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from aiohttp.http_exceptions import HttpProcessingError

if TYPE_CHECKING:
    import asyncio

    from aiohttp import web

MOST_CONNECTIONS: Final = 64

_log = logging.getLogger("aiohttp.server.admin")


class ConnectionLimit:
    """Makes the protocol of each new connection; before the 65th it closes the oldest.

    An answer that was written is sent to its end first.
    """

    def __init__(self, server: web.Server) -> None:
        self._server = server

    def __call__(self) -> asyncio.Protocol:
        """Return the protocol of a connection that was just accepted."""
        connections = self._server.connections
        for oldest in connections[: len(connections) - MOST_CONNECTIONS + 1]:
            oldest.force_close()
        return self._server()


def request_log() -> logging.Logger:
    """Return the log for errors of handlers; a peer's malformed requests are no lines of it.

    Anyone in the network could fill the log with them.
    """
    _log.filters = [_is_our_error]
    return _log


def _is_our_error(line: logging.LogRecord) -> bool:
    _, error, _ = line.exc_info or (None, None, None)
    return not isinstance(error, HttpProcessingError)
