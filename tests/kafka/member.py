"""A group member under test: a real source, and a listener that records its events."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar

import pytest

from consumer.source.kafka import KafkaSource
from consumer.source.port import Position
from consumer.source.settings import KafkaSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from consumer.errors import HoldReason
    from consumer.model import Assignment, Record
    from consumer.source.port import Chunk

QUICK: dict[str, str] = {
    "topic.metadata.refresh.interval.ms": "500",
    "session.timeout.ms": "6000",
    "heartbeat.interval.ms": "300",
    "fetch.wait.max.ms": "100",
    "reconnect.backoff.max.ms": "500",
}
"""Settings that make a rebalance or an outage visible in a second instead of ten."""


def _quick(properties: Mapping[str, str]) -> dict[str, str]:
    """Add `QUICK` to the properties of the test.

    With the consumer protocol, the brokers set the group's timeouts.
    """
    set_by_brokers = (
        {"session.timeout.ms", "heartbeat.interval.ms"} if "group.protocol" in properties else set()
    )
    return {
        name: value for name, value in {**QUICK, **properties}.items() if name not in set_by_brokers
    }


T = TypeVar("T")


class Held(NamedTuple):
    """A hold as it was reported."""

    reason: HoldReason
    detail: str
    assignment: Assignment | None


class Listener:
    """Settles every record on arrival; commits on request, or when a partition is revoked.

    `log` has all events in order.
    """

    def __init__(self, source: KafkaSource) -> None:
        self.log: list[tuple[str, Any]] = []
        self.assignments: list[Assignment] = []
        self.records: list[Record] = []
        self.epochs: list[tuple[Assignment, int]] = []
        self.settled: dict[Assignment, int] = {}
        self.held_now: list[Held] = []
        self.commits: list[tuple[tuple[Position, ...], str | None]] = []
        self.failures: list[str] = []
        self.is_stopped = False
        self.releases: list[Callable[[Sequence[Position]], None]] = []
        self.keeps_releases = False
        self._source = source
        self._changed = asyncio.Event()

    async def until(self, condition: Callable[[], object], within_s: float = 25.0) -> None:
        """Return once the condition holds.

        It is checked after every event, and from time to time for changes elsewhere.
        """
        try:
            async with asyncio.timeout(within_s):
                while not condition():
                    self._changed.clear()
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._changed.wait(), 0.2)
        except TimeoutError:
            pytest.fail(
                f"not within {within_s} s; held: {self.held_now}; last events: {self.log[-12:]}"
            )

    def values(self) -> list[bytes]:
        """Return the values that arrived, in order."""
        return [record.value() or b"" for record in self.records]

    def offsets(self, partition: int = 0) -> list[int]:
        """Return the offsets of one partition that arrived, in order."""
        return [record.offset() for record in self.records if record.partition() == partition]

    def owned(self) -> set[int]:
        """Return the partitions that are owned now."""
        return {assignment.partition for assignment in self.assignments}

    def positions(self) -> list[Position]:
        """Return how far each owned partition is settled."""
        return [
            Position(each, self.settled[each]) for each in self.assignments if each in self.settled
        ]

    def _record(self, name: str, what: object) -> None:
        self.log.append((name, what))
        self._changed.set()

    def assigned(self, assignments: Sequence[Assignment]) -> None:
        """A `SourceEvents` method."""
        self.assignments += assignments
        self._record("assigned", [*assignments])

    def chunk(self, chunk: Chunk) -> None:
        """A `SourceEvents` method."""
        self.records += chunk.records
        self.epochs += [(chunk.assignment, record.offset()) for record in chunk.records]
        self.settled[chunk.assignment] = chunk.records[-1].offset() + 1
        self._record("chunk", chunk.assignment)

    def reached_end(self, assignment: Assignment, offset: int) -> None:
        """A `SourceEvents` method."""
        self.settled[assignment] = offset
        self._record("reached_end", (assignment.partition, offset))

    def revoking(
        self, assignments: Sequence[Assignment], release: Callable[[Sequence[Position]], None]
    ) -> None:
        """A `SourceEvents` method."""
        positions = [each for each in self.positions() if each.assignment in assignments]
        self.assignments = [each for each in self.assignments if each not in assignments]
        self._record("revoking", [*assignments])
        if self.keeps_releases:
            self.releases.append(release)
        else:
            release(positions)

    def lost(self, assignments: Sequence[Assignment]) -> None:
        """A `SourceEvents` method."""
        self.assignments = [each for each in self.assignments if each not in assignments]
        self._record("lost", [*assignments])

    def committed(self, positions: Sequence[Position], error: str | None) -> None:
        """A `SourceEvents` method."""
        self.commits.append((tuple(positions), error))
        self._record("committed", error)

    def held(self, reason: HoldReason, detail: str, assignment: Assignment | None) -> None:
        """A `SourceEvents` method."""
        self.held_now.append(Held(reason, detail, assignment))
        self._record("held", reason)

    def released(self, reason: HoldReason, assignment: Assignment | None) -> None:
        """A `SourceEvents` method."""
        self.held_now = [
            each for each in self.held_now if (each.reason, each.assignment) != (reason, assignment)
        ]
        self._record("released", reason)

    def failed(self, detail: str) -> None:
        """A `SourceEvents` method."""
        self.failures.append(detail)
        self._record("failed", detail)

    def stopped(self) -> None:
        """A `SourceEvents` method."""
        self.is_stopped = True
        self._record("stopped", None)


class Member:
    """A source with its listener; it leaves the group at the end of an `async with` block."""

    def __init__(
        self,
        bootstrap: str,
        group: str,
        *topics: str,
        properties: Mapping[str, str] | None = None,
        start_at: Any = "earliest",  # noqa: ANN401 - what the setting takes
        drain_timeout_s: float = 10.0,
    ) -> None:
        self.settings = KafkaSettings(
            bootstrap_servers=bootstrap,
            group_id=group,
            topics=topics,
            start_at=start_at,
            properties=_quick(properties or {}),
            drain_timeout_s=drain_timeout_s,
        )
        self.source = KafkaSource(self.settings)
        self.listener = Listener(self.source)

    async def __aenter__(self) -> Self:
        self.source.start(self.listener)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.leave()

    async def leave(self) -> None:
        """Stop and wait for the last event; a second call does nothing."""
        if not self.listener.is_stopped:
            self.source.stop()
            await self.listener.until(lambda: self.listener.is_stopped, within_s=30)


async def eventually(ask: Callable[[], T], expected: T, within_s: float = 20.0) -> None:
    """Return once a request to the broker gives the expected answer."""
    seen: object = None
    try:
        async with asyncio.timeout(within_s):
            while (seen := await asyncio.to_thread(ask)) != expected:  # noqa: ASYNC110 - a broker has to be asked
                await asyncio.sleep(0.05)
    except TimeoutError:
        assert expected == seen


async def carried_out(member: Member) -> None:
    """Return once the consumer thread has run the commands sent before.

    It runs them once per iteration.
    """
    for _ in range(2):
        seen_s = member.source.progress_s()
        await eventually(lambda seen_s=seen_s: member.source.progress_s() > seen_s, expected=True)  # type: ignore[misc]
