"""The source among others on a real broker: hand-overs, epochs, leaving."""

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
    """I5: what the first has settled is committed before it lets go.

    So the second begins behind it.
    """
    topic, group = topic_of(kafka_broker, 4), group_name()
    for partition in range(4):
        produce(kafka_broker, topic, numbers(100), partition)
    async with Member(kafka_broker.bootstrap, group, topic, properties=properties) as first:
        await first.heard.until(lambda: len(first.heard.records) == 400)
        async with Member(kafka_broker.bootstrap, group, topic, properties=properties) as second:
            await second.heard.until(lambda: len(second.heard.owned()) == 2)
            for partition in range(4):
                produce(kafka_broker, topic, numbers(50, 100), partition)
            await second.heard.until(lambda: len(second.heard.records) >= 100)
            await first.heard.until(lambda: len(first.heard.records) >= 500)
        await first.heard.until(lambda: len(first.heard.owned()) == 4)
        for partition in range(4):
            produce(kafka_broker, topic, numbers(50, 150), partition)
        await first.heard.until(lambda: len(first.heard.records) >= 700)
    both = [*first.heard.epochs, *second.heard.epochs]
    seen = [
        sorted(offset for each, offset in both if each.partition == partition)
        for partition in range(4)
    ]
    assert [[*range(200)]] * 4 == seen
    assert dict.fromkeys(range(4), 200) == kafka_broker.committed(group, topic)


@pytest.mark.holds("I3")
async def test_no_chunk_follows_revoking(kafka_broker: KafkaBroker) -> None:
    """I3: once told to finish, the corridor gets nothing more of that partition."""
    topic, group = topic_of(kafka_broker, 2), group_name()
    for partition in range(2):
        produce(kafka_broker, topic, numbers(30_000), partition)
    async with (
        Member(kafka_broker.bootstrap, group, topic) as first,
        Member(kafka_broker.bootstrap, group, topic) as second,
    ):
        await first.heard.until(lambda: len(first.heard.records) + len(second.heard.records) > 0)
        await first.heard.until(
            lambda: len(first.heard.owned()) == 1 or len(second.heard.owned()) == 1
        )
        await second.heard.until(
            lambda: len({*first.heard.offsets(0), *second.heard.offsets(0)}) == 30_000
        )
    for member in (first, second):
        gone: set[object] = set()
        for name, what in member.heard.log:
            if name == "revoking":
                gone.update(what)
            assert not (name == "chunk" and what in gone)


@pytest.mark.holds("I3")
async def test_a_commit_of_an_earlier_epoch_is_dropped(kafka_broker: KafkaBroker) -> None:
    """I3: the brokers would take it; only the identity of the assignment tells that it is stale."""
    topic, group = topic_of(kafka_broker), group_name()
    produce(kafka_broker, topic, numbers(10))
    eager = {"partition.assignment.strategy": "range"}
    async with Member(kafka_broker.bootstrap, group, topic, properties=eager) as first:
        await first.heard.until(lambda: len(first.heard.records) == 10)
        [old] = first.heard.assignments
        async with Member(kafka_broker.bootstrap, group, topic, properties=eager) as second:
            await first.heard.until(
                lambda: [name for name, _ in first.heard.log].count("revoking") == 1
            )
            await second.heard.until(lambda: second.heard.owned() or first.heard.owned())
        await first.heard.until(first.heard.owned)
        [new] = first.heard.assignments
        first.source.commit([Position(old, 3)])
        first.source.commit([Position(new, 7)])
        await first.heard.until(lambda: ((Position(new, 7),), None) in first.heard.commits)
        seen = kafka_broker.committed(group, topic)
        first.heard.settled[new] = 10
    assert new is not old
    assert [] == [
        positions
        for positions, _ in first.heard.commits
        if any(each.offset == 3 for each in positions)
    ]
    assert {0: 7} == seen


@pytest.mark.holds("I3")
async def test_a_member_that_overslept_harms_nobody(kafka_broker: KafkaBroker) -> None:
    """I3: the group gave its partition away while it drained.

    What it names afterwards counts for nothing.
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
        await first.heard.until(lambda: len(first.heard.records) == 10)
        stale = [Position(first.heard.assignments[0], 3)]
        first.heard.keeps_releases = True
        async with Member(kafka_broker.bootstrap, group, topic, properties=sleepy) as second:
            await second.heard.until(lambda: ("reached_end", (0, 10)) in second.heard.log)
            second.source.commit(second.heard.positions())
            await eventually(lambda: kafka_broker.committed(group, topic), {0: 10})
            first.heard.keeps_releases = False
            first.heard.releases[0](stale)
            await first.heard.until(lambda: first.heard.commits[1:])
            seen = kafka_broker.committed(group, topic)
            await first.heard.until(
                lambda: len(first.heard.owned()) + len(second.heard.owned()) == 1
            )
    assert {0: 10} == seen
    assert tuple(stale) == first.heard.commits[1][0]
    assert (first.heard.commits[1][1] or "").startswith(("UNKNOWN_MEMBER_ID", "ILLEGAL_GENERATION"))
    assert [] == first.heard.failures


async def test_a_release_that_comes_too_late_commits_nothing(kafka_broker: KafkaBroker) -> None:
    """The group does not wait for ever.

    After the drain time-out the partition goes as it stands.
    """
    topic, group = topic_of(kafka_broker), group_name()
    produce(kafka_broker, topic, numbers(10))
    async with Member(kafka_broker.bootstrap, group, topic, drain_timeout_s=0.5) as member:
        await member.heard.until(lambda: len(member.heard.records) == 10)
        member.heard.keeps_releases = True
        positions = member.heard.positions()
        await member.leave()
        member.heard.releases[0](positions)
    assert {0: 0} == kafka_broker.committed(group, topic)


async def test_stopping_commits_and_leaves_the_group(kafka_broker: KafkaBroker) -> None:
    """The next member has the partition at once, not after the session time-out."""
    topic, group = topic_of(kafka_broker), group_name()
    produce(kafka_broker, topic, numbers(10))
    async with Member(
        kafka_broker.bootstrap, group, topic, properties={"session.timeout.ms": "45000"}
    ) as first:
        await first.heard.until(lambda: len(first.heard.records) == 10)
    seen = kafka_broker.committed(group, topic)
    async with Member(kafka_broker.bootstrap, group, topic) as second:
        await second.heard.until(lambda: len(second.heard.owned()) == 1, within_s=5)
    assert {0: 10} == seen
    assert "stopped" == first.heard.log[-1][0]
    assert [] == second.heard.records
