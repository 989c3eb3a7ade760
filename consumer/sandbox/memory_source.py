"""Kafka in memory: partitions as lists, the positions of a group, and a source that reads them."""

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
    """The state of the brokers: records by partition, and the committed positions of one group."""

    def __init__(self) -> None:
        self.records: dict[PartitionKey, list[PlainRecord]] = defaultdict(list)
        self.ends: dict[PartitionKey, int] = defaultdict(int)
        self.committed: dict[PartitionKey, int] = {}
        self.commits: list[tuple[PartitionKey, int]] = []
        self.readers: list[MemorySource] = []
        self.on_commit: Callable[[PartitionKey, int], None] = lambda _place, _offset: None
        """Called with each commit, before it is stored."""

    def commit(self, place: PartitionKey, offset: int) -> None:
        """Store a position of the group."""
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
        """Append a record to a partition."""
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
        self._wake_readers()
        return record

    def leave_hole(self, topic: str, partition: int, count: int = 1) -> None:
        """Skip offsets without a record, as transaction markers and compaction do."""
        self.ends[topic, partition] += count
        self._wake_readers()

    def _wake_readers(self) -> None:
        for reader in self.readers:
            reader.wake()


class MemorySource:
    """One member of the group. The test assigns its partitions, and takes them back."""

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
        self._revoking: set[Assignment] = set()
        self._epoch = 0
        self._polled_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._is_stopped = False
        self.starts: dict[Assignment, int] = {}
        """The offset at which each assignment started."""
        self.is_frozen = False
        """Whether the process does not run: the clock goes on, and nothing else does."""
        self.refuse_commits: str | None = None
        """While set, every commit fails with this error."""

    # ── the source, as the pipeline uses it
    # ──────────────────────────────────────────────────────────────

    def start(self, events: SourceEvents) -> None:
        """Start without an assignment."""
        self._events = events
        self._log.readers.append(self)
        self._polled_s = asyncio.get_running_loop().time()

    def pause(self, assignments: Sequence[Assignment]) -> None:
        """Deliver no more records of these."""
        self._paused.update(assignments)

    def resume(self, assignments: Sequence[Assignment]) -> None:
        """Deliver records of these again."""
        self._paused.difference_update(assignments)
        self.wake()

    def commit(self, positions: Sequence[Position]) -> None:
        """Commit positions that are still owned; the answer comes in the next loop iteration."""
        owned = [position for position in positions if position.assignment in self._read]
        if self.refuse_commits is None:
            self._keep(owned)
        asyncio.get_running_loop().call_soon(self._events.committed, owned, self.refuse_commits)

    def stop(self) -> None:
        """Revoke every partition, then report that the source has stopped."""
        self.revoke([*self._owned], then_stop=True)

    def end_offsets(self) -> dict[Assignment, int]:
        """Return the end offsets of the owned partitions."""
        return {assignment: self._log.ends[place] for place, assignment in self._owned.items()}

    def subscribed_partitions(self) -> int:
        """Return the number of partitions of the log."""
        return len(self._log.ends)

    def is_current(self) -> bool:
        """Return whether the group has confirmed the member since it was frozen."""
        return not self.is_frozen

    def progress_s(self) -> float:
        """Return the current time, or the time of the stop: in memory nothing blocks."""
        return self._polled_s if self._is_stopped else asyncio.get_running_loop().time()

    # ── the group, as the test controls it
    # ───────────────────────────────────────────────────────────────

    def assign(self, places: Iterable[PartitionKey]) -> None:
        """Assign partitions, each from its committed position or from the beginning."""
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
        """Return the current assignment of a partition, `None` when this member has none."""
        return self._owned.get(place)

    def revoke(self, places: Iterable[PartitionKey], *, then_stop: bool = False) -> None:
        """Revoke partitions; positions released within the drain time-out are committed."""
        assignments = [self._owned[place] for place in places]
        self._revoking.update(assignments)
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

        # Whichever comes first ends the revocation: the release, or the drain time-out.
        late = asyncio.get_running_loop().call_later(self._drain_timeout_s, release, ())
        self._events.revoking(assignments, release)

    def lose(self, places: Iterable[PartitionKey]) -> None:
        """Report partitions as lost: another member owns them already."""
        assignments = [self._owned[place] for place in places]
        self._forget(assignments)
        self._events.lost(assignments)

    def crash(self) -> None:
        """Stop at once, without a commit or an event, as a killed process does."""
        self._forget([*self._owned.values()])
        self._stop_polling()

    def wake(self) -> None:
        """Schedule a delivery, unless one is scheduled."""
        if self._timer is None and not self._is_stopped:
            self._timer = asyncio.get_running_loop().call_later(TURN_S, self._turn)

    def _turn(self) -> None:
        self._timer = None
        for place, assignment in [*self._owned.items()]:
            if assignment not in self._paused | self._revoking and self._deliver(place, assignment):
                self.wake()

    def _deliver(self, place: PartitionKey, assignment: Assignment) -> bool:
        """Deliver a chunk, or report that the end is reached. Return whether there was a chunk."""
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
            self._revoking.discard(assignment)
            self._ended.pop(assignment, None)

    def _stop_polling(self) -> None:
        self._is_stopped = True
        self._polled_s = asyncio.get_running_loop().time()
        if self in self._log.readers:
            self._log.readers.remove(self)
        if self._timer is not None:
            self._timer.cancel()

    def _close(self) -> None:
        self._stop_polling()
        self._events.stopped()
