"""The source on a real broker: its events, and when they come."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from confluent_kafka import Producer

from tests.kafka.member import Listener, Member, carried_out, eventually
from tests.kafka.topics import PROTOCOLS, group_name, numbers, produce, topic_of

if TYPE_CHECKING:
    from tests.kafka.broker import KafkaBroker

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]


async def test_all_records_come_in_order(kafka_broker: KafkaBroker) -> None:
    """Every record of every partition, once, in offset order."""
    topic = topic_of(kafka_broker, 3)
    for partition in range(3):
        produce(kafka_broker, topic, numbers(5000), partition)
    async with Member(kafka_broker.bootstrap, group_name(), topic) as member:
        await member.listener.until(lambda: len(member.listener.records) >= 15_000)
        seen = [member.listener.offsets(partition) for partition in range(3)]
    assert [[*range(5000)]] * 3 == seen


async def test_assigned_comes_before_the_first_chunk(kafka_broker: KafkaBroker) -> None:
    """The engine knows the assignment before its first record arrives."""
    topic = topic_of(kafka_broker, 2)
    produce(kafka_broker, topic, numbers(10), 0)
    produce(kafka_broker, topic, numbers(10), 1)
    async with Member(kafka_broker.bootstrap, group_name(), topic) as member:
        await member.listener.until(lambda: len(member.listener.records) >= 20)
        names = [name for name, _ in member.listener.log]
    assert "assigned" == names[0]
    assert [record.partition() for record in member.listener.records] == [
        each.partition for each, _ in member.listener.epochs
    ]


async def test_a_single_record_is_not_delayed(kafka_broker: KafkaBroker) -> None:
    """It is delivered as it comes, not when a chunk is full."""
    topic = topic_of(kafka_broker)
    async with Member(kafka_broker.bootstrap, group_name(), topic) as member:
        await member.listener.until(lambda: ("reached_end", (0, 0)) in member.listener.log)
        produce(kafka_broker, topic, [b"lone"])
        await member.listener.until(member.listener.values, within_s=2)
    assert [b"lone"] == member.listener.values()


@pytest.mark.holds("I2")
async def test_h13_h14_aborted_records_are_hidden_and_markers_are_passed(
    kafka_broker: KafkaBroker,
) -> None:
    """An idle partition that ends with transaction markers is read to its very end."""
    topic = topic_of(kafka_broker)
    producer = Producer({"bootstrap.servers": kafka_broker.bootstrap, "transactional.id": topic})
    producer.init_transactions(20)
    for value, commit in ((b"kept", True), (b"aborted", False)):
        producer.begin_transaction()
        producer.produce(topic, value)
        producer.flush(20)
        if commit:
            producer.commit_transaction(20)
        else:
            producer.abort_transaction(20)
    async with Member(kafka_broker.bootstrap, group_name(), topic) as member:
        await member.listener.until(lambda: ("reached_end", (0, 4)) in member.listener.log)
        ends = member.source.end_offsets()
        await member.leave()
    assert [b"kept"] == member.listener.values()
    assert [4] == [*ends.values()]
    assert {0: 4} == kafka_broker.committed(member.settings.group_id, topic)


async def test_the_end_is_the_last_stable_offset(kafka_broker: KafkaBroker) -> None:
    """An open transaction is not lag, because it cannot be read yet."""
    topic = topic_of(kafka_broker)
    produce(kafka_broker, topic, numbers(3))
    producer = Producer({"bootstrap.servers": kafka_broker.bootstrap, "transactional.id": topic})
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce(topic, b"open")
    producer.flush(20)
    async with Member(kafka_broker.bootstrap, group_name(), topic) as member:
        await member.listener.until(lambda: ("reached_end", (0, 3)) in member.listener.log)
        await eventually(lambda: [*member.source.end_offsets().values()], [3])
    producer.abort_transaction(20)


async def test_the_end_of_a_paused_partition_still_rises(kafka_broker: KafkaBroker) -> None:
    """During an outage of the tenant the lag is the number that operators watch."""
    topic = topic_of(kafka_broker)
    produce(kafka_broker, topic, numbers(3))
    async with Member(kafka_broker.bootstrap, group_name(), topic) as member:
        await member.listener.until(lambda: ("reached_end", (0, 3)) in member.listener.log)
        member.source.pause(member.listener.assignments)
        await carried_out(member)
        produce(kafka_broker, topic, numbers(4))
        await eventually(lambda: [*member.source.end_offsets().values()], [7])


async def test_a_paused_partition_delivers_nothing_and_the_other_continues(
    kafka_broker: KafkaBroker,
) -> None:
    """One held object does not stop the others; polling continues all the time."""
    topic = topic_of(kafka_broker, 2)
    async with Member(kafka_broker.bootstrap, group_name(), topic) as member:
        listener = member.listener
        await listener.until(
            lambda: (
                {(0, 0), (1, 0)} <= {what for name, what in listener.log if name == "reached_end"}
            )
        )
        member.source.pause([each for each in listener.assignments if each.partition == 0])
        await carried_out(member)
        produce(kafka_broker, topic, numbers(10), 0)
        produce(kafka_broker, topic, numbers(10), 1)
        await listener.until(lambda: len(listener.offsets(1)) == 10)
        while_paused = listener.offsets(0)
        member.source.resume(listener.assignments)
        await listener.until(lambda: len(listener.offsets(0)) == 10)
    assert [] == while_paused
    assert [*range(10)] == listener.offsets(0)


async def test_a_resumed_partition_is_read_at_once(kafka_broker: KafkaBroker) -> None:
    """The client's thread for a broker sleeps for a second without work, and is woken."""
    topic = topic_of(kafka_broker)
    produce(kafka_broker, topic, (b"%0500d" % number for number in range(100_000)))
    took_s = []
    # The short intervals of the other tests would wake it too.
    calm = {"topic.metadata.refresh.interval.ms": "300000", "heartbeat.interval.ms": "3000"}
    async with Member(kafka_broker.bootstrap, group_name(), topic, properties=calm) as member:
        for _ in range(5):
            await member.listener.until(
                partial(_has, member.listener, len(member.listener.records) + 1)
            )
            member.source.pause(member.listener.assignments)
            await carried_out(member)
            paused_at = len(member.listener.records)
            began_s = time.monotonic()
            member.source.resume(member.listener.assignments)
            await member.listener.until(partial(_has, member.listener, paused_at + 1))
            took_s.append(time.monotonic() - began_s)
        assert len(member.listener.records) < 100_000
    assert sorted(took_s)[2] < 0.4


async def test_pausing_under_load_loses_and_repeats_nothing(kafka_broker: KafkaBroker) -> None:
    """Records that the client had fetched ahead come again, once."""
    topic = topic_of(kafka_broker, 2)
    for partition in range(2):
        produce(kafka_broker, topic, numbers(20_000), partition)
    async with Member(kafka_broker.bootstrap, group_name(), topic) as member:
        listener = member.listener
        for count in (2_000, 9_000, 20_000, 33_000):
            await listener.until(partial(_has, listener, count))
            member.source.pause(listener.assignments)
            member.source.resume(listener.assignments)
        await listener.until(lambda: len(listener.records) >= 40_000)
    assert [[*range(20_000)]] * 2 == [listener.offsets(0), listener.offsets(1)]


def _has(listener: Listener, count: int) -> bool:
    return len(listener.records) >= count


@pytest.mark.holds("I8")
async def test_a_stalled_loop_gets_few_chunks_and_polling_continues(
    kafka_broker: KafkaBroker,
) -> None:
    """The chunk queue is bounded, and the group does not lose a member whose loop is slow."""
    topic = topic_of(kafka_broker)
    produce(kafka_broker, topic, numbers(20_000))
    async with Member(
        kafka_broker.bootstrap, group_name(), topic, properties={"max.poll.interval.ms": "6000"}
    ) as member:
        listener = member.listener
        await listener.until(lambda: listener.records)
        stalled_at = time.monotonic()
        time.sleep(3)  # noqa: ASYNC251 - the blocked loop is the case
        progress = member.source.progress_s() - stalled_at
        await listener.until(lambda: len(listener.records) >= 20_000)
    assert progress > 2
    assert [*range(20_000)] == listener.offsets()


async def test_a_topic_that_appears_later_is_read(kafka_broker: KafkaBroker) -> None:
    """A connector often creates a topic with its first change; until then nothing is wrong."""
    topic = f"t-{uuid4().hex[:12]}"
    async with Member(kafka_broker.bootstrap, group_name(), topic) as member:
        await carried_out(member)
        kafka_broker.create_topic(topic)
        produce(kafka_broker, topic, numbers(3))
        await member.listener.until(lambda: len(member.listener.records) == 3)
    assert [] == member.listener.failures
    assert [] == [what for name, what in member.listener.log if name == "held"]


async def test_a_regular_expression_reads_every_matching_topic(kafka_broker: KafkaBroker) -> None:
    """One route may cover many tables."""
    first, second = topic_of(kafka_broker), topic_of(kafka_broker, 2)
    produce(kafka_broker, first, [b"a"])
    produce(kafka_broker, second, [b"b"])
    async with Member(kafka_broker.bootstrap, group_name(), f"^({first}|{second})$") as member:
        await member.listener.until(lambda: len(member.listener.records) == 2)
        await eventually(member.source.subscribed_partitions, 3)
    assert {b"a", b"b"} == {*member.listener.values()}


@pytest.mark.parametrize(
    "expression", ["^{0}", "^nothing|^{0}", "^{0}[.]a$"], ids=["beginning", "either", "whole"]
)
@pytest.mark.parametrize("properties", PROTOCOLS)
async def test_an_expression_matches_the_beginning_of_a_name(
    kafka_broker: KafkaBroker, properties: dict[str, str], expression: str
) -> None:
    """In every group protocol: evaluated by the client, or by the brokers."""
    stem = f"t-{uuid4().hex[:12]}"
    kafka_broker.create_topic(f"{stem}.a")
    produce(kafka_broker, f"{stem}.a", [b"a"])
    route = expression.format(stem)
    async with Member(kafka_broker.bootstrap, group_name(), route, properties=properties) as member:
        await member.listener.until(lambda: member.listener.records)
        await eventually(member.source.subscribed_partitions, 1)


@pytest.mark.parametrize("properties", PROTOCOLS)
async def test_an_expression_does_not_match_internal_topics(
    kafka_broker: KafkaBroker, properties: dict[str, str]
) -> None:
    """They hold no user records, and fifty more partitions would change the share of the rate."""
    topic, group = topic_of(kafka_broker), group_name()
    produce(kafka_broker, topic, [b"a"])
    async with Member(
        kafka_broker.bootstrap, group, topic
    ) as other:  # a committed position creates an internal topic
        await other.listener.until(lambda: other.listener.records)
    own = f"^(__consumer_offsets|{topic})$"
    async with Member(kafka_broker.bootstrap, group_name(), own, properties=properties) as member:
        await member.listener.until(lambda: member.listener.records)
        await eventually(member.source.subscribed_partitions, 1)
    assert [(topic, 0)] == [
        (each.topic, each.partition)
        for name, what in member.listener.log
        if name == "assigned"
        for each in what
    ]
