"""Serve the fake tenant over HTTP, with its page and the control of the fault script."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Final

from aiohttp import web

from consumer.http.messages import Request
from consumer.sandbox.listening import listening
from consumer.sandbox.page_routes import add_page_routes
from consumer.sandbox.wire import Wire

if TYPE_CHECKING:
    import asyncio

    from consumer.clock import Clock
    from consumer.sandbox.tenant import Tenant
    from consumer.sandbox.wire import Reply

_REQUEST_BYTES: Final = 160_000_000
"""Far above the limit of the tenant, so that the tenant itself refuses large bodies."""

_FILLER: Final = b" " * 16_384
_ABORT_ON_CLOSE: Final = struct.pack("ii", 1, 0)
_NOT_HTTP: Final = b"HTTP/1.1 not-a-number\r\n\r\n"


class TenantServer:
    """Serves a tenant on one address; `origin` is its URL after the start."""

    def __init__(
        self, tenant: Tenant, clock: Clock, *, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self._tenant = tenant
        self._clock = clock
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None

    @property
    def origin(self) -> str:
        """The URL of the tenant, to be set as `login_url`."""
        return self._tenant.origin

    async def start(self) -> None:
        """Bind and serve. Port 0 takes a free port.

        Raises: `OSError` when the address cannot be bound.
        """
        application = web.Application(client_max_size=_REQUEST_BYTES)
        add_page_routes(application, self._tenant)
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = await listening(application, self._host, self._port)
        port = self._runner.addresses[0][1]
        host = f"[{self._host}]" if ":" in self._host else self._host
        self._tenant.origin = f"http://{host}:{port}"

    async def close(self) -> None:
        """Stop serving; answers that drip or never end are cut."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _answer(self, incoming: web.Request) -> web.StreamResponse:
        method = incoming.method
        if method not in {"GET", "POST", "PUT", "PATCH", "DELETE"}:
            raise web.HTTPMethodNotAllowed(method, ["GET", "POST", "DELETE"])
        request = Request(
            method=method,  # type: ignore[arg-type]  # one of the five, as just checked
            url=str(incoming.url),
            headers=tuple(incoming.headers.items()),
            body=await incoming.read(),
        )
        reply = self._tenant.answer(request)
        if reply.delay_s:
            await self._clock.sleep(reply.delay_s)
        return await self._write(incoming, reply)

    async def _write(self, incoming: web.Request, reply: Reply) -> web.StreamResponse:
        answer = reply.answer
        transport = incoming.transport
        match reply.wire:
            case Wire.RESET | Wire.MALFORMED:
                if transport is not None:
                    _break(transport, reply.wire)
                return web.Response(status=503)
            case Wire.DRIP | Wire.ENDLESS:
                response = web.StreamResponse(status=answer.status, headers=answer.headers)
                await self._trickle(incoming, response, reply)
                return response
            case _:
                return web.Response(status=answer.status, headers=answer.headers, body=answer.body)

    async def _trickle(
        self, incoming: web.Request, response: web.StreamResponse, reply: Reply
    ) -> None:
        """Write a body byte by byte, or an endless one until the client closes the connection."""
        try:
            await response.prepare(incoming)
            if reply.wire is Wire.DRIP:
                for at in range(len(reply.answer.body)):
                    await self._clock.sleep(1 / reply.drip_bytes_per_s)
                    await response.write(reply.answer.body[at : at + 1])
                return
            await response.write(reply.answer.body)
            while True:
                await response.write(_FILLER)
        except ConnectionError:
            return


def _break(transport: asyncio.Transport, wire: Wire) -> None:
    """Break a connection. The response that aiohttp still writes is lost."""
    if wire is Wire.MALFORMED:
        transport.write(_NOT_HTTP)
        transport.close()
        return
    # With a linger time of 0, closing sends RST instead of FIN.
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT_ON_CLOSE)
    transport.abort()
