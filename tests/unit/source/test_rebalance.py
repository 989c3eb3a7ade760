"""Giving partitions back, with the loop on one side and a client that only takes orders down on the other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import pytest
from confluent_kafka import KafkaError, TopicPartition

from consumer.model import PlainRecord
from consumer.source.active_errors import ActiveErrors
from consumer.source.chunk_queue import ChunkQueue
from consumer.source.commits import Commits
from consumer.source.ownership import Ownership, StartPosition
from consumer.source.port import Chunk, Position
from consumer.source.rebalance import Rebalance

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from confluent_kafka import Consumer

    from consumer.model import Assignment
    from consumer.source.port import SourceEvents


class Client:
    """Takes down what it is told, in order."""

    def __init__(self) -> None:
        self.orders: list[str] = []

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> None:
        """Stand in for the client's method."""
        assert asynchronous
        self.orders.append(f"commit {[(each.partition, each.offset) for each in offsets]}")

    def incremental_assign(self, partitions: list[TopicPartition]) -> None:
        """Stand in for the client's method."""
        self.orders.append(f"incremental_assign {[each.partition for each in partitions]}")

    def incremental_unassign(self, partitions: list[TopicPartition]) -> None:
        """Stand in for the client's method."""
        self.orders.append(f"incremental_unassign {[each.partition for each in partitions]}")

    def assign(self, partitions: list[TopicPartition]) -> None:
        """Stand in for the client's method."""
        self.orders.append(f"assign {[each.partition for each in partitions]}")

    def unassign(self) -> None:
        """Stand in for the client's method."""
        self.orders.append("unassign")

    def resume(self, partitions: list[TopicPartition]) -> None:
        """Stand in for the client's method."""
        self.orders.append(f"resume {[each.partition for each in partitions]}")


class ApiUser:
    """A rebalance with two partitions of a topic, 0 and 1, being read; it is also who listens."""

    def __init__(self, *, incremental: bool = True, drain_timeout_s: float = 5.0) -> None:
        self.client = Client()
        self.heard: list[str] = []
        self.releases: list[Callable[[Sequence[Position]], None]] = []
        self.is_asked = asyncio.Event()
        self.answer: list[tuple[int, int]] | None = []
        self.ownership = Ownership()
        self.hand_over = ChunkQueue(asyncio.get_running_loop(), cast("SourceEvents", self))
        active_errors = ActiveErrors(lambda *_: None, lambda *_: None)
        self.judged: list[KafkaError | None] = []
        self.commits = Commits(
            lambda *_: None,
            self.judged.append,
            self.ownership.to_commit,
            lambda assignment: self.ownership.of(assignment) is not None,
        )
        self.rebalance = Rebalance(
            self.ownership,
            self.hand_over,
            active_errors,
            self.commits,
            incremental=incremental,
            drain_timeout_s=drain_timeout_s,
        )
        self.ownership.take([StartPosition(("t", 0), 0, None), StartPosition(("t", 1), 0, None)])

    def chunk(self, chunk: Chunk) -> None:
        """A `SourceEvents` method."""
        self.heard.append(f"chunk {chunk.assignment.partition}")

    def revoking(
        self, assignments: Sequence[Assignment], release: Callable[[Sequence[Position]], None]
    ) -> None:
        """A `SourceEvents` method."""
        self.heard.append(f"revoking {[each.partition for each in assignments]}")
        self.releases.append(release)
        self.is_asked.set()
        if self.answer is not None:
            release([Position(self.at(partition), offset) for partition, offset in self.answer])

    def lost(self, assignments: Sequence[Assignment]) -> None:
        """A `SourceEvents` method."""
        self.heard.append(f"lost {[each.partition for each in assignments]}")

    def at(self, partition: int) -> Assignment:
        """Return what is read of a partition."""
        owned = self.ownership.at(("t", partition))
        assert owned is not None
        return owned.assignment

    def wait_with_a_chunk(self, partition: int) -> None:
        """Have a chunk that the loop has not got yet."""
        self.hand_over.add_chunk(Chunk(self.at(partition), [PlainRecord("t", partition)]))

    async def revoke(self, *partitions: int) -> None:
        """Run the callback on another thread, as the client does."""
        there = [TopicPartition("t", partition) for partition in partitions]
        await asyncio.to_thread(self.rebalance.on_revoke, cast("Consumer", self.client), there)

    async def restart_recreated(self, *partitions: int) -> None:
        """Have topics be found made again, on another thread."""
        reborn = [owned for owned in self.ownership if owned.assignment.partition in partitions]
        await asyncio.to_thread(
            self.rebalance.restart_recreated, cast("Consumer", self.client), reborn
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
async def test_the_position_is_committed_before_the_partition_goes(
    *, incremental: bool, last: str
) -> None:
    """I5: whoever is next begins behind it."""
    api = ApiUser(incremental=incremental)
    api.answer = [(1, 42)]
    await api.revoke(1)
    assert ["commit [(1, 42)]", last] == api.client.orders


async def test_what_waits_of_it_is_dropped_before_the_corridor_is_told() -> None:
    """I3: no chunk follows `revoking`; the other partition's stays."""
    api = ApiUser()
    api.wait_with_a_chunk(0)
    api.wait_with_a_chunk(1)
    await api.revoke(1)
    api.hand_over.flush(0)
    await asyncio.sleep(0)
    assert ["revoking [1]", "chunk 0"] == api.heard


async def test_a_position_of_another_epoch_is_not_committed() -> None:
    """The corridor names only what goes, and only that is believed."""
    api = ApiUser()
    api.answer = None
    old = api.at(1)
    api.ownership.release([("t", 1)])
    api.ownership.take([StartPosition(("t", 1), 0, None)])
    going = asyncio.create_task(api.revoke(1))
    await api.is_asked.wait()
    api.releases[0]([Position(old, 42)])
    await going
    assert ["incremental_unassign [1]"] == api.client.orders


async def test_a_corridor_that_does_not_finish_is_not_waited_for_for_ever() -> None:
    """The group waits for us; what is not settled is read again by the next owner."""
    api = ApiUser(drain_timeout_s=0.01)
    api.answer = None
    await api.revoke(0, 1)
    assert ["incremental_unassign [0, 1]"] == [_sorted(order) for order in api.client.orders]


def _sorted(order: str) -> str:
    return order.replace("[1, 0]", "[0, 1]")


async def test_what_was_never_begun_goes_without_a_word() -> None:
    """A partition that still waited for its start position was never told to anybody."""
    api = ApiUser()
    api.ownership.expect([("t", 7)])
    await api.revoke(7)
    assert ([], ["incremental_unassign []"], []) == (
        api.heard,
        api.client.orders,
        api.ownership.pending,
    )


async def test_what_is_lost_is_told_and_nothing_is_committed() -> None:
    """It is somebody else's already."""
    api = ApiUser()
    api.wait_with_a_chunk(1)
    await api.lose(1)
    api.hand_over.flush(0)
    await asyncio.sleep(0)
    assert (["lost [1]"], ["incremental_unassign [1]"]) == (api.heard, api.client.orders)


@pytest.mark.parametrize(
    ("incremental", "last"),
    [(True, "incremental_unassign [1]"), (False, "unassign")],
    ids=["incremental", "eager"],
)
@pytest.mark.parametrize("lost", [False, True], ids=["revoked", "lost"])
async def test_the_clients_pause_goes_with_the_partition(
    *, incremental: bool, last: str, lost: bool
) -> None:
    """The client would keep it for the next time that we get the partition.

    Which would then stand still.
    """
    api = ApiUser(incremental=incremental)
    paused = api.ownership.at(("t", 1))
    assert paused is not None
    paused.client_paused = True
    await (api.lose(1) if lost else api.revoke(1))
    assert ["resume [1]", last] == api.client.orders


async def test_nothing_new_is_begun_while_leaving() -> None:
    """What the group gives us in the last seconds goes to the next member."""
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
async def test_i10_what_was_made_again_begins_anew_and_its_old_position_is_not_committed(
    *, incremental: bool, orders: list[str]
) -> None:
    """What is in hand is finished first; the others are read on."""
    api = ApiUser(incremental=incremental)
    api.answer = [(1, 7)]
    former = api.at(1)
    await api.restart_recreated(1)
    assert ["revoking [1]"] == api.heard
    assert orders == api.client.orders
    assert [("t", 1)] == api.ownership.pending
    assert api.ownership.of(former) is None


@pytest.mark.parametrize("incremental", [True, False])
async def test_a_commit_that_failed_is_no_trouble_once_its_partition_is_lost(
    *, incremental: bool
) -> None:
    """Nobody commits it again, so nothing else would end the hold of a topic at rest."""
    api = ApiUser(incremental=incremental)
    api.commits.send(cast("Consumer", api.client), [Position(api.at(1), 42)])
    api.commits.answered(KafkaError(KafkaError._TRANSPORT), [TopicPartition("t", 1, 42)])
    await api.lose(1)
    assert [KafkaError._TRANSPORT, None] == [error and error.code() for error in api.judged]
