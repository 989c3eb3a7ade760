"""Kafka in memory: partitions as lists, a group's positions.

And a source that hands them over on the loop.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from consumer.model import Assignment, PartitionKey, PlainRecord
from consumer.source.port import Chunk, Position

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from consumer.model import Headers
    from consumer.source.port import SourceEvents

TURN_S: Final = 0.01
"""The time between two chunks of a partition."""


class MemoryLog:
    """What brokers keep: records by partition.

    And one group's committed positions with their history.
    """

    def __init__(self) -> None:
        self.records: dict[PartitionKey, list[PlainRecord]] = defaultdict(list)
        self.ends: dict[PartitionKey, int] = defaultdict(int)
        self.committed: dict[PartitionKey, int] = {}
        self.commits: list[tuple[PartitionKey, int]] = []
        self.readers: list[MemorySource] = []
        self.on_commit: Callable[[PartitionKey, int], None] = lambda _place, _offset: None
        """Told of each commit, before it is kept."""

    def commit(self, place: PartitionKey, offset: int) -> None:
        """Keep a position for the group."""
        self.on_commit(place, offset)
        self.committed[place] = offset
        self.commits.append((place, offset))

    def append(
        self,
        topic: str,
        partition: int,
        *,
        key: bytes | None = None,
        value: bytes | None = None,
        headers: Headers | None = None,
        timestamp_ms: int = 0,
    ) -> PlainRecord:
        """Write a record at the end of a partition."""
        place = (topic, partition)
        record = PlainRecord(
            topic,
            partition,
            self.ends[place],
            key=key,
            value=value,
            headers=headers,
            timestamp_ms=timestamp_ms,
        )
        self.records[place].append(record)
        self.ends[place] += 1
        self._tell_readers()
        return record

    def leave_hole(self, topic: str, partition: int, count: int = 1) -> None:
        """Let offsets pass that carry no record, as transaction markers and compaction do."""
        self.ends[topic, partition] += count
        self._tell_readers()

    def _tell_readers(self) -> None:
        for reader in self.readers:
            reader.wake()


class MemorySource:
    """One member of the group. The test decides what is assigned to it, and when that goes."""

    def __init__(
        self, log: MemoryLog, *, chunk_records: int = 50, drain_timeout_s: float = 25.0
    ) -> None:
        self._log = log
        self._chunk_records = chunk_records
        self._drain_timeout_s = drain_timeout_s
        self._owned: dict[PartitionKey, Assignment] = {}
        self._read: dict[Assignment, int] = {}
        self._ended: dict[Assignment, int] = {}
        self._paused: set[Assignment] = set()
        self._going: set[Assignment] = set()
        self._epoch = 0
        self._polled_s = 0.0
        self._turning: asyncio.TimerHandle | None = None
        self._silent = False
        self.starts: dict[Assignment, int] = {}
        """Where each ownership began."""
        self.refuse_commits: str | None = None
        """While set, commits are answered with this error."""

    # ── the source, as the corridor sees it
    # ──────────────────────────────────────────────────────────────

    def start(self, events: SourceEvents) -> None:
        """Begin; nothing is assigned yet."""
        self._events = events
        self._log.readers.append(self)
        self._polled_s = asyncio.get_running_loop().time()

    def pause(self, assignments: Sequence[Assignment]) -> None:
        """Hand over no more of these."""
        self._paused.update(assignments)

    def resume(self, assignments: Sequence[Assignment]) -> None:
        """Hand over of these again."""
        self._paused.difference_update(assignments)
        self.wake()

    def commit(self, positions: Sequence[Position]) -> None:
        """Commit what is still owned; the answer comes with the next turn of the loop."""
        owned = [position for position in positions if position.assignment in self._read]
        if self.refuse_commits is None:
            self._keep(owned)
        asyncio.get_running_loop().call_soon(self._events.committed, owned, self.refuse_commits)

    def stop(self) -> None:
        """Let go of everything in order, then tell that this was all."""
        self.revoke([*self._owned], then_stop=True)

    def end_offsets(self) -> dict[Assignment, int]:
        """Return the ends of what is owned."""
        return {assignment: self._log.ends[place] for place, assignment in self._owned.items()}

    def subscribed_partitions(self) -> int:
        """Return how many partitions there are."""
        return len(self._log.ends)

    def progress_s(self) -> float:
        """Return the present, until it fell silent: in memory nothing blocks."""
        return self._polled_s if self._silent else asyncio.get_running_loop().time()

    # ── the group, as the test plays it
    # ──────────────────────────────────────────────────────────────────

    def assign(self, places: Iterable[PartitionKey]) -> None:
        """Give partitions to this member, each from its committed position or its beginning."""
        assignments = []
        for topic, partition in places:
            self._epoch += 1
            committed = self._log.committed.get((topic, partition))
            assignment = Assignment(topic, partition, self._epoch, committed or 0, committed)
            self._owned[topic, partition] = assignment
            self._read[assignment] = self.starts[assignment] = committed or 0
            assignments.append(assignment)
        self._events.assigned(assignments)
        self.wake()

    def ownership(self, place: PartitionKey) -> Assignment | None:
        """Return the present ownership of a partition, `None` when it is not this member's."""
        return self._owned.get(place)

    def revoke(self, places: Iterable[PartitionKey], *, then_stop: bool = False) -> None:
        """Take partitions away in order.

        What the corridor releases within the drain time-out is committed.
        """
        assignments = [self._owned[place] for place in places]
        self._going.update(assignments)
        released = False

        def release(positions: Sequence[Position]) -> None:
            nonlocal released
            if released:
                return
            released = True
            late.cancel()
            self._keep(positions)
            self._forget(assignments)
            if then_stop:
                self._close()

        late = asyncio.get_running_loop().call_later(self._drain_timeout_s, release, ())
        self._events.revoking(assignments, release)

    def lose(self, places: Iterable[PartitionKey]) -> None:
        """Take partitions away at once: they are another member's already."""
        assignments = [self._owned[place] for place in places]
        self._forget(assignments)
        self._events.lost(assignments)

    def crash(self) -> None:
        """Fall silent, as a killed process does."""
        self._forget([*self._owned.values()])
        self._fall_silent()

    def wake(self) -> None:
        """There may be something to hand over."""
        if self._turning is None and not self._silent:
            self._turning = asyncio.get_running_loop().call_later(TURN_S, self._turn)

    def _turn(self) -> None:
        self._turning = None
        for place, assignment in [*self._owned.items()]:
            if assignment not in self._paused | self._going and self._hand_over(place, assignment):
                self.wake()

    def _hand_over(self, place: PartitionKey, assignment: Assignment) -> bool:
        """Hand over a chunk, or tell that the end is reached.

        False when there is nothing to say.
        """
        records, start = self._log.records[place], self._read[assignment]
        first = bisect_left(records, start, key=PlainRecord.offset)
        chunk = records[first : first + self._chunk_records]
        if chunk:
            self._read[assignment] = chunk[-1].offset() + 1
            self._events.chunk(Chunk(assignment, chunk))
            return True
        if self._ended.get(assignment) != self._log.ends[place]:
            self._ended[assignment] = self._log.ends[place]
            self._events.reached_end(assignment, self._log.ends[place])
        return False

    def _keep(self, positions: Iterable[Position]) -> None:
        for position in positions:
            self._log.commit(
                (position.assignment.topic, position.assignment.partition), position.offset
            )

    def _forget(self, assignments: Iterable[Assignment]) -> None:
        for assignment in assignments:
            self._owned.pop((assignment.topic, assignment.partition), None)
            self._read.pop(assignment, None)
            self._paused.discard(assignment)
            self._going.discard(assignment)
            self._ended.pop(assignment, None)

    def _fall_silent(self) -> None:
        self._silent = True
        self._polled_s = asyncio.get_running_loop().time()
        if self in self._log.readers:
            self._log.readers.remove(self)
        if self._turning is not None:
            self._turning.cancel()

    def _close(self) -> None:
        self._fall_silent()
        self._events.stopped()
