"""A null tenant: accepts every login and every body after a latency, and keeps nothing.

Runs as a separate process: `python -m bench.null_tenant --latency-ms 100` prints its port and
serves until it is terminated. `GET /counts` returns the counts since `POST /reset`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from typing import Final

HOST: Final = "127.0.0.1"

_BUFFER: Final = bytearray(256 * 1024)
"""One buffer for all connections: received bytes are processed before the next read."""

_VIEW: Final = memoryview(_BUFFER)
_LONGEST_HEAD_BYTES: Final = 16 * 1024
_ROW_START: Final = b"{"
"""No value of the measured rows contains a brace: a body has one, and each row has one."""

_ACCEPTED: Final = b'{"accepted":true}'


class Counts:
    """Counts of requests and rows. Times are monotonic: one clock for all local processes."""

    def __init__(self) -> None:
        self.requests = 0
        self.rows = 0
        self.body_bytes = 0
        self.largest_bytes = 0
        self.last_bytes = 0
        self.first_s = 0.0
        self.last_s = 0.0

    def add(self, rows: int, body_bytes: int) -> None:
        """Count one request before it is accepted."""
        self.requests += 1
        self.rows += rows
        self.body_bytes += body_bytes
        self.last_bytes = body_bytes
        self.largest_bytes = max(self.largest_bytes, body_bytes)


class Tenant:
    """The state that all connections share."""

    def __init__(self, latency_s: float) -> None:
        self.latency_s = latency_s
        self.counts = Counts()
        self.port = 0

    def answer(self, path: bytes) -> tuple[int, bytes] | None:
        """Return the response to a control or login call; `None` for an ingestion request."""
        if path == b"/services/oauth2/token":
            return 200, self._token(f"http://{HOST}:{self.port}")
        if path == b"/services/a360/token":
            return 200, self._token(f"{HOST}:{self.port}")
        if path.endswith(b"/actions/test"):
            return 200, b"{}"
        if path == b"/counts":
            return 200, json.dumps(vars(self.counts) | {"cpu_s": time.process_time()}).encode()
        if path == b"/reset":
            self.counts = Counts()
            return 200, b"{}"
        return None

    @staticmethod
    def _token(instance_url: str) -> bytes:
        token = {
            "access_token": "bench",
            "instance_url": instance_url,
            "token_type": "Bearer",
            "expires_in": 7200,
        }
        return json.dumps(token).encode()


class Connection(asyncio.BufferedProtocol):
    """One connection; a body is counted in the receive buffer and not kept."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant
        self._head = b""
        self._path = b""
        self._length = 0
        self._left = 0
        self._braces = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport for responses."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what a stream server gives
        self._transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return the shared buffer."""
        del sizehint
        return _VIEW

    def buffer_updated(self, nbytes: int) -> None:
        """Process received bytes: parse heads, count the rows of bodies."""
        at = 0
        while at < nbytes:
            at = self._take_body(at, nbytes) if self._left else self._take_head(at, nbytes)

    def _take_body(self, at: int, end: int) -> int:
        end = min(end, at + self._left)
        self._braces += _BUFFER.count(_ROW_START, at, end)
        self._left -= end - at
        if not self._left:
            self._complete()
        return end

    def _take_head(self, at: int, end: int) -> int:
        known = len(self._head)
        head = self._head + bytes(_VIEW[at : min(end, at + _LONGEST_HEAD_BYTES)])
        found = head.find(b"\r\n\r\n")
        if found < 0:
            self._head = head
            return end
        self._head = b""
        first, _, rest = head[:found].partition(b"\r\n")
        self._path = first.split(b" ")[1]
        self._length = self._left = next(
            (
                int(line[15:])
                for line in rest.split(b"\r\n")
                if line[:15].lower() == b"content-length:"
            ),
            0,
        )
        self._braces = 0
        if not self._left:
            self._complete()
        return at + found + 4 - known

    def _complete(self) -> None:
        answered = self._tenant.answer(self._path)
        if answered is not None:
            self._send(*answered)
            return
        counts = self._tenant.counts
        counts.first_s = counts.first_s or time.monotonic()
        counts.add(self._braces - 1, self._length)
        if self._tenant.latency_s:
            asyncio.get_running_loop().call_later(self._tenant.latency_s, self._accept)
        else:
            self._accept()

    def _accept(self) -> None:
        self._tenant.counts.last_s = time.monotonic()
        self._send(202, _ACCEPTED)

    def _send(self, status: int, body: bytes) -> None:
        head = (
            f"HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\nContent-Length:"
            f" {len(body)}\r\n\r\n"
        )
        self._transport.write(head.encode() + body)


async def serve(latency_s: float) -> None:
    """Listen on a free port, print it, and serve."""
    tenant = Tenant(latency_s)
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(tenant), HOST, 0, backlog=256
    )
    tenant.port = server.sockets[0].getsockname()[1]
    print(tenant.port, flush=True)
    await server.serve_forever()


def main() -> None:
    """Serve until terminated."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency-ms", type=int, default=0)
    asyncio.run(serve(parser.parse_args().latency_ms / 1000))


if __name__ == "__main__":
    main()
