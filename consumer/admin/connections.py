"""Limits the connections of the admin port, so that idle ones cannot use up the file descriptors.

Anyone in the pod's network may connect. A descriptor is needed for each connection, and the
brokers and the tenant need some too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio

    from aiohttp import web

MOST_CONNECTIONS: Final = 64


class ConnectionLimit:
    """Makes the protocol of each new connection; before the 65th it closes the oldest.

    A response that was written is sent completely first.
    """

    def __init__(self, server: web.Server) -> None:
        self._server = server

    def __call__(self) -> asyncio.Protocol:
        """Return the protocol of a connection that was just accepted."""
        connections = self._server.connections
        for oldest in connections[: len(connections) - MOST_CONNECTIONS + 1]:
            oldest.force_close()
        return self._server()
