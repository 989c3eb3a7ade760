"""What the transport sends, and how it returns well-formed answers."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import msgspec
import pytest

from consumer.errors import Fatal, Hold, HoldReason
from consumer.http.messages import Answer, Failure, NoAnswer, Request

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.http.client import HttpTransport
    from tests.unit.http.conftest import Answering, Connection, Listen


def post(url: str, body: bytes = b'{"data":[]}', timeout_s: float = 5.0) -> Request:
    return Request("POST", f"{url}/rows", (("Content-Type", "application/json"),), body, timeout_s)


async def test_an_answer_is_a_value(
    transport: HttpTransport, listen: Listen, answering: type[Answering], accepted: bytes
) -> None:
    """Status, lower-case headers and body are returned as sent."""
    async with listen(answering(accepted)) as peer:
        answer = await transport.send(post(peer.url))
    assert isinstance(answer, Answer)
    assert (202, b'{"accepted":true}', False) == (answer.status, answer.body, answer.truncated)
    assert (("content-type", "application/json"), ("content-length", "17")) == answer.headers


async def test_the_request_is_sent_as_given(
    transport: HttpTransport, listen: Listen, answering: type[Answering], accepted: bytes
) -> None:
    """Path, body and headers arrive as given; the library adds nothing."""
    async with listen(answering(accepted)) as peer:
        await transport.send(post(f"{peer.url}/a%2Fb%20c"))
    head, _, body = peer.seen[0].partition(b"\r\n\r\n")
    assert b'{"data":[]}' == body
    assert head.startswith(b"POST /a%2Fb%20c/rows HTTP/1.1\r\n")
    names = {line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:]}
    assert {
        b"host",
        b"user-agent",
        b"accept",
        b"accept-encoding",
        b"content-type",
        b"content-length",
    } == names
    assert b"Accept-Encoding: identity" in head.split(b"\r\n")


async def test_a_large_body_arrives_whole(
    transport: HttpTransport, listen: Listen, answering: type[Answering], accepted: bytes
) -> None:
    """A body of many slices, as in bulk uploads, arrives byte for byte with its declared length."""
    body = bytes(range(256)) * 8_192
    async with listen(answering(accepted)) as peer:
        answer = await transport.send(post(peer.url, body))
    assert isinstance(answer, Answer)
    assert body == peer.seen[0].partition(b"\r\n\r\n")[2]


async def test_a_file_arrives_whole(
    transport: HttpTransport,
    listen: Listen,
    answering: type[Answering],
    accepted: bytes,
    tmp_path: Path,
) -> None:
    """A file as a body is sent slice by slice, with the file's length."""
    body = bytes(range(256)) * 8_192
    spooled = tmp_path / "1.csv"
    spooled.write_bytes(body)
    async with listen(answering(accepted)) as peer:
        answer = await transport.send(
            msgspec.structs.replace(post(peer.url, b""), body_path=str(spooled))
        )
    assert isinstance(answer, Answer)
    assert body == peer.seen[0].partition(b"\r\n\r\n")[2]


async def test_a_missing_spool_file_is_fatal(transport: HttpTransport, tmp_path: Path) -> None:
    """Only the daemon removes files from the spool, so this is not a transient fault."""
    with pytest.raises(Fatal, match=r"gone\.csv"):
        await transport.send(
            Request("PUT", "http://127.0.0.1:9/", body_path=str(tmp_path / "gone.csv"))
        )


async def test_idle_connections_to_an_address_that_is_left_are_closed(
    transport: HttpTransport, listen: Listen, accepted: bytes
) -> None:
    """The peer sees the end of its connection at once; those to other addresses are kept."""
    closed = asyncio.Event()

    async def once(connection: Connection) -> None:
        await connection.request()
        await connection.write(accepted)
        await connection.left()
        closed.set()

    async with listen(once) as peer, listen(once) as other:
        await transport.send(post(peer.url))
        transport.leave(other.url)
        await asyncio.sleep(0)
        assert not closed.is_set()
        transport.leave(peer.url)
        await asyncio.wait_for(closed.wait(), 5.0)


async def test_connections_are_kept(
    transport: HttpTransport, listen: Listen, answering: type[Answering], accepted: bytes
) -> None:
    """Consecutive requests share a connection."""
    async with listen(answering(accepted, accepted, accepted)) as peer:
        for _ in range(3):
            await transport.send(post(peer.url))
    assert 1 == peer.connection_count


@pytest.mark.holds("I18")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_answers_k20(
    transport: HttpTransport, listen: Listen, answering: type[Answering], status: int
) -> None:
    """A redirect is returned and never followed: the body goes to one host only."""
    answer = (
        f"HTTP/1.1 {status} Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    ).encode()
    async with listen(answering(answer)) as peer:
        seen = await transport.send(post(peer.url))
    assert isinstance(seen, Answer)
    assert (status, "http://127.0.0.1:1/") == (seen.status, seen.header("location"))
    assert 1 == len(peer.seen)


async def test_cookies_are_forgotten(
    transport: HttpTransport, listen: Listen, answering: type[Answering], accepted: bytes
) -> None:
    """A cookie of one answer is not sent with the next request."""
    with_cookie = accepted.replace(b"\r\n", b"\r\nSet-Cookie: a=1; Path=/\r\n", 1)
    async with listen(answering(with_cookie, accepted)) as peer:
        await transport.send(post(peer.url))
        await transport.send(post(peer.url))
    assert b"a=1" not in peer.seen[1]


async def test_duplicate_headers_are_kept(
    transport: HttpTransport, listen: Listen, answering: type[Answering], accepted: bytes
) -> None:
    """Two headers of one name stay two, in order."""
    twice = accepted.replace(b"\r\n", b"\r\nRetry-After: 1\r\nRetry-After: 2\r\n", 1)
    async with listen(answering(twice)) as peer:
        answer = await transport.send(post(peer.url))
    assert isinstance(answer, Answer)
    assert ["1", "2"] == [value for name, value in answer.headers if name == "retry-after"]


async def test_nothing_is_decompressed_k22(
    transport: HttpTransport, listen: Listen, answering: type[Answering]
) -> None:
    """A body that says gzip is not read at all: no decompression bomb, and no meaning."""
    packed = b"\x1f\x8b\x08not really"
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
    ).encode()
    async with listen(answering(head + packed)) as peer:
        outcome = await transport.send(post(peer.url))
    assert isinstance(outcome, NoAnswer)
    assert (Failure.MALFORMED, True) == (outcome.failure, outcome.written)


@pytest.mark.parametrize("status", [200, 202, 301, 404, 429, 500])
@pytest.mark.parametrize(
    ("coding", "is_plain"),
    [
        ("gzip", False),
        ("GZIP", False),
        ("br", False),
        ("identity, deflate", False),
        ("unknown", False),
        ("identity", True),
        (" Identity ", True),
        ("", True),
    ],
)
async def test_a_content_encoding_is_malformed_whatever_the_status(  # noqa: PLR0917 - drawn
    transport: HttpTransport,
    listen: Listen,
    answering: type[Answering],
    status: int,
    coding: str,
    is_plain: bool,  # noqa: FBT001 - expected
) -> None:
    """Every request asked for identity: what another encoding says is not known."""
    body = b'{"accepted":false}'
    head = (
        f"HTTP/1.1 {status} X\r\nContent-Encoding: {coding}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    async with listen(answering(head + body)) as peer:
        outcome = await transport.send(post(peer.url))
    assert is_plain is isinstance(outcome, Answer)


async def test_a_compressed_file_is_not_saved(
    transport: HttpTransport, listen: Listen, answering: type[Answering], tmp_path: Path
) -> None:
    """The results of a job are read from a file that no compressed body reaches."""
    into = tmp_path / "results.csv"
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd"
    async with listen(answering(head)) as peer:
        request = Request("GET", f"{peer.url}/results", answer_path=str(into))
        assert isinstance(await transport.send(request), NoAnswer)
    assert not into.exists()


@pytest.mark.holds("I15")
@pytest.mark.parametrize(
    "head",
    [
        pytest.param(
            b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n", id="J31-chunked"
        ),
        pytest.param(b"HTTP/1.1 202 Accepted\r\n\r\n", id="J31-until-close"),
        pytest.param(
            b"HTTP/1.1 202 Accepted\r\nContent-Length: 99999999999\r\n\r\n", id="K22-declared"
        ),
    ],
)
async def test_an_endless_body_is_cut(
    transport: HttpTransport, listen: Listen, head: bytes
) -> None:
    """Reading stops at 64 KiB, the connection is closed, and the status counts."""
    closed = asyncio.Event()

    async def endless(connection: Connection) -> None:
        await connection.request()
        await connection.write(head)
        try:
            while True:
                await connection.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
        except ConnectionError:
            closed.set()
            raise

    async with listen(endless) as peer:
        answer = await transport.send(post(peer.url))
        await asyncio.wait_for(closed.wait(), 5)
    assert isinstance(answer, Answer)
    assert (202, 65_536, True) == (answer.status, len(answer.body), answer.truncated)


async def test_a_body_of_exactly_64_kib_is_whole(
    transport: HttpTransport, listen: Listen, answering: type[Answering]
) -> None:
    """64 KiB is the longest body that is not cut."""
    head = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 65536\r\n\r\n"
    async with listen(answering(head + b"x" * 65_536)) as peer:
        answer = await transport.send(post(peer.url))
    assert isinstance(answer, Answer)
    assert (65_536, False) == (len(answer.body), answer.truncated)


async def test_an_early_answer_is_taken(transport: HttpTransport, listen: Listen) -> None:
    """An answer that arrives during the upload counts, and the connection is not used again."""

    async def refusing(connection: Connection) -> None:
        await connection.head()
        await connection.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await connection.left()

    async with listen(refusing) as peer:
        for _ in range(2):
            answer = await transport.send(post(peer.url, b"x" * 8_000_000))
            assert isinstance(answer, Answer)
            assert 413 == answer.status
    assert 2 == peer.connection_count


@pytest.mark.holds("I18")
@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://evil.test/rows", "evil.test is not under an allowed domain"),
        ("https://salesforce.com.evil.test/", "not under an allowed domain"),
        ("http://x.salesforce.com/", "must be called by https"),
        ("https://x.salesforce.com:22/", "must be called by https on port 443"),
        ("https://x.salesforce.com\\@evil.test/", "not an absolute"),
        ("https://user@x.salesforce.com/", "not an absolute"),
        ("ftp://x.salesforce.com/", "not an absolute"),
    ],
)
async def test_unknown_hosts_are_not_called(transport: HttpTransport, url: str, text: str) -> None:
    """A request to a host that is not allowed is a hold before any byte is sent."""
    with pytest.raises(Hold, match=re.escape(text)) as held:
        await transport.send(Request("GET", url))
    assert HoldReason.CONFIG is held.value.reason
