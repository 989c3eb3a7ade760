"""The one HTTP client: sends a request value once and returns an outcome value.

Nothing of the client library leaves this file.
"""

from __future__ import annotations

import math
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol

import aiohttp
from aiohttp import http_exceptions
from aiohttp.payload import Payload
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from consumer import __version__
from consumer.errors import Fatal, Hold, HoldReason
from consumer.http.messages import Answer, Failure, NoAnswer, encoding_fault

if TYPE_CHECKING:
    from socket import AddressFamily
    from ssl import SSLContext

    from aiohttp.abc import AbstractResolver, AbstractStreamWriter, ResolveResult
    from aiohttp.client_reqrep import ConnectionKey
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

    from consumer.clock import Clock
    from consumer.http.hosts import HostPolicy
    from consumer.http.messages import HttpOutcome, Request

ANSWER_BYTES: Final = 64 * 1024
"""How much of an answer's body is read by default. The status is usually enough."""

HEADER_LINE_BYTES: Final = 16 * 1024
HEADER_COUNT: Final = 128
_SLICE_BYTES: Final = 256 * 1024
_DNS_CACHE_S: Final = 30


class Transport(Protocol):
    """The client that auth, delivery, bulk and registry send through."""

    async def send(self, request: Request) -> HttpOutcome:
        """Send once; return the outcome within the request's deadline, for any transient fault too.

        Raises: `Hold(CONFIG)` when the host is not allowed, before anything is sent. Cancellation
        passes through and closes the connection.
        """
        ...

    def leave(self, origin: str) -> None:
        """Close the connections to this origin that no request uses."""
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...


class HttpTransport:
    """The real client: no redirects, no cookies, no proxy from the environment, no decompression.

    It must be built on the running event loop. `resolver` replaces the system's resolver; its
    results are checked too. `tls` replaces the system's certificate authorities and may hold a
    client certificate.
    """

    def __init__(
        self,
        hosts: HostPolicy,
        clock: Clock,
        *,
        connections: int,
        answer_bytes: int = ANSWER_BYTES,
        tls: SSLContext | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._hosts = hosts
        self._clock = clock
        self._answer_bytes = answer_bytes
        self._connector = _CleanConnector(
            limit=connections,
            resolver=_GuardedResolver(hosts, resolver or ThreadedResolver()),
            ttl_dns_cache=_DNS_CACHE_S,
            ssl=tls or True,
        )
        self._session = aiohttp.ClientSession(
            connector=self._connector,
            headers={
                "User-Agent": f"datacloud-consumer/{__version__}",
                "Accept-Encoding": "identity",
            },
            skip_auto_headers=("Content-Type",),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            requote_redirect_url=False,
            max_line_size=HEADER_LINE_BYTES,
            max_field_size=HEADER_LINE_BYTES,
            max_headers=HEADER_COUNT,
        )

    async def send(self, request: Request) -> HttpOutcome:
        """Send once: see `Transport.send`."""
        fault = self._hosts.fault(request.url)
        if fault is not None:
            detail = f"nothing was sent: {fault}"
            raise Hold(HoldReason.CONFIG, detail)
        if self._session.closed:
            return NoAnswer(Failure.CONNECTION, "the HTTP client is closed", written=False)
        body = _body(request)
        started_s = self._clock.now_s()
        try:
            response = await self._session.request(
                request.method,
                # Percent-encoded already: a second encoding could address another object.
                URL(request.url, encoded=True),
                data=body,
                headers=request.headers,
                allow_redirects=False,
                # Without this the library rounds longer deadlines up to a whole second.
                timeout=aiohttp.ClientTimeout(total=request.timeout_s, ceil_threshold=math.inf),
            )
            headers = tuple([(name.lower(), value) for name, value in response.headers.items()])
            try:
                elapsed_s = self._clock.now_s() - started_s
                unread = encoding_fault(Answer(response.status, headers, elapsed_s=elapsed_s))
                if unread is not None:
                    return unread
                if request.answer_path is not None and response.status == HTTPStatus.OK:
                    content = await _save(response.content, Path(request.answer_path))
                else:
                    content = await response.content.readany()
                    while not response.content.at_eof() and len(content) < self._answer_bytes:
                        content += await response.content.readany()
            finally:
                # Closes the connection, unless the answer was read to its end: then it is back in
                # the pool already.
                response.close()
        except (
            aiohttp.ClientError,
            http_exceptions.HttpProcessingError,
            OSError,
            UnicodeError,
        ) as error:
            return translate(
                error,
                written=body is None or body.consumed,
                elapsed_s=self._clock.now_s() - started_s,
            )
        return Answer(
            response.status,
            headers,
            content[: self._answer_bytes],
            self._clock.now_s() - started_s,
            truncated=not response.content.at_eof() or len(content) > self._answer_bytes,
        )

    def leave(self, origin: str) -> None:
        """Close the idle connections to an origin: see `Transport.leave`."""
        self._connector.close_idle(URL(origin))

    async def close(self) -> None:
        """Close every connection; a request in flight ends as a connection fault."""
        await self._session.close()


# One row per kind of fault, found by the exception's class or its nearest parent with a row: the
# failure, a text (the library's could repeat bytes of the peer), and whether the request may have
# reached the service.
TABLE: Final[dict[type[BaseException], tuple[Failure, str, bool]]] = {
    TimeoutError: (Failure.TIMEOUT, "no complete answer before the timeout", True),
    aiohttp.ServerTimeoutError: (Failure.TIMEOUT, "no complete answer before the timeout", True),
    aiohttp.ConnectionTimeoutError: (Failure.TIMEOUT, "no connection before the timeout", False),
    aiohttp.ClientConnectorDNSError: (Failure.CONNECTION, "host name not resolved", False),
    aiohttp.ClientConnectorCertificateError: (Failure.CONNECTION, "certificate not trusted", False),
    aiohttp.ClientSSLError: (Failure.CONNECTION, "TLS handshake failed", False),
    aiohttp.ServerFingerprintMismatch: (
        Failure.CONNECTION,
        "unexpected certificate",
        False,
    ),
    aiohttp.ClientConnectorError: (Failure.CONNECTION, "connection refused or unreachable", False),
    aiohttp.ServerConnectionError: (Failure.CONNECTION, "connection closed by the service", True),
    aiohttp.ClientConnectionError: (Failure.CONNECTION, "connection lost", True),
    aiohttp.UploadAbortedError: (Failure.CONNECTION, "connection lost while sending", True),
    OSError: (Failure.CONNECTION, "connection lost", True),
    aiohttp.ClientPayloadError: (
        Failure.MALFORMED,
        "answer incomplete, or its length is not as declared",
        True,
    ),
    aiohttp.ClientResponseError: (
        Failure.MALFORMED,
        "answer is not HTTP, or its headers are too large",
        True,
    ),
    http_exceptions.HttpProcessingError: (Failure.MALFORMED, "answer is not HTTP", True),
    UnicodeError: (Failure.CONNECTION, "host name not encodable", False),
    aiohttp.InvalidURL: (Failure.CONNECTION, "invalid URL", False),
    aiohttp.NonHttpUrlClientError: (Failure.CONNECTION, "expected an http(s) URL", False),
    aiohttp.RedirectClientError: (Failure.MALFORMED, "invalid redirect", True),
}


def translate(error: BaseException, *, written: bool, elapsed_s: float) -> NoAnswer:
    """Return the outcome for an exception of the library or the system.

    `written` says whether any of the body was handed to the connection. A fault that happens before
    a connection exists overrides it.
    """
    row = next((TABLE[kind] for kind in type(error).__mro__ if kind in TABLE), None)
    failure, text, may_have_left = row or (Failure.CONNECTION, "request failed", True)
    return NoAnswer(failure, f"{text} ({_cause(error)})", written and may_have_left, elapsed_s)


def _cause(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        error = error.os_error
    number = error.errno if isinstance(error, OSError) else None
    return type(error).__name__ if number is None else f"{type(error).__name__} {number}"


def _body(request: Request) -> _Body | None:
    """Return the body of a request, `None` when it has none.

    Raises: `Fatal` when the spooled file cannot be read.
    """
    if request.body_path is None:
        return _Body(request.body) if request.body else None
    try:
        return _FileBody(Path(request.body_path))
    except OSError as error:
        detail = f"cannot read the spooled file {request.body_path}: {error.strerror}"
        raise Fatal(detail) from error


async def _save(content: aiohttp.StreamReader, path: Path) -> bytes:
    """Write an answer's body to a file, piece by piece; the answer itself gets an empty body.

    Raises: `Hold(SPOOL)` when the file cannot be written: the request is repeated.
    """
    with _open_to_write(path) as file:
        while not content.at_eof():
            piece = await content.readany()
            try:
                file.write(piece)
            except OSError as error:
                raise _cannot_write(path, error) from error
    return b""


def _open_to_write(path: Path) -> BinaryIO:
    try:
        return path.open("wb", buffering=0)
    except OSError as error:
        raise _cannot_write(path, error) from error


def _cannot_write(path: Path, error: OSError) -> Hold:
    detail = (
        f"cannot write the answer of the service to {path}: {error.strerror}; free space on its"
        " disk, or set delivery.spool_dir to another volume"
    )
    return Hold(HoldReason.SPOOL, detail)


class _Body(Payload):
    """A request body that notes when it is handed to the connection, and is sent only once.

    The library repeats PUT and DELETE by itself when a kept connection turns out to be closed, but
    only when the body is not consumed. Every repeat must be counted, paced and judged by the
    caller.
    """

    _autoclose = True

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._content = content
        self._size = len(content)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write the bytes without copying; a large body in slices, at the pace of the peer."""
        self._consumed = True
        if len(self._content) <= _SLICE_BYTES:
            await writer.write(self._content)
            return
        view = memoryview(self._content)
        for start in range(0, len(view), _SLICE_BYTES):
            await writer.write(view[start : start + _SLICE_BYTES])

    async def write_with_length(
        self, writer: AbstractStreamWriter, content_length: int | None
    ) -> None:
        """Write all bytes: the declared length is always the length of this body."""
        del content_length
        await self.write(writer)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return the body as text; the library calls this only for its messages."""
        return self._content.decode(encoding, errors)


class _FileBody(_Body):
    """A file as a body, read slice by slice: memory holds one slice."""

    def __init__(self, path: Path) -> None:
        super().__init__(b"")
        self._size = path.stat().st_size
        self._path = path

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write the file."""
        self._consumed = True
        with self._path.open("rb") as file:
            while piece := file.read(_SLICE_BYTES):
                await writer.write(piece)


class _CleanConnector(aiohttp.TCPConnector):
    """Keeps connections for reuse only while the peer sends nothing on them.

    1. An answer is complete; its connection goes back to the pool.
    2. A second, unrequested answer arrives on it and the library queues that.
    3. The next request would take it for its answer: a 202 for rows that the service never read.
    """

    async def _get(self, key: ConnectionKey, traces: list[Trace]) -> Connection | None:
        while (kept := await super()._get(key, traces)) is not None:
            if kept.protocol is not None and not kept.protocol.should_close:
                return kept
            kept.close()
        return None

    def close_idle(self, origin: URL) -> None:
        """Close the kept connections to one origin."""
        place = origin.host, origin.port
        for key in [key for key in self._conns if (key.host, key.port) == place]:
            for protocol, _ in self._conns.pop(key):
                protocol.close()


class _GuardedResolver(aiohttp.abc.AbstractResolver):
    """Checks the results of a resolver before any connection is made.

    Address literals are not resolved and never come here.
    """

    def __init__(self, hosts: HostPolicy, inner: AbstractResolver) -> None:
        self._hosts = hosts
        self._inner = inner

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: AddressFamily = 0,  # type: ignore[assignment] # 0 is what the library passes for "any"
    ) -> list[ResolveResult]:
        """Resolve a name.

        Raises: `Hold(CONFIG)` for an address that a public name must not have.
        """
        found = await self._inner.resolve(host, port, family)
        fault = self._hosts.address_fault(host, [address["host"] for address in found])
        if fault is not None:
            raise Hold(HoldReason.CONFIG, fault)
        return found

    async def close(self) -> None:
        """Close the inner resolver."""
        await self._inner.close()
