"""The source on a real broker: what it hands over, and when."""

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
        await member.heard.until(lambda: len(member.heard.records) >= 15_000)
        seen = [member.heard.offsets(partition) for partition in range(3)]
    assert [[*range(5000)]] * 3 == seen


async def test_a_chunk_is_of_one_assignment_that_was_told_before(kafka_broker: KafkaBroker) -> None:
    """The corridor has its book open before the first record arrives."""
    topic = topic_of(kafka_broker, 2)
    produce(kafka_broker, topic, numbers(10), 0)
    produce(kafka_broker, topic, numbers(10), 1)
    async with Member(kafka_broker.bootstrap, group_name(), topic) as member:
        await member.heard.until(lambda: len(member.heard.records) >= 20)
        told = [name for name, _ in member.heard.log]
    assert "assigned" == told[0]
    assert [record.partition() for record in member.heard.records] == [
        each.partition for each, _ in member.heard.epochs
    ]


async def test_a_lone_record_is_not_kept_waiting(kafka_broker: KafkaBroker) -> None:
    """A trickle is handed over as it comes, not when a chunk is full."""
    topic = topic_of(kafka_broker)
    async with Member(kafka_broker.bootstrap, group_name(), topic) as member:
        await member.heard.until(lambda: ("reached_end", (0, 0)) in member.heard.log)
        produce(kafka_broker, topic, [b"lone"])
        await member.heard.until(member.heard.values, within_s=2)
    assert [b"lone"] == member.heard.values()


@pytest.mark.holds("I2")
async def test_h13_h14_aborted_records_are_hidden_and_markers_are_passed(
    kafka_broker: KafkaBroker,
) -> None:
    """An idle partition that ends on transaction markers is read to its very end."""
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
        await member.heard.until(lambda: ("reached_end", (0, 4)) in member.heard.log)
        ends = member.source.end_offsets()
        await member.leave()
    assert [b"kept"] == member.heard.values()
    assert [4] == [*ends.values()]
    assert {0: 4} == kafka_broker.committed(member.settings.group_id, topic)


async def test_the_end_is_the_last_stable_offset(kafka_broker: KafkaBroker) -> None:
    """A transaction that is still open is not lag: nobody can read it."""
    topic = topic_of(kafka_broker)
    produce(kafka_broker, topic, numbers(3))
    producer = Producer({"bootstrap.servers": kafka_broker.bootstrap, "transactional.id": topic})
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce(topic, b"open")
    producer.flush(20)
    async with Member(kafka_broker.bootstrap, group_name(), topic) as member:
        await member.heard.until(lambda: ("reached_end", (0, 3)) in member.heard.log)
        await eventually(lambda: [*member.source.end_offsets().values()], [3])
    producer.abort_transaction(20)


async def test_the_end_of_a_paused_partition_still_rises(kafka_broker: KafkaBroker) -> None:
    """While the tenant is away the lag is what everybody looks at."""
    topic = topic_of(kafka_broker)
    produce(kafka_broker, topic, numbers(3))
    async with Member(kafka_broker.bootstrap, group_name(), topic) as member:
        await member.heard.until(lambda: ("reached_end", (0, 3)) in member.heard.log)
        member.source.pause(member.heard.assignments)
        await carried_out(member)
        produce(kafka_broker, topic, numbers(4))
        await eventually(lambda: [*member.source.end_offsets().values()], [7])


async def test_a_paused_partition_hands_nothing_over_and_the_other_goes_on(
    kafka_broker: KafkaBroker,
) -> None:
    """One held object does not stop the others; polling goes on all the while."""
    topic = topic_of(kafka_broker, 2)
    async with Member(kafka_broker.bootstrap, group_name(), topic) as member:
        heard = member.heard
        await heard.until(
            lambda: {(0, 0), (1, 0)} <= {what for name, what in heard.log if name == "reached_end"}
        )
        member.source.pause([each for each in heard.assignments if each.partition == 0])
        await carried_out(member)
        produce(kafka_broker, topic, numbers(10), 0)
        produce(kafka_broker, topic, numbers(10), 1)
        await heard.until(lambda: len(heard.offsets(1)) == 10)
        while_paused = heard.offsets(0)
        member.source.resume(heard.assignments)
        await heard.until(lambda: len(heard.offsets(0)) == 10)
    assert [] == while_paused
    assert [*range(10)] == heard.offsets(0)


async def test_a_resumed_partition_is_read_at_once(kafka_broker: KafkaBroker) -> None:
    """The client sleeps for a second over a broker of which it has nothing to fetch.

    It is woken.
    """
    topic = topic_of(kafka_broker)
    produce(kafka_broker, topic, (b"%0500d" % number for number in range(100_000)))
    took_s = []
    # The short intervals of the other tests would wake it as well.
    calm = {"topic.metadata.refresh.interval.ms": "300000", "heartbeat.interval.ms": "3000"}
    async with Member(kafka_broker.bootstrap, group_name(), topic, properties=calm) as member:
        for _ in range(5):
            await member.heard.until(partial(_has, member.heard, len(member.heard.records) + 1))
            member.source.pause(member.heard.assignments)
            await carried_out(member)
            paused_at = len(member.heard.records)
            begun_s = time.monotonic()
            member.source.resume(member.heard.assignments)
            await member.heard.until(partial(_has, member.heard, paused_at + 1))
            took_s.append(time.monotonic() - begun_s)
        assert len(member.heard.records) < 100_000
    assert sorted(took_s)[2] < 0.4


async def test_pausing_in_a_flood_loses_and_repeats_nothing(kafka_broker: KafkaBroker) -> None:
    """What the client had fetched ahead when it was paused comes again, once."""
    topic = topic_of(kafka_broker, 2)
    for partition in range(2):
        produce(kafka_broker, topic, numbers(20_000), partition)
    async with Member(kafka_broker.bootstrap, group_name(), topic) as member:
        heard = member.heard
        for wanted in (2_000, 9_000, 20_000, 33_000):
            await heard.until(partial(_has, heard, wanted))
            member.source.pause(heard.assignments)
            member.source.resume(heard.assignments)
        await heard.until(lambda: len(heard.records) >= 40_000)
    assert [[*range(20_000)]] * 2 == [heard.offsets(0), heard.offsets(1)]


def _has(heard: Listener, count: int) -> bool:
    return len(heard.records) >= count


@pytest.mark.holds("I8")
async def test_a_loop_that_stalls_is_not_flooded_and_polling_goes_on(
    kafka_broker: KafkaBroker,
) -> None:
    """The hand-over is bounded; the group does not lose a member whose loop is slow."""
    topic = topic_of(kafka_broker)
    produce(kafka_broker, topic, numbers(20_000))
    async with Member(
        kafka_broker.bootstrap, group_name(), topic, properties={"max.poll.interval.ms": "6000"}
    ) as member:
        heard = member.heard
        await heard.until(lambda: heard.records)
        stalled_at = time.monotonic()
        time.sleep(3)  # noqa: ASYNC251 - the blocked loop is the case
        progress = member.source.progress_s() - stalled_at
        await heard.until(lambda: len(heard.records) >= 20_000)
    assert progress > 2
    assert [*range(20_000)] == heard.offsets()


async def test_a_topic_that_appears_later_is_read(kafka_broker: KafkaBroker) -> None:
    """A table's topic comes with its first change; until then nothing is wrong."""
    topic = f"t-{uuid4().hex[:12]}"
    async with Member(kafka_broker.bootstrap, group_name(), topic) as member:
        await carried_out(member)
        kafka_broker.create_topic(topic)
        produce(kafka_broker, topic, numbers(3))
        await member.heard.until(lambda: len(member.heard.records) == 3)
    assert [] == member.heard.failures
    assert [] == [what for name, what in member.heard.log if name == "held"]


async def test_a_regular_expression_reads_every_topic_that_fits(kafka_broker: KafkaBroker) -> None:
    """One route may name many tables."""
    first, second = topic_of(kafka_broker), topic_of(kafka_broker, 2)
    produce(kafka_broker, first, [b"a"])
    produce(kafka_broker, second, [b"b"])
    async with Member(kafka_broker.bootstrap, group_name(), f"^({first}|{second})$") as member:
        await member.heard.until(lambda: len(member.heard.records) == 2)
        await eventually(member.source.subscribed_partitions, 3)
    assert {b"a", b"b"} == {*member.heard.values()}


@pytest.mark.parametrize(
    "expression", ["^{0}", "^nothing|^{0}", "^{0}[.]a$"], ids=["beginning", "either", "whole"]
)
@pytest.mark.parametrize("properties", PROTOCOLS)
async def test_an_expression_fits_the_beginning_of_a_name(
    kafka_broker: KafkaBroker, properties: dict[str, str], expression: str
) -> None:
    """In every group protocol, whoever reads it: the client or the brokers."""
    stem = f"t-{uuid4().hex[:12]}"
    kafka_broker.create_topic(f"{stem}.a")
    produce(kafka_broker, f"{stem}.a", [b"a"])
    route = expression.format(stem)
    async with Member(kafka_broker.bootstrap, group_name(), route, properties=properties) as member:
        await member.heard.until(lambda: member.heard.records)
        await eventually(member.source.subscribed_partitions, 1)


@pytest.mark.parametrize("properties", PROTOCOLS)
async def test_an_expression_does_not_reach_the_brokers_own_topics(
    kafka_broker: KafkaBroker, properties: dict[str, str]
) -> None:
    """They are no records of anybody, and fifty partitions more in the share of the rate."""
    topic, group = topic_of(kafka_broker), group_name()
    produce(kafka_broker, topic, [b"a"])
    async with Member(
        kafka_broker.bootstrap, group, topic
    ) as other:  # a position makes a topic of the brokers
        await other.heard.until(lambda: other.heard.records)
    own = f"^(__consumer_offsets|{topic})$"
    async with Member(kafka_broker.bootstrap, group_name(), own, properties=properties) as member:
        await member.heard.until(lambda: member.heard.records)
        await eventually(member.source.subscribed_partitions, 1)
    assert [(topic, 0)] == [
        (each.topic, each.partition)
        for name, what in member.heard.log
        if name == "assigned"
        for each in what
    ]
