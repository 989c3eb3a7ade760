"""Keep the latest requests of the tenant with their answers, and totals since the start."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

import msgspec

from consumer.sandbox.wire import Endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

KEPT = 10_000


class RequestLine(msgspec.Struct, frozen=True):
    """One request. `status` is 0 when the client got none. `fault`: a fault rule applied."""

    sequence: int
    now_s: float
    wall_ms: int
    endpoint: Endpoint
    method: str
    path: str
    object: str | None
    status: int
    body_bytes: int
    records: int
    duration_ms: float
    fault: bool


class RequestsLog:
    """The latest requests, and the totals by endpoint and status."""

    def __init__(self) -> None:
        self._lines: deque[RequestLine] = deque(maxlen=KEPT)
        self.totals: Counter[tuple[Endpoint, int]] = Counter()
        self.body_bytes = 0

    def next_sequence(self) -> int:
        """Return the number of the current request, from 1."""
        return self.totals.total() + 1

    def add(self, line: RequestLine) -> None:
        """Record one request."""
        self._lines.append(line)
        self.totals[line.endpoint, line.status] += 1
        self.body_bytes += line.body_bytes

    def statuses(self) -> dict[str, int]:
        """Return the number of answers by status; 0 counts requests without an answer."""
        found: Counter[str] = Counter()
        for (_, status), count in self.totals.items():
            found[str(status)] += count
        return dict(sorted(found.items()))

    def __iter__(self) -> Iterator[RequestLine]:
        return iter(self._lines)

    def newest(self, count: int) -> list[RequestLine]:
        """Return the last `count` requests, the newest first."""
        return [line for line, _ in zip(reversed(self._lines), range(count), strict=False)]
