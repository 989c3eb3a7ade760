"""Where the source begins on a real broker, and what it does when its position is gone."""

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
    """I10: nothing is skipped; the other partition goes on."""
    topic, group = topic_of(kafka_broker, 2), group_name()
    for partition in range(2):
        produce(kafka_broker, topic, numbers(10), partition)
    async with Member(kafka_broker.bootstrap, group, topic) as first:
        await first.heard.until(lambda: len(first.heard.records) == 20)
        first.heard.settled = dict.fromkeys(first.heard.assignments, 4)
        first.heard.settled[
            next(each for each in first.heard.assignments if each.partition == 1)
        ] = 10
    kafka_broker.delete_records(topic, 0, 8)
    async with Member(kafka_broker.bootstrap, group, topic) as second:
        await second.heard.until(lambda: second.heard.held_now)
        produce(kafka_broker, topic, numbers(5), 0)
        produce(kafka_broker, topic, numbers(5), 1)
        await second.heard.until(lambda: len(second.heard.offsets(1)) == 5)
        [held] = second.heard.held_now
    assert HoldReason.OFFSET_LOST is held.reason
    assert held.assignment is not None
    assert 0 == held.assignment.partition
    assert (
        "position 4 (leader epoch 0), but the partition holds 8 to 10: 4 offsets were removed"
        in held.detail
    )
    assert [] == second.heard.offsets(0)
    assert {0: 4, 1: 15} == kafka_broker.committed(group, topic)


@pytest.mark.holds("I10")
async def test_retention_while_reading_holds_the_partition(kafka_broker: KafkaBroker) -> None:
    """Records deleted under a paused partition are missed when it goes on."""
    topic, group = topic_of(kafka_broker), group_name()
    async with Member(kafka_broker.bootstrap, group, topic) as member:
        await member.heard.until(lambda: ("reached_end", (0, 0)) in member.heard.log)
        member.source.pause(member.heard.assignments)
        await carried_out(member)
        await asyncio.to_thread(produce, kafka_broker, topic, numbers(10))
        kafka_broker.delete_records(topic, 0, 6)
        member.source.resume(member.heard.assignments)
        await member.heard.until(lambda: member.heard.held_now or member.heard.records)
        [held] = member.heard.held_now
    assert HoldReason.OFFSET_LOST is held.reason
    assert [] == member.heard.records


@pytest.mark.holds("I10")
async def test_i10_a_position_of_a_deleted_topic_is_none_in_its_successor(
    kafka_broker: KafkaBroker,
) -> None:
    """Committed late, by a member that has not noticed.

    It lies in the middle of records that nobody has read.
    """
    topic, group = topic_of(kafka_broker), group_name()
    produce(kafka_broker, topic, numbers(10))
    async with Member(kafka_broker.bootstrap, group, topic) as first:
        await first.heard.until(lambda: len(first.heard.records) == 10)
    late = Consumer({"bootstrap.servers": kafka_broker.bootstrap, "group.id": group})
    positions = late.committed([TopicPartition(topic, 0)], timeout=10)
    kafka_broker.delete_topic(topic)
    kafka_broker.create_topic(topic)
    produce(kafka_broker, topic, numbers(20))
    late.commit(offsets=positions, asynchronous=False)
    late.close()
    assert {0: 10} == kafka_broker.committed(group, topic)
    async with Member(kafka_broker.bootstrap, group, topic, start_at="latest") as second:
        await second.heard.until(lambda: 19 in second.heard.offsets())
    assert [*range(20)] == second.heard.offsets()
    assert {0: 20} == kafka_broker.committed(group, topic)


@pytest.mark.holds("I10")
async def test_i10_a_topic_made_again_before_our_eyes_begins_at_its_beginning(
    kafka_broker: KafkaBroker,
) -> None:
    """The brokers have dropped its positions.

    And `latest` would pass over what was written meanwhile.
    """
    topic = topic_of(kafka_broker)
    produce(kafka_broker, topic, numbers(10))
    async with Member(kafka_broker.bootstrap, group_name(), topic, start_at="latest") as member:
        await member.heard.until(lambda: member.heard.commits)
        kafka_broker.delete_topic(topic)
        await member.heard.until(lambda: not member.heard.assignments)
        kafka_broker.create_topic(topic)
        await asyncio.to_thread(produce, kafka_broker, topic, numbers(5))
        await member.heard.until(lambda: 4 in member.heard.offsets())
    assert [*range(5)] == member.heard.offsets()


@pytest.mark.parametrize(
    ("start_at", "expected"),
    [
        pytest.param("earliest", [0, 1, 2, 3, 4], id="earliest"),
        pytest.param("latest", [4], id="latest"),
        pytest.param(3_000, [2, 3, 4], id="time"),
        pytest.param(99_000, [4], id="time-after-the-last"),
    ],
)
async def test_a_group_without_a_position_starts_at(
    kafka_broker: KafkaBroker, start_at: str | int, expected: list[int]
) -> None:
    """Only where the group has none."""
    topic = topic_of(kafka_broker, retention_ms="-1")
    for number in range(1, 5):
        produce(kafka_broker, topic, [b"%d" % number], timestamp=number * 1000 + 500)
    async with Member(kafka_broker.bootstrap, group_name(), topic, start_at=start_at) as member:
        await member.heard.until(lambda: ("reached_end", (0, 4)) in member.heard.log)
        produce(kafka_broker, topic, [b"5"], timestamp=100_000_000)
        await member.heard.until(lambda: 4 in member.heard.offsets())
    assert expected == member.heard.offsets()


async def test_the_position_wins_over_start_at(kafka_broker: KafkaBroker) -> None:
    """A restart goes on where the group was, whatever the file says."""
    topic, group = topic_of(kafka_broker), group_name()
    produce(kafka_broker, topic, numbers(5))
    async with Member(kafka_broker.bootstrap, group, topic) as first:
        await first.heard.until(lambda: len(first.heard.records) == 5)
    produce(kafka_broker, topic, numbers(2))
    async with Member(kafka_broker.bootstrap, group, topic, start_at="latest") as second:
        await second.heard.until(lambda: len(second.heard.records) == 2)
    assert [5, 6] == second.heard.offsets()
    assert (5, 5) == _begin(second)


def _begin(member: Member) -> tuple[int, int | None]:
    [assigned] = [what for name, what in member.heard.log if name == "assigned"]
    return assigned[0].next_offset, assigned[0].committed


async def test_a_start_at_the_end_is_a_position_from_then_on(kafka_broker: KafkaBroker) -> None:
    """What arrives between a first, silent run and the next is not passed over."""
    topic, group = topic_of(kafka_broker), group_name()
    produce(kafka_broker, topic, numbers(5))
    async with Member(kafka_broker.bootstrap, group, topic, start_at="latest") as first:
        await first.heard.until(lambda: first.heard.commits)
    produce(kafka_broker, topic, numbers(2))
    async with Member(kafka_broker.bootstrap, group, topic, start_at="latest") as second:
        await second.heard.until(lambda: len(second.heard.records) == 2)
    assert [5, 6] == second.heard.offsets()


@pytest.mark.holds("I10")
async def test_i10_a_new_partition_of_a_known_topic_starts_at_its_beginning(
    kafka_broker: KafkaBroker,
) -> None:
    """Its first records were written before we knew of it; with `latest` they would be lost."""
    topic, group = topic_of(kafka_broker), group_name()
    produce(kafka_broker, topic, numbers(5))
    async with Member(kafka_broker.bootstrap, group, topic, start_at="latest") as member:
        await member.heard.until(lambda: member.heard.commits)
        kafka_broker.add_partitions(topic, 2)
        produce(kafka_broker, topic, numbers(3), 1)
        await member.heard.until(lambda: len(member.heard.offsets(1)) == 3)
        await eventually(member.source.subscribed_partitions, 2)
    assert [0, 1, 2] == member.heard.offsets(1)
    assert [] == member.heard.offsets(0)
