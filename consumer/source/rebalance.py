"""The rebalance callbacks of the Kafka client: assign, revoke, lost.

The client calls them inside `consume`, on the consumer thread.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

import structlog
from confluent_kafka import TopicPartition

from consumer.source.ownership import where_to_read
from consumer.source.start_positions import OUTDATED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from confluent_kafka import Consumer

    from consumer.model import PartitionKey
    from consumer.source.active_errors import ActiveErrors
    from consumer.source.chunk_queue import ChunkQueue
    from consumer.source.commits import Commits
    from consumer.source.ownership import OwnedPartition, Ownership
    from consumer.source.port import Position

GROUP: Final = "group"
"""The kind of error that ends when the group assigns partitions to us, even none."""


class Release:
    """The callback that the engine calls, once, with the positions of its finished work."""

    def __init__(self) -> None:
        self._done = threading.Event()
        self._positions: Sequence[Position] = ()

    def __call__(self, positions: Sequence[Position]) -> None:
        """Store the positions; called on the loop."""
        if not self._done.is_set():
            self._positions = tuple(positions)
            self._done.set()

    def wait(self, timeout_s: float) -> Sequence[Position] | None:
        """Return the positions, `None` if the engine was late; called on the consumer thread."""
        return self._positions if self._done.wait(timeout_s) else None


class Rebalance:
    """Takes over assigned partitions and releases revoked ones.

    No callback sends a request to the brokers: a request can take seconds, and the client serves
    nothing meanwhile. An assigned partition is therefore pending at first. The next iteration of
    the thread finds its start position. For the client the assignment is empty until then, which
    works with the classic, the cooperative and the consumer protocol (see the tests against a real
    broker).
    """

    def __init__(
        self,
        ownership: Ownership,
        chunk_queue: ChunkQueue,
        active_errors: ActiveErrors,
        commits: Commits,
        *,
        incremental: bool,
        drain_timeout_s: float,
    ) -> None:
        self.closing = False
        self._ownership = ownership
        self._chunk_queue = chunk_queue
        self._active_errors = active_errors
        self._commits = commits
        self._incremental = incremental
        self._drain_timeout_s = drain_timeout_s
        self._log = structlog.get_logger()

    def on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Note that the group assigned these partitions to us."""
        self._active_errors.end(GROUP)
        if not self.closing:
            self._ownership.expect(_keys(partitions))
        # The client requires an answer to the callback; an empty one keeps the partitions pending.
        if self._incremental:
            consumer.incremental_assign([])
        else:
            consumer.assign([])

    def on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Drain and release partitions that the group revokes.

        1. The engine finishes the open records of these partitions and returns their positions.
        2. The positions are committed without waiting: without a coordinator, a blocking commit
           would block for the whole session timeout.
        3. The partitions are unassigned, and the client rejoins the group. It sends the commit
           first and waits for the answer before it joins, so the next owner finds the position.
        """
        keys = _keys(partitions)
        owned_partitions = [owned for key in keys if (owned := self._ownership.at(key)) is not None]
        # While closing, everything was drained and committed before.
        if not self.closing:
            self._commits.send(consumer, self.drain(owned_partitions))
        self._release(consumer, keys)

    def on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Drop partitions that other members own already."""
        keys = _keys(partitions)
        gone = [owned.assignment for key in keys if (owned := self._ownership.at(key)) is not None]
        if gone:
            # Chunks that wait in the queue are read again by the next owner.
            self._chunk_queue.drop(gone)
            self._chunk_queue.post(self._chunk_queue.events.lost, gone)
        self._release(consumer, keys)

    def restart_recreated(self, consumer: Consumer, recreated: Sequence[OwnedPartition]) -> None:
        """Read topics from their beginning that were deleted and recreated while we owned them.

        Records of the deleted topic that were already read are drained as in a revocation, so that
        none of them is lost. Its positions are not committed any more: they have no meaning in the
        new topic.
        """
        for owned in recreated:
            self._log.warning(
                "topic_recreated",
                topic=owned.assignment.topic,
                partition=owned.assignment.partition,
                read_to=owned.read_offset,
                last_known_end=owned.end_offset,
                detail=OUTDATED,
            )
        self.drain(recreated)
        keys = [owned.key for owned in recreated]
        self._release(consumer, keys)
        self._ownership.expect(keys)
        if not self._incremental:
            # `_release` unassigned everything; the other partitions continue at once.
            rest = [*self._ownership]
            for owned in rest:
                owned.client_paused = False
            consumer.assign([where_to_read(owned) for owned in rest])

    def drain(self, owned_partitions: Iterable[OwnedPartition]) -> list[Position]:
        """Have the engine finish the open records of these partitions.

        Returns: the positions to commit; none if the engine does not finish within the drain
        timeout.
        """
        assignments = [owned.assignment for owned in owned_partitions]
        if not assignments:
            return []
        # No chunk may follow `revoking`: drop those that wait before posting it.
        self._chunk_queue.drop(assignments)
        release = Release()
        self._chunk_queue.post(self._chunk_queue.events.revoking, assignments, release)
        positions = release.wait(self._drain_timeout_s)
        if positions is None:
            self._log.warning(
                "drain_timeout", partitions=len(assignments), timeout_s=self._drain_timeout_s
            )
            return []
        # The engine may name positions of earlier epochs: they must not be committed now.
        return [each for each in positions if self._ownership.of(each.assignment) is not None]

    def _release(self, consumer: Consumer, keys: list[PartitionKey]) -> None:
        gone = self._ownership.release(keys)
        for owned in gone:
            # Its holds end with the assignment, so no `released` event is due.
            self._active_errors.forget(owned.assignment)
        self._commits.forget_released()
        if paused := [TopicPartition(*owned.key) for owned in gone if owned.client_paused]:
            # The client keeps a pause beyond the assignment: if the partition came back, it would
            # not be fetched.
            consumer.resume(paused)
        if self._incremental:
            consumer.incremental_unassign([TopicPartition(*owned.key) for owned in gone])
        else:
            consumer.unassign()


def _keys(partitions: Iterable[TopicPartition]) -> list[PartitionKey]:
    return [(each.topic, each.partition) for each in partitions]
