"""Start positions of the source on a real broker, and lost positions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Consumer, TopicPartition

from consumer.errors import HoldReason
from tests.kafka.member import Member, carried_out, eventually
from tests.kafka.topics import group_name, numbers, produce, topic_of

if TYPE_CHECKING:
    from tests.kafka.broker import KafkaBroker

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]


@pytest.mark.holds("I10")
async def test_retention_that_passed_the_position_holds_the_partition(
    kafka_broker: KafkaBroker,
) -> None:
    """I10: nothing is skipped; the other partition continues."""
    topic, group = topic_of(kafka_broker, 2), group_name()
    for partition in range(2):
        produce(kafka_broker, topic, numbers(10), partition)
    async with Member(kafka_broker.bootstrap, group, topic) as first:
        await first.listener.until(lambda: len(first.listener.records) == 20)
        first.listener.settled = dict.fromkeys(first.listener.assignments, 4)
        first.listener.settled[
            next(each for each in first.listener.assignments if each.partition == 1)
        ] = 10
    kafka_broker.delete_records(topic, 0, 8)
    async with Member(kafka_broker.bootstrap, group, topic) as second:
        await second.listener.until(lambda: second.listener.held_now)
        produce(kafka_broker, topic, numbers(5), 0)
        produce(kafka_broker, topic, numbers(5), 1)
        await second.listener.until(lambda: len(second.listener.offsets(1)) == 5)
        [held] = second.listener.held_now
    assert HoldReason.OFFSET_LOST is held.reason
    assert held.assignment is not None
    assert 0 == held.assignment.partition
    assert (
        "position 4 (leader epoch 0) cannot be read; the partition has offsets 8 to 10: "
        "4 offsets were removed" in held.detail
    )
    assert [] == second.listener.offsets(0)
    assert {0: 4, 1: 15} == kafka_broker.committed(group, topic)


@pytest.mark.holds("I10")
async def test_retention_while_reading_holds_the_partition(kafka_broker: KafkaBroker) -> None:
    """Records deleted under a paused partition are missing when it is resumed."""
    topic, group = topic_of(kafka_broker), group_name()
    async with Member(kafka_broker.bootstrap, group, topic) as member:
        await member.listener.until(lambda: ("reached_end", (0, 0)) in member.listener.log)
        member.source.pause(member.listener.assignments)
        await carried_out(member)
        await asyncio.to_thread(produce, kafka_broker, topic, numbers(10))
        kafka_broker.delete_records(topic, 0, 6)
        member.source.resume(member.listener.assignments)
        await member.listener.until(lambda: member.listener.held_now or member.listener.records)
        [held] = member.listener.held_now
    assert HoldReason.OFFSET_LOST is held.reason
    assert [] == member.listener.records


@pytest.mark.holds("I10")
async def test_i10_a_position_of_a_deleted_topic_does_not_count_in_the_new_one(
    kafka_broker: KafkaBroker,
) -> None:
    """It was committed late, by a member that had not noticed the deletion.

    It is in the middle of records that were never read.
    """
    topic, group = topic_of(kafka_broker), group_name()
    produce(kafka_broker, topic, numbers(10))
    async with Member(kafka_broker.bootstrap, group, topic) as first:
        await first.listener.until(lambda: len(first.listener.records) == 10)
    late = Consumer({"bootstrap.servers": kafka_broker.bootstrap, "group.id": group})
    positions = late.committed([TopicPartition(topic, 0)], timeout=10)
    kafka_broker.delete_topic(topic)
    kafka_broker.create_topic(topic)
    produce(kafka_broker, topic, numbers(20))
    late.commit(offsets=positions, asynchronous=False)
    late.close()
    assert {0: 10} == kafka_broker.committed(group, topic)
    async with Member(kafka_broker.bootstrap, group, topic, start_at="latest") as second:
        await second.listener.until(lambda: 19 in second.listener.offsets())
    assert [*range(20)] == second.listener.offsets()
    assert {0: 20} == kafka_broker.committed(group, topic)


@pytest.mark.holds("I10")
async def test_i10_a_topic_recreated_while_it_is_read_starts_at_its_beginning(
    kafka_broker: KafkaBroker,
) -> None:
    """The brokers have dropped its positions.

    With `latest` the records written meanwhile would be skipped.
    """
    topic = topic_of(kafka_broker)
    produce(kafka_broker, topic, numbers(10))
    async with Member(kafka_broker.bootstrap, group_name(), topic, start_at="latest") as member:
        await member.listener.until(lambda: member.listener.assignments)
        kafka_broker.delete_topic(topic)
        await member.listener.until(lambda: not member.listener.assignments)
        kafka_broker.create_topic(topic)
        await asyncio.to_thread(produce, kafka_broker, topic, numbers(5))
        await member.listener.until(lambda: 4 in member.listener.offsets())
    assert [*range(5)] == member.listener.offsets()


@pytest.mark.parametrize(
    ("start_at", "expected"),
    [
        pytest.param("earliest", [0, 1, 2, 3, 4], id="earliest"),
        pytest.param("latest", [4], id="latest"),
        pytest.param(3_000, [2, 3, 4], id="time"),
        pytest.param(99_000, [4], id="time-after-the-last"),
    ],
)
async def test_a_group_without_a_position_starts_at_start_at(
    kafka_broker: KafkaBroker, start_at: str | int, expected: list[int]
) -> None:
    """Only if the group has no position."""
    topic = topic_of(kafka_broker, retention_ms="-1")
    for number in range(1, 5):
        produce(kafka_broker, topic, [b"%d" % number], timestamp=number * 1000 + 500)
    async with Member(kafka_broker.bootstrap, group_name(), topic, start_at=start_at) as member:
        await member.listener.until(lambda: ("reached_end", (0, 4)) in member.listener.log)
        produce(kafka_broker, topic, [b"5"], timestamp=100_000_000)
        await member.listener.until(lambda: 4 in member.listener.offsets())
    assert expected == member.listener.offsets()


async def test_the_position_wins_over_start_at(kafka_broker: KafkaBroker) -> None:
    """A restart continues at the group's position, whatever the file says."""
    topic, group = topic_of(kafka_broker), group_name()
    produce(kafka_broker, topic, numbers(5))
    async with Member(kafka_broker.bootstrap, group, topic) as first:
        await first.listener.until(lambda: len(first.listener.records) == 5)
    produce(kafka_broker, topic, numbers(2))
    async with Member(kafka_broker.bootstrap, group, topic, start_at="latest") as second:
        await second.listener.until(lambda: len(second.listener.records) == 2)
    assert [5, 6] == second.listener.offsets()
    assert (5, 5) == _begin(second)


def _begin(member: Member) -> tuple[int, int | None]:
    [assigned] = [what for name, what in member.listener.log if name == "assigned"]
    return assigned[0].next_offset, assigned[0].committed


async def test_a_start_at_the_end_is_committed_at_once(kafka_broker: KafkaBroker) -> None:
    """Records that arrive between a first, idle run and the next one are not skipped."""
    topic, group = topic_of(kafka_broker), group_name()
    produce(kafka_broker, topic, numbers(5))
    async with Member(kafka_broker.bootstrap, group, topic, start_at="latest") as first:
        await first.listener.until(lambda: first.listener.assignments)
    produce(kafka_broker, topic, numbers(2))
    async with Member(kafka_broker.bootstrap, group, topic, start_at="latest") as second:
        await second.listener.until(lambda: len(second.listener.records) == 2)
    assert [5, 6] == second.listener.offsets()


@pytest.mark.holds("I10")
async def test_i10_a_new_partition_of_a_known_topic_starts_at_its_beginning(
    kafka_broker: KafkaBroker,
) -> None:
    """Its first records are older than our metadata; `latest` would lose them."""
    topic, group = topic_of(kafka_broker), group_name()
    produce(kafka_broker, topic, numbers(5))
    async with Member(kafka_broker.bootstrap, group, topic, start_at="latest") as member:
        await member.listener.until(lambda: member.listener.assignments)
        kafka_broker.add_partitions(topic, 2)
        produce(kafka_broker, topic, numbers(3), 1)
        await member.listener.until(lambda: len(member.listener.offsets(1)) == 3)
        await eventually(member.source.subscribed_partitions, 2)
    assert [0, 1, 2] == member.listener.offsets(1)
    assert [] == member.listener.offsets(0)
