"""How the transport reports failing peers, and whether the request may have been stored."""

from __future__ import annotations

import asyncio
import inspect
import os
import socket
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiohttp import client_exceptions, http_exceptions
from aiohttp.abc import AbstractResolver, ResolveResult

from consumer.clock import SystemClock
from consumer.errors import Hold, HoldReason
from consumer.http.client import TABLE, HttpTransport, translate
from consumer.http.hosts import Hosts
from consumer.http.messages import Answer, Failure, NoAnswer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Literal

    from tests.unit.http.conftest import Answering, Connection, Listen


def post(url: str, body: bytes = b'{"data":[]}', timeout_s: float = 5.0) -> Request:
    return Request("POST", f"{url}/rows", (("Content-Type", "application/json"),), body, timeout_s)


async def fault(transport: HttpTransport, request: Request) -> tuple[Failure, bool]:
    seen = await transport.send(request)
    assert isinstance(seen, NoAnswer), seen
    return seen.failure, seen.written


async def test_refused_connection_is_not_written(transport: HttpTransport) -> None:
    """Without a listener the request cannot have been acted on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        assert (Failure.CONNECTION, False) == await fault(transport, post(url))


async def test_close_without_answer_is_written(transport: HttpTransport, listen: Listen) -> None:
    """The request was read before the connection closed: it may have been acted on."""

    async def leave(connection: Connection) -> None:
        await connection.request()

    async with listen(leave) as peer:
        assert (Failure.CONNECTION, True) == await fault(transport, post(peer.url))


async def test_reset_is_written(transport: HttpTransport, listen: Listen) -> None:
    """A reset after the request is a connection fault; the request may have been acted on."""

    async def reset(connection: Connection) -> None:
        await connection.request()
        connection.cut()

    async with listen(reset) as peer:
        assert (Failure.CONNECTION, True) == await fault(transport, post(peer.url))


async def test_silence_is_a_written_timeout(transport: HttpTransport, listen: Listen) -> None:
    """A peer that reads and stays silent costs exactly the deadline."""

    async def silent(connection: Connection) -> None:
        await connection.request()
        await connection.left()

    async with listen(silent) as peer:
        assert (Failure.TIMEOUT, True) == await fault(transport, post(peer.url, timeout_s=0.05))


@pytest.mark.holds("I6")
async def test_deadline_holds_for_the_body_too(transport: HttpTransport, listen: Listen) -> None:
    """A slowly dripping body is bounded by the same deadline as the head."""

    async def drip(connection: Connection) -> None:
        await connection.request()
        await connection.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 10\r\n\r\n1")
        await connection.left()

    async with listen(drip) as peer:
        assert (Failure.TIMEOUT, True) == await fault(transport, post(peer.url, timeout_s=0.05))


async def test_deadline_ends_an_unread_body(transport: HttpTransport, listen: Listen) -> None:
    """A peer that does not read blocks the sender no longer than the deadline."""

    async def deaf(connection: Connection) -> None:
        await connection.head()
        await asyncio.Event().wait()

    async with listen(deaf) as peer:
        assert (Failure.TIMEOUT, True) == await fault(
            transport, post(peer.url, b"x" * 8_000_000, 0.1)
        )


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/9.9 yes\r\n\r\n", id="J34-status-line"),
        pytest.param(b"<html>sorry</html>\r\n\r\n", id="J34-http-0.9"),
        pytest.param(b"HTTP/1.1 202 Accepted\r\nContent-Length: x\r\n\r\n", id="J34-length"),
        pytest.param(
            b"HTTP/1.1 202 Accepted\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n", id="J35-header"
        ),
        pytest.param(
            b"HTTP/1.1 202 Accepted\r\n" + b"X: a\r\n" * 500 + b"\r\n", id="J35-many-headers"
        ),
        pytest.param(
            b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            id="J34-chunk-size",
        ),
    ],
)
async def test_malformed_answers(
    transport: HttpTransport,
    listen: Listen,
    answering: type[Answering],
    accepted: bytes,
    answer: bytes,
) -> None:
    """A malformed answer is an outcome, and the next request opens a new connection."""
    async with listen(answering(answer, accepted)) as peer:
        assert (Failure.MALFORMED, True) == await fault(transport, post(peer.url))
    async with listen(answering(accepted)) as peer:
        assert isinstance(await transport.send(post(peer.url)), Answer)


async def test_a_short_body_is_malformed(transport: HttpTransport, listen: Listen) -> None:
    """A body shorter than declared is not an answer."""

    async def short(connection: Connection) -> None:
        await connection.request()
        await connection.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 10\r\n\r\n1")

    async with listen(short) as peer:
        assert (Failure.MALFORMED, True) == await fault(transport, post(peer.url))


async def test_two_answers_at_once_j34(
    transport: HttpTransport, listen: Listen, answering: type[Answering], accepted: bytes
) -> None:
    """Of two answers to one request the first counts, and the connection is not used again."""
    unasked = accepted.replace(b"202 Accepted", b"299 Unasked!")
    async with listen(answering(accepted + unasked)) as peer:
        statuses = [await transport.send(post(peer.url)) for _ in range(2)]
    assert [202, 202] == [answer.status for answer in statuses if isinstance(answer, Answer)]
    assert 2 == peer.connection_count


async def test_an_unrequested_answer_is_not_used_j34(
    transport: HttpTransport, listen: Listen, accepted: bytes
) -> None:
    """A second answer on an idle connection is not taken for the answer to the next request."""
    unasked = accepted.replace(b"202 Accepted", b"299 Unasked!")
    answered = asyncio.Event()
    unasked_written = asyncio.Event()

    async def twice(connection: Connection) -> None:
        await connection.request()
        await connection.write(accepted)
        await answered.wait()
        await connection.write(unasked)
        unasked_written.set()
        await connection.left()

    async with listen(twice) as peer:
        await transport.send(post(peer.url))
        answered.set()
        await unasked_written.wait()
        for _ in range(5):  # iterations of the loop, in which the unrequested answer is read
            await asyncio.sleep(0)
        second = await transport.send(post(peer.url))
    assert isinstance(second, Answer)
    assert 202 == second.status


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_the_library_repeats_nothing(
    transport: HttpTransport,
    listen: Listen,
    accepted: bytes,
    method: Literal["POST", "PUT", "DELETE"],
) -> None:
    """When a kept connection closes under a request, the library does not retry, for any method."""

    async def once(connection: Connection) -> None:
        await connection.request()
        await connection.write(accepted)
        await connection.request()
        connection.cut()

    async with listen(once) as peer:
        request = Request(method, f"{peer.url}/rows", body=b"{}", timeout_s=5.0)
        await transport.send(request)
        assert (Failure.CONNECTION, True) == await fault(transport, request)
    assert (1, 2) == (peer.connection_count, len(peer.seen))


@pytest.mark.holds("I6")
async def test_cancelling_closes_the_connection(transport: HttpTransport, listen: Listen) -> None:
    """A cancelled lane leaves no request behind."""
    read = asyncio.Event()
    left = asyncio.Event()

    async def silent(connection: Connection) -> None:
        await connection.request()
        read.set()
        await connection.left()
        left.set()

    async with listen(silent) as peer:
        sending = asyncio.ensure_future(transport.send(post(peer.url)))
        await asyncio.wait_for(read.wait(), 5)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await asyncio.wait_for(left.wait(), 5)


async def test_after_close_nothing_is_sent(transport: HttpTransport) -> None:
    """A closed transport returns a connection fault instead of raising."""
    await transport.close()
    assert (Failure.CONNECTION, False) == await fault(transport, post("http://127.0.0.1:9"))


class Names(AbstractResolver):
    """A resolver that returns scripted addresses, fails, or never returns."""

    def __init__(
        self, *addresses: str, error: Exception | None = None, hangs: bool = False
    ) -> None:
        self._addresses = addresses
        self._error = error
        self._hangs = hangs

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the scripted result."""
        if self._error is not None:
            raise self._error
        if self._hangs:
            await asyncio.Event().wait()
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in self._addresses
        ]

    async def close(self) -> None:
        """Close nothing."""


def public(names: Names) -> HttpTransport:
    known = Hosts.known("https://login.salesforce.com", ["salesforce.com"])
    return HttpTransport(known, SystemClock(), connections=1, resolver=names)


@pytest.mark.holds("I18")
@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.1.2.3"],
        ["169.254.169.254"],
        ["::1"],
        ["fd00::1"],
        ["::ffff:10.0.0.1"],
        ["64:ff9b::a00:1"],
        ["0.0.0.0"],  # noqa: S104 - an answer to refuse, nothing binds to it
        ["224.0.0.1"],
        ["101.53.164.1", "192.168.0.1"],
    ],
)
async def test_private_answer_for_a_public_name_j38(addresses: Sequence[str]) -> None:
    """A public name that resolves to a private address is a hold, and no connection is made."""
    transport = public(Names(*addresses))
    with pytest.raises(Hold, match="not a public address") as held:
        await transport.send(post("https://x.salesforce.com"))
    await transport.close()
    assert HoldReason.CONFIG is held.value.reason


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(socket.gaierror(socket.EAI_NONAME, "unknown"), id="J38-NXDOMAIN"),
        pytest.param(socket.gaierror(socket.EAI_AGAIN, "try again"), id="J38-SERVFAIL"),
        pytest.param(UnicodeError("label empty or too long"), id="not-encodable"),
    ],
)
async def test_name_that_does_not_resolve(error: Exception) -> None:
    """A failing name service is a transient fault, and nothing was written."""
    transport = public(Names(error=error))
    assert (Failure.CONNECTION, False) == await fault(transport, post("https://x.salesforce.com"))
    await transport.close()


async def test_name_service_that_hangs_j38() -> None:
    """Name resolution counts against the same deadline."""
    transport = public(Names(hangs=True))
    assert (Failure.TIMEOUT, False) == await fault(
        transport, post("https://x.salesforce.com", timeout_s=0.05)
    )
    await transport.close()


def exception_classes() -> Iterator[type[BaseException]]:
    for module in (aiohttp, client_exceptions, http_exceptions):
        for _, kind in inspect.getmembers(module, inspect.isclass):
            if issubclass(kind, aiohttp.ClientError | http_exceptions.HttpProcessingError):
                yield kind


@pytest.mark.parametrize("kind", sorted(set(exception_classes()), key=str))
def test_every_class_of_the_library_has_its_row(kind: type[BaseException]) -> None:
    """Each exception class has its own row or a parent's, which must not be the root class."""
    if kind is not aiohttp.ClientError:
        assert any(parent in TABLE for parent in kind.__mro__)


@pytest.mark.parametrize(
    ("kind", "failure", "written"),
    [
        (aiohttp.ConnectionTimeoutError, Failure.TIMEOUT, False),
        (aiohttp.SocketTimeoutError, Failure.TIMEOUT, True),
        (aiohttp.ServerDisconnectedError, Failure.CONNECTION, True),
        (aiohttp.ClientConnectionResetError, Failure.CONNECTION, True),
        (aiohttp.ClientPayloadError, Failure.MALFORMED, True),
        (http_exceptions.LineTooLong, Failure.MALFORMED, True),
        (BrokenPipeError, Failure.CONNECTION, True),
        (TimeoutError, Failure.TIMEOUT, True),
    ],
)
def test_the_nearest_row_counts(
    kind: type[BaseException], failure: Failure, *, written: bool
) -> None:
    """An exception with several parents is translated by the most specific row."""
    seen = translate(kind.__new__(kind), written=True, elapsed_s=0.0)
    assert (failure, written) == (seen.failure, seen.written)


def test_detail_repeats_nothing_of_the_peer() -> None:
    """Text from the peer and the query of the address stay out of the detail."""
    error = aiohttp.ClientOSError(os.strerror(104), "secret-body")
    assert "secret" not in translate(error, written=True, elapsed_s=0.0).detail
