"""Rebalance callbacks, between the event loop and a client that records its calls."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import pytest
from confluent_kafka import KafkaError, TopicPartition

from consumer.clock import SystemClock
from consumer.model import PlainRecord
from consumer.source.active_errors import ActiveErrors
from consumer.source.chunk_queue import ChunkQueue
from consumer.source.commits import Commits
from consumer.source.lease import Lease
from consumer.source.ownership import Ownership, StartPosition
from consumer.source.port import Chunk, Position
from consumer.source.rebalance import Rebalance

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from confluent_kafka import Consumer

    from consumer.model import Assignment
    from consumer.source.port import SourceEvents


class Client:
    """Records the calls of its methods, in order."""

    def __init__(self) -> None:
        self.orders: list[str] = []

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> None:
        """Fake the client's method."""
        assert asynchronous
        self.orders.append(f"commit {[(each.partition, each.offset) for each in offsets]}")

    def incremental_assign(self, partitions: list[TopicPartition]) -> None:
        """Fake the client's method."""
        self.orders.append(f"incremental_assign {[each.partition for each in partitions]}")

    def incremental_unassign(self, partitions: list[TopicPartition]) -> None:
        """Fake the client's method."""
        self.orders.append(f"incremental_unassign {[each.partition for each in partitions]}")

    def assign(self, partitions: list[TopicPartition]) -> None:
        """Fake the client's method."""
        self.orders.append(f"assign {[each.partition for each in partitions]}")

    def unassign(self) -> None:
        """Fake the client's method."""
        self.orders.append("unassign")

    def resume(self, partitions: list[TopicPartition]) -> None:
        """Fake the client's method."""
        self.orders.append(f"resume {[each.partition for each in partitions]}")


class ApiUser:
    """A rebalance with two owned partitions of a topic, 0 and 1; it also receives the events."""

    def __init__(self, *, incremental: bool = True, drain_timeout_s: float = 5.0) -> None:
        self.client = Client()
        self.events: list[str] = []
        self.releases: list[Callable[[Sequence[Position]], None]] = []
        self.is_revoking = asyncio.Event()
        self.answer: list[tuple[int, int]] | None = []
        self.ownership = Ownership()
        self.chunk_queue = ChunkQueue(asyncio.get_running_loop(), cast("SourceEvents", self))
        active_errors = ActiveErrors(lambda *_: None, lambda *_: None)
        self.classified: list[KafkaError | None] = []
        self.commits = Commits(
            lambda *_: None,
            self.classified.append,
            self.ownership.to_commit,
            lambda assignment: self.ownership.of(assignment) is not None,
            lease=Lease(SystemClock()),
            accepted=lambda _gaps: None,
        )
        self.rebalance = Rebalance(
            self.ownership,
            self.chunk_queue,
            active_errors,
            self.commits,
            incremental=incremental,
            drain_timeout_s=drain_timeout_s,
        )
        self.ownership.take([StartPosition(("t", 0), 0, None), StartPosition(("t", 1), 0, None)])

    def chunk(self, chunk: Chunk) -> None:
        """A `SourceEvents` method."""
        self.events.append(f"chunk {chunk.assignment.partition}")

    def revoking(
        self, assignments: Sequence[Assignment], release: Callable[[Sequence[Position]], None]
    ) -> None:
        """A `SourceEvents` method."""
        self.events.append(f"revoking {[each.partition for each in assignments]}")
        self.releases.append(release)
        self.is_revoking.set()
        if self.answer is not None:
            release([Position(self.at(partition), offset) for partition, offset in self.answer])

    def lost(self, assignments: Sequence[Assignment]) -> None:
        """A `SourceEvents` method."""
        self.events.append(f"lost {[each.partition for each in assignments]}")

    def at(self, partition: int) -> Assignment:
        """Return the current assignment of a partition."""
        owned = self.ownership.at(("t", partition))
        assert owned is not None
        return owned.assignment

    def wait_with_a_chunk(self, partition: int) -> None:
        """Put a chunk into the queue that is not posted to the loop yet."""
        self.chunk_queue.add_chunk(Chunk(self.at(partition), [PlainRecord("t", partition)]))

    async def revoke(self, *partitions: int) -> None:
        """Run the callback on another thread, as the client does."""
        there = [TopicPartition("t", partition) for partition in partitions]
        await asyncio.to_thread(self.rebalance.on_revoke, cast("Consumer", self.client), there)

    async def restart_recreated(self, *partitions: int) -> None:
        """Restart the topic of these partitions on another thread."""
        recreated = [owned for owned in self.ownership if owned.assignment.partition in partitions]
        await asyncio.to_thread(
            self.rebalance.restart_recreated, cast("Consumer", self.client), recreated
        )

    async def lose(self, *partitions: int) -> None:
        """Run the callback on another thread."""
        there = [TopicPartition("t", partition) for partition in partitions]
        await asyncio.to_thread(self.rebalance.on_lost, cast("Consumer", self.client), there)
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("incremental", "last"),
    [pytest.param(True, "incremental_unassign [1]"), pytest.param(False, "unassign")],
)
async def test_the_position_is_committed_before_the_partition_is_released(
    *, incremental: bool, last: str
) -> None:
    """I5: the next owner starts after it."""
    api = ApiUser(incremental=incremental)
    api.answer = [(1, 42)]
    await api.revoke(1)
    assert ["commit [(1, 42)]", last] == api.client.orders


async def test_waiting_chunks_are_dropped_before_revoking() -> None:
    """I3: no chunk follows `revoking`; the chunk of the other partition stays."""
    api = ApiUser()
    api.wait_with_a_chunk(0)
    api.wait_with_a_chunk(1)
    await api.revoke(1)
    api.chunk_queue.flush(0)
    await asyncio.sleep(0)
    assert ["revoking [1]", "chunk 0"] == api.events


async def test_a_position_of_another_epoch_is_not_committed() -> None:
    """The engine may name only positions of the revoked assignments."""
    api = ApiUser()
    api.answer = None
    old = api.at(1)
    api.ownership.release([("t", 1)])
    api.ownership.take([StartPosition(("t", 1), 0, None)])
    going = asyncio.create_task(api.revoke(1))
    await api.is_revoking.wait()
    api.releases[0]([Position(old, 42)])
    await going
    assert ["incremental_unassign [1]"] == api.client.orders


async def test_an_engine_that_does_not_finish_is_not_waited_for_forever() -> None:
    """The group waits for this member; the next owner reads unsettled records again."""
    api = ApiUser(drain_timeout_s=0.01)
    api.answer = None
    await api.revoke(0, 1)
    assert ["incremental_unassign [0, 1]"] == [_sorted(order) for order in api.client.orders]


def _sorted(order: str) -> str:
    return order.replace("[1, 0]", "[0, 1]")


async def test_a_pending_partition_is_revoked_without_an_event() -> None:
    """A partition without a start position was never reported as assigned."""
    api = ApiUser()
    api.ownership.expect([("t", 7)])
    await api.revoke(7)
    assert ([], ["incremental_unassign []"], []) == (
        api.events,
        api.client.orders,
        api.ownership.pending,
    )


async def test_a_lost_partition_is_reported_and_nothing_is_committed() -> None:
    """Another member owns it already."""
    api = ApiUser()
    api.wait_with_a_chunk(1)
    await api.lose(1)
    api.chunk_queue.flush(0)
    await asyncio.sleep(0)
    assert (["lost [1]"], ["incremental_unassign [1]"]) == (api.events, api.client.orders)


@pytest.mark.parametrize(
    ("incremental", "last"),
    [(True, "incremental_unassign [1]"), (False, "unassign")],
    ids=["incremental", "eager"],
)
@pytest.mark.parametrize("lost", [False, True], ids=["revoked", "lost"])
async def test_the_clients_pause_ends_with_the_assignment(
    *, incremental: bool, last: str, lost: bool
) -> None:
    """The client would keep the pause, and would not fetch the partition when it comes back."""
    api = ApiUser(incremental=incremental)
    paused = api.ownership.at(("t", 1))
    assert paused is not None
    paused.client_paused = True
    await (api.lose(1) if lost else api.revoke(1))
    assert ["resume [1]", last] == api.client.orders


async def test_no_partition_starts_while_leaving() -> None:
    """Partitions that are assigned in the last seconds go to the next member."""
    api = ApiUser()
    api.rebalance.closing = True
    api.rebalance.on_assign(cast("Consumer", api.client), [TopicPartition("t", 5)])
    assert ([], ["incremental_assign []"]) == (api.ownership.pending, api.client.orders)


@pytest.mark.parametrize(
    ("incremental", "orders"),
    [
        pytest.param(True, ["incremental_unassign [1]"], id="incremental"),
        pytest.param(False, ["unassign", "assign [0]"], id="eager"),
    ],
)
async def test_i10_a_recreated_topic_starts_again_and_its_old_position_is_not_committed(
    *, incremental: bool, orders: list[str]
) -> None:
    """Open records are drained first; other partitions continue."""
    api = ApiUser(incremental=incremental)
    api.answer = [(1, 7)]
    former = api.at(1)
    await api.restart_recreated(1)
    assert ["revoking [1]"] == api.events
    assert orders == api.client.orders
    assert [("t", 1)] == api.ownership.pending
    assert api.ownership.of(former) is None


@pytest.mark.parametrize("incremental", [True, False])
async def test_a_failed_commit_ends_its_error_once_the_partition_is_lost(
    *, incremental: bool
) -> None:
    """The position is not committed again, so nothing else would end the hold of an idle topic."""
    api = ApiUser(incremental=incremental)
    api.commits.send(cast("Consumer", api.client), [Position(api.at(1), 42)])
    api.commits.answered(KafkaError(KafkaError._TRANSPORT), [TopicPartition("t", 1, 42)])
    await api.lose(1)
    assert [KafkaError._TRANSPORT, None] == [error and error.code() for error in api.classified]
