"""The source with other group members on a real broker: rebalances, epochs, leaving."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumer.source.port import Position
from tests.kafka.member import Member, eventually
from tests.kafka.topics import PROTOCOLS, group_name, numbers, produce, topic_of

if TYPE_CHECKING:
    from tests.kafka.broker import KafkaBroker

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]


@pytest.mark.holds("I5")
@pytest.mark.parametrize("properties", PROTOCOLS)
async def test_a_second_member_takes_over_without_a_duplicate(
    kafka_broker: KafkaBroker, properties: dict[str, str]
) -> None:
    """I5: settled records of the first member are committed before it releases a partition.

    So the second member starts after them.
    """
    topic, group = topic_of(kafka_broker, 4), group_name()
    for partition in range(4):
        produce(kafka_broker, topic, numbers(100), partition)
    async with Member(kafka_broker.bootstrap, group, topic, properties=properties) as first:
        await first.listener.until(lambda: len(first.listener.records) == 400)
        async with Member(kafka_broker.bootstrap, group, topic, properties=properties) as second:
            await second.listener.until(lambda: len(second.listener.owned()) == 2)
            for partition in range(4):
                produce(kafka_broker, topic, numbers(50, 100), partition)
            await second.listener.until(lambda: len(second.listener.records) >= 100)
            await first.listener.until(lambda: len(first.listener.records) >= 500)
        await first.listener.until(lambda: len(first.listener.owned()) == 4)
        for partition in range(4):
            produce(kafka_broker, topic, numbers(50, 150), partition)
        await first.listener.until(lambda: len(first.listener.records) >= 700)
    both = [*first.listener.epochs, *second.listener.epochs]
    seen = [
        sorted(offset for each, offset in both if each.partition == partition)
        for partition in range(4)
    ]
    assert [[*range(200)]] * 4 == seen
    assert dict.fromkeys(range(4), 200) == kafka_broker.committed(group, topic)


@pytest.mark.holds("I3")
async def test_no_chunk_follows_revoking(kafka_broker: KafkaBroker) -> None:
    """I3: after `revoking` the engine gets no more chunks of that partition."""
    topic, group = topic_of(kafka_broker, 2), group_name()
    for partition in range(2):
        produce(kafka_broker, topic, numbers(30_000), partition)
    async with (
        Member(kafka_broker.bootstrap, group, topic) as first,
        Member(kafka_broker.bootstrap, group, topic) as second,
    ):
        await first.listener.until(
            lambda: len(first.listener.records) + len(second.listener.records) > 0
        )
        await first.listener.until(
            lambda: len(first.listener.owned()) == 1 or len(second.listener.owned()) == 1
        )
        await second.listener.until(
            lambda: len({*first.listener.offsets(0), *second.listener.offsets(0)}) == 30_000
        )
    for member in (first, second):
        gone: set[object] = set()
        for name, what in member.listener.log:
            if name == "revoking":
                gone.update(what)
            assert not (name == "chunk" and what in gone)


@pytest.mark.holds("I3")
async def test_a_commit_of_an_earlier_epoch_is_dropped(kafka_broker: KafkaBroker) -> None:
    """I3: the brokers would accept it; only the assignment's identity shows that it is stale."""
    topic, group = topic_of(kafka_broker), group_name()
    produce(kafka_broker, topic, numbers(10))
    eager = {"partition.assignment.strategy": "range"}
    async with Member(kafka_broker.bootstrap, group, topic, properties=eager) as first:
        await first.listener.until(lambda: len(first.listener.records) == 10)
        [old] = first.listener.assignments
        async with Member(kafka_broker.bootstrap, group, topic, properties=eager) as second:
            await first.listener.until(
                lambda: [name for name, _ in first.listener.log].count("revoking") == 1
            )
            await second.listener.until(lambda: second.listener.owned() or first.listener.owned())
        await first.listener.until(first.listener.owned)
        [new] = first.listener.assignments
        first.source.commit([Position(old, 3)])
        first.source.commit([Position(new, 7)])
        await first.listener.until(lambda: ((Position(new, 7),), None) in first.listener.commits)
        seen = kafka_broker.committed(group, topic)
        first.listener.settled[new] = 10
    assert new is not old
    assert [] == [
        positions
        for positions, _ in first.listener.commits
        if any(each.offset == 3 for each in positions)
    ]
    assert {0: 7} == seen


@pytest.mark.holds("I3")
async def test_a_member_that_drains_too_long_harms_no_other(kafka_broker: KafkaBroker) -> None:
    """I3: the group reassigned its partition while it drained.

    The positions that it commits afterwards are rejected.
    """
    topic, group = topic_of(kafka_broker), group_name()
    produce(kafka_broker, topic, numbers(10))
    sleepy = {
        "partition.assignment.strategy": "range",
        "max.poll.interval.ms": "6000",
        "session.timeout.ms": "6000",
    }
    async with Member(
        kafka_broker.bootstrap, group, topic, properties=sleepy, drain_timeout_s=20
    ) as first:
        await first.listener.until(lambda: len(first.listener.records) == 10)
        stale = [Position(first.listener.assignments[0], 3)]
        first.listener.keeps_releases = True
        async with Member(kafka_broker.bootstrap, group, topic, properties=sleepy) as second:
            await second.listener.until(lambda: ("reached_end", (0, 10)) in second.listener.log)
            second.source.commit(second.listener.positions())
            await eventually(lambda: kafka_broker.committed(group, topic), {0: 10})
            first.listener.keeps_releases = False
            first.listener.releases[0](stale)
            await first.listener.until(lambda: first.listener.commits)
            seen = kafka_broker.committed(group, topic)
            await first.listener.until(
                lambda: len(first.listener.owned()) + len(second.listener.owned()) == 1
            )
    assert {0: 10} == seen
    assert tuple(stale) == first.listener.commits[0][0]
    assert (first.listener.commits[0][1] or "").startswith(
        ("UNKNOWN_MEMBER_ID", "ILLEGAL_GENERATION")
    )
    assert [] == first.listener.failures


async def test_a_release_that_comes_too_late_commits_nothing(kafka_broker: KafkaBroker) -> None:
    """The group does not wait forever.

    After the drain timeout the partition is released without the late positions.
    """
    topic, group = topic_of(kafka_broker), group_name()
    produce(kafka_broker, topic, numbers(10))
    async with Member(kafka_broker.bootstrap, group, topic, drain_timeout_s=0.5) as member:
        await member.listener.until(lambda: len(member.listener.records) == 10)
        member.listener.keeps_releases = True
        positions = member.listener.positions()
        await member.leave()
        member.listener.releases[0](positions)
    assert {} == kafka_broker.committed(group, topic)


async def test_stopping_commits_and_leaves_the_group(kafka_broker: KafkaBroker) -> None:
    """The next member gets the partition at once, not after the session timeout."""
    topic, group = topic_of(kafka_broker), group_name()
    produce(kafka_broker, topic, numbers(10))
    async with Member(
        kafka_broker.bootstrap, group, topic, properties={"session.timeout.ms": "45000"}
    ) as first:
        await first.listener.until(lambda: len(first.listener.records) == 10)
    seen = kafka_broker.committed(group, topic)
    async with Member(kafka_broker.bootstrap, group, topic) as second:
        await second.listener.until(lambda: len(second.listener.owned()) == 1, within_s=5)
    assert {0: 10} == seen
    assert "stopped" == first.listener.log[-1][0]
    assert [] == second.listener.records
