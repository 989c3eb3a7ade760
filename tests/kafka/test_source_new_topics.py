"""Topics and partitions that are new to a group, on a real broker."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from consumer.source.client_conf import DEFAULTS
from tests.kafka.member import Member, eventually
from tests.kafka.topics import PROTOCOLS, group_name, numbers, produce

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.kafka.broker import KafkaBroker

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]

REFRESH = "topic.metadata.refresh.interval.ms"
NOTICED_S = 15.0
"""How soon a new partition must be read, with the default properties."""


def family(broker: KafkaBroker, *names: str) -> tuple[str, list[str]]:
    """Create topics with a common prefix; return the expression for it, and their names."""
    prefix = f"f-{uuid4().hex[:12]}"
    for name in names:
        broker.create_topic(f"{prefix}.{name}", 1)
    return f"^{prefix}\\..*", [f"{prefix}.{name}" for name in names]


def born(broker: KafkaBroker, beside: str) -> str:
    """Create a topic of the same family, with three records."""
    topic = f"{beside}-born"
    broker.create_topic(topic, 1)
    produce(broker, topic, numbers(3))
    return topic


def values_of(member: Member, topic: str) -> list[bytes]:
    return [each.value() or b"" for each in member.listener.records if each.topic() == topic]


@pytest.mark.holds("I10")
@pytest.mark.parametrize("properties", PROTOCOLS)
async def test_i10_a_topic_born_while_the_group_lives_is_read_from_its_beginning(
    kafka_broker: KafkaBroker, properties: Mapping[str, str]
) -> None:
    """Within 15 s, with the default properties: `latest` is only for a group without positions."""
    expression, [old] = family(kafka_broker, "old")
    produce(kafka_broker, old, numbers(5))
    defaults = {**properties, REFRESH: DEFAULTS[REFRESH]}
    async with Member(
        kafka_broker.bootstrap,
        group_name(),
        expression,
        start_at="latest",
        properties=defaults,
    ) as member:
        await member.listener.until(lambda: member.listener.assignments)
        topic = await asyncio.to_thread(born, kafka_broker, old)
        await member.listener.until(lambda: len(values_of(member, topic)) == 3, NOTICED_S)
    assert (numbers(3), []) == (values_of(member, topic), values_of(member, old))


@pytest.mark.holds("I10")
@pytest.mark.parametrize("properties", PROTOCOLS)
async def test_i10_partitions_added_to_a_topic_are_read_from_their_beginning(
    kafka_broker: KafkaBroker, properties: Mapping[str, str]
) -> None:
    """Within 15 s, with the default properties."""
    _, [topic] = family(kafka_broker, "grows")
    defaults = {**properties, REFRESH: DEFAULTS[REFRESH]}
    async with Member(
        kafka_broker.bootstrap, group_name(), topic, start_at="latest", properties=defaults
    ) as member:
        await member.listener.until(lambda: member.listener.assignments)
        kafka_broker.add_partitions(topic, 3)
        await asyncio.to_thread(produce, kafka_broker, topic, numbers(3), 2)
        await member.listener.until(lambda: len(member.listener.offsets(2)) == 3, NOTICED_S)
    assert [0, 1, 2] == member.listener.offsets(2)


@pytest.mark.holds("I10")
async def test_i10_a_topic_born_while_no_member_runs_is_read_from_its_beginning(
    kafka_broker: KafkaBroker,
) -> None:
    """The first run never read a record; its starts are committed, so the group has positions."""
    expression, [one, two] = family(kafka_broker, "one", "two")
    group = group_name()
    produce(kafka_broker, one, numbers(5))
    async with Member(kafka_broker.bootstrap, group, expression, start_at="latest") as first:
        await first.listener.until(lambda: len(first.listener.assignments) == 2)
    await eventually(lambda: kafka_broker.committed(group, one), {0: 5})
    await eventually(lambda: kafka_broker.committed(group, two), {0: 0})
    topic = born(kafka_broker, one)
    produce(kafka_broker, one, numbers(2, 5))
    produce(kafka_broker, two, numbers(2))
    async with Member(kafka_broker.bootstrap, group, expression, start_at="latest") as second:
        await second.listener.until(lambda: len(second.listener.records) == 7)
    assert (numbers(3), numbers(2, 5), numbers(2)) == tuple(
        values_of(second, each) for each in (topic, one, two)
    )


@pytest.mark.parametrize(
    ("start_at", "committed"),
    [("earliest", 0), ("latest", 600), (5_000, 600)],
    ids=["earliest", "latest", "time"],
)
async def test_600_partitions_without_a_position_begin(
    kafka_broker: KafkaBroker, start_at: str | int, committed: int
) -> None:
    """Their starts are requested together; those that `start_at` decides are committed first."""
    topic, group = f"many-{uuid4().hex[:12]}", group_name()
    kafka_broker.create_topic(topic, 600)
    produce(kafka_broker, topic, numbers(2), 599)
    async with Member(kafka_broker.bootstrap, group, topic, start_at=start_at) as member:
        await member.listener.until(lambda: len(member.listener.owned()) == 600, 60)
        produce(kafka_broker, topic, numbers(1), 300)
        await member.listener.until(lambda: len(member.listener.offsets(300)) == 1)
        assert committed == len(kafka_broker.committed(group, topic))
        # On a busy machine a request may take longer than its timeout; that ends by itself.
        await member.listener.until(lambda: not member.listener.held_now)
    kafka_broker.delete_topic(topic)


async def test_two_members_of_a_new_group_decide_the_same(kafka_broker: KafkaBroker) -> None:
    """The one that starts second sees positions, and must not take its own topic for a new one."""
    expression, topics = family(kafka_broker, "a", "b", "c", "d")
    group = group_name()
    for topic in topics:
        produce(kafka_broker, topic, numbers(5))
    first = Member(kafka_broker.bootstrap, group, expression, start_at="latest")
    second = Member(kafka_broker.bootstrap, group, expression, start_at="latest")
    async with first, second:
        await first.listener.until(
            lambda: len(first.listener.assignments) == len(second.listener.assignments) == 2
        )
        for topic in topics:
            await asyncio.to_thread(produce, kafka_broker, topic, [b"new"])
        await first.listener.until(
            lambda: len(first.listener.records) + len(second.listener.records) == len(topics)
        )
    assert [b"new"] * 4 == first.listener.values() + second.listener.values()
