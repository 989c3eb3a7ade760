"""Partitions come and go: the client's rebalance callbacks.

Called inside `consume` on the consumer thread.
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
"""The symptom that is gone when the group deals us partitions, even none."""


class Release:
    """What the corridor calls, once, with the positions of what it finished."""

    def __init__(self) -> None:
        self._done = threading.Event()
        self._positions: Sequence[Position] = ()

    def __call__(self, positions: Sequence[Position]) -> None:
        """Run on the loop."""
        if not self._done.is_set():
            self._positions = tuple(positions)
            self._done.set()

    def wait(self, timeout_s: float) -> Sequence[Position] | None:
        """Run on the consumer thread; `None` when the corridor did not finish in time."""
        return self._positions if self._done.wait(timeout_s) else None


class Rebalance:
    """Gives and takes partitions.

    No callback asks the brokers anything: a question can take seconds, and the client serves
    nothing meanwhile. What is assigned therefore waits as pending, and the thread's next turn finds
    its start positions; to the client the assignment is empty until then, which it does not mind
    (classic, cooperative, and the brokers' own protocol; see the tests against a real broker).
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
        """Partitions were given to us."""
        self._active_errors.end(GROUP)
        if not self.closing:
            self._ownership.expect(_keys(partitions))
        if self._incremental:
            consumer.incremental_assign([])
        else:
            consumer.assign([])

    def on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Partitions are to be given back.

        1. the corridor finishes what is open of them and says how far it is; 2. that is committed
        without waiting: a blocking commit would stand for the whole session time-out when
           there is no coordinator;
        3. they are unassigned, and the client joins the group again. It sends the commit first and
        waits for its
           answer before it joins, so whoever is next finds the position.
        """
        keys = _keys(partitions)
        going = [owned for key in keys if (owned := self._ownership.at(key)) is not None]
        if not self.closing:
            self._commits.send(consumer, self.hand_back(going))
        self._let_go(consumer, keys)

    def on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Partitions are somebody else's already."""
        keys = _keys(partitions)
        gone = [owned.assignment for key in keys if (owned := self._ownership.at(key)) is not None]
        if gone:
            self._chunk_queue.drop(gone)
            self._chunk_queue.post(self._chunk_queue.events.lost, gone)
        self._let_go(consumer, keys)

    def start_again(self, consumer: Consumer, reborn: Sequence[OwnedPartition]) -> None:
        """Begin anew what is read of topics that were deleted and made again behind the group's back.

        What was read of the former topic is finished as for a revocation, so that nothing that is in hand is lost
        with it. Its positions are committed no more: they mean nothing in the new one.
        """
        for owned in reborn:
            self._log.warning(
                "topic_recreated",
                topic=owned.assignment.topic,
                partition=owned.assignment.partition,
                read_to=owned.read_offset,
                last_known_end=owned.end_offset,
                detail=OUTDATED,
            )
        self.hand_back(reborn)
        keys = [owned.key for owned in reborn]
        self._let_go(consumer, keys)
        self._ownership.expect(keys)
        if not self._incremental:
            # All was taken away; what has not changed goes on at once.
            rest = [*self._ownership]
            for owned in rest:
                owned.client_paused = False
            consumer.assign([where_to_read(owned) for owned in rest])

    def hand_back(self, going: Iterable[OwnedPartition]) -> list[Position]:
        """Have the corridor finish what is open of these.

        Returns the positions to commit, none when it is late.
        """
        assignments = [owned.assignment for owned in going]
        if not assignments:
            return []
        self._chunk_queue.drop(assignments)
        release = Release()
        self._chunk_queue.post(self._chunk_queue.events.revoking, assignments, release)
        positions = release.wait(self._drain_timeout_s)
        if positions is None:
            self._log.warning(
                "drain_timeout", partitions=len(assignments), timeout_s=self._drain_timeout_s
            )
            return []
        return [each for each in positions if self._ownership.of(each.assignment) is not None]

    def _let_go(self, consumer: Consumer, keys: list[PartitionKey]) -> None:
        gone = self._ownership.let_go(keys)
        for owned in gone:
            self._active_errors.forget(owned.assignment)
        self._commits.let_go()
        if paused := [TopicPartition(*owned.key) for owned in gone if owned.client_paused]:
            # The client keeps a pause beyond the assignment: should the partition come back, it
            # would stand still.
            consumer.resume(paused)
        if self._incremental:
            consumer.incremental_unassign([TopicPartition(*owned.key) for owned in gone])
        else:
            consumer.unassign()


def _keys(partitions: Iterable[TopicPartition]) -> list[PartitionKey]:
    return [(each.topic, each.partition) for each in partitions]
