"""The admin port against peers that open connections and send nothing, or nonsense."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from consumer.admin.connections import MOST_CONNECTIONS
from consumer.admin.metrics import Metrics
from consumer.admin.port import Check, State, StatusReport
from consumer.admin.server import HEADERS, AdminServer
from consumer.admin.settings import AdminSettings
from tests.still_daemon import StillDaemon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def server() -> AsyncIterator[AdminServer]:
    daemon = StillDaemon(
        StatusReport(version="0", config_sha256="0", state=State.RUNNING, group_id="g")
    )
    daemon.live = (Check("event_loop"),)
    made = AdminServer(
        AdminSettings(port=0), provider=daemon, metrics=Metrics(version="0", config_sha256="0")
    )
    await made.start()
    yield made
    await made.stop()


async def exchange(server: AdminServer, request: bytes) -> bytes:
    """Send bytes on a new connection and return everything that is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


def get(path: str, host: str = "localhost") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()


async def test_idle_connections_keep_no_other_out(server: AdminServer) -> None:
    """The oldest is closed for a new one, whatever it has sent so far."""
    with ExitStack() as closing:
        idle = []
        for number in range(3 * MOST_CONNECTIONS):
            opened = closing.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            opened.setblocking(False)  # noqa: FBT003 - the library's own
            opened.send(b"GET /status HTTP/1.1\r\nHost: a"[: 30 * (number % 2)])
            idle.append(opened)
            assert b" 200 OK" in await exchange(server, get("/livez"))
        assert sum(map(is_open, idle)) <= MOST_CONNECTIONS


def is_open(opened: socket.socket) -> bool:
    """Return whether the other side has not closed a connection."""
    try:
        return bool(opened.recv(1))
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"\0\1\2\r\n\r\n", id="binary"),
        pytest.param(b"GET / HTTP/9\r\n\r\n", id="version"),
        pytest.param(b"GET /\xff HTTP/1.1\r\n\r\n", id="path"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nHost : b\r\n\r\n", id="header"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", id="tls"),
        pytest.param(b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n", id="long"),
    ],
)
async def test_a_malformed_request_is_answered(server: AdminServer, sent: bytes) -> None:
    """And it changes nothing for others."""
    assert b" 400 " in await exchange(server, sent)
    assert b" 200 OK" in await exchange(server, get("/livez"))


@pytest.mark.parametrize("path", ["/", "/status", "/metrics", "/readyz", "/livez", "/nothing"])
async def test_a_request_to_another_name_is_refused(server: AdminServer, path: str) -> None:
    """On every path; the answer says which key to set, and has the security headers."""
    answer = await exchange(server, get(path, "evil.example.com"))
    assert answer.startswith(b"HTTP/1.1 421 ")
    assert b"admin.host_names" in answer
    for name, value in HEADERS.items():
        assert f"\r\n{name}: {value}\r\n".encode() in answer


async def test_a_request_without_a_host_is_refused(server: AdminServer) -> None:
    """Such as one of HTTP/1.0."""
    assert (await exchange(server, b"GET /livez HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.0 421 ")
