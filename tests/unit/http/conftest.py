"""A peer on a loopback socket that answers with scripted bytes, and a transport to call it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Protocol

import pytest

from consumer.clock import SystemClock
from consumer.http.client import HttpTransport
from consumer.http.hosts import Hosts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager


class Connection:
    """One accepted connection, for the peer's script to read and write."""

    def __init__(
        self, peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._peer = peer
        self._reader = reader
        self._writer = writer

    async def request(self) -> bytes:
        """Read one request, head and body, and record its bytes."""
        head = await self.head()
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        whole = head + await self._reader.readexactly(length)
        self._peer.seen.append(whole)
        return whole

    async def head(self) -> bytes:
        """Read the head of a request and leave its body unread."""
        return await self._reader.readuntil(b"\r\n\r\n")

    async def write(self, content: bytes) -> None:
        """Write bytes unchanged."""
        self._writer.write(content)
        await self._writer.drain()

    async def left(self) -> None:
        """Wait until the other side has closed the connection."""
        with suppress(ConnectionError):
            while await self._reader.read(65_536):
                pass

    def cut(self) -> None:
        """Reset the connection."""
        self._writer.transport.abort()


class Script(Protocol):
    """Handles one connection, which is closed when it returns."""

    async def __call__(self, connection: Connection) -> None:
        """Read and write."""
        ...


class Listen(Protocol):
    """The fixture's function: run a peer as long as the block lasts."""

    def __call__(self, script: Script) -> AbstractAsyncContextManager[Peer]:
        """Listen on a free port."""
        ...


class Peer:
    """A listening peer: its address, number of connections and received requests."""

    def __init__(self) -> None:
        self.url = ""
        self.connection_count = 0
        self.seen: list[bytes] = []


class Answering:
    """A script that sends the next of these answers per request, all on one connection."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = answers

    async def __call__(self, connection: Connection) -> None:
        """Answer as many requests as there are answers, then wait for the client to close."""
        for answer in self._answers:
            await connection.request()
            await connection.write(answer)
        await connection.left()


@asynccontextmanager
async def listening(script: Script) -> AsyncIterator[Peer]:
    peer = Peer()
    scripts: set[asyncio.Task[None]] = set()

    async def follow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await script(Connection(peer, reader, writer))
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
        finally:
            writer.transport.abort()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer.connection_count += 1
        scripts.add(asyncio.create_task(follow(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    peer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield peer
    server.close()
    for under_way in scripts:
        under_way.cancel()
    await asyncio.gather(*scripts, return_exceptions=True)


@pytest.fixture
def listen() -> Listen:
    return listening


@pytest.fixture
def answering() -> type[Answering]:
    return Answering


@pytest.fixture
async def transport() -> AsyncIterator[HttpTransport]:
    made = HttpTransport(
        Hosts.known("http://127.0.0.1", ["salesforce.com"]), SystemClock(), connections=4
    )
    yield made
    await made.close()


@pytest.fixture
def accepted() -> bytes:
    """The tenant's answer when it accepts a batch, byte for byte."""
    return (
        b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length:"
        b' 17\r\n\r\n{"accepted":true}'
    )
