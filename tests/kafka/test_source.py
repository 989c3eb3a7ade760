"""The source on a real broker: what it hands over, gives back, commits, and holds."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from confluent_kafka import Producer

from consumer.errors import HoldReason
from consumer.source.port import Position
from tests.kafka.member import Listener, Member, carried_out, eventually

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.kafka.broker import KafkaBroker

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]

ROOT = Path(__file__).parents[2]

PROTOCOLS = [
    pytest.param({}, id="cooperative"),
    pytest.param({"partition.assignment.strategy": "range"}, id="eager"),
    pytest.param({"group.protocol": "consumer"}, id="next-generation"),
]


def topic_of(broker: KafkaBroker, partitions: int = 1, **config: str) -> str:
    name = f"t-{uuid4().hex[:12]}"
    broker.create_topic(name, partitions, {key.replace("_", "."): value for key, value in config.items()})
    return name


def group_name() -> str:
    return f"g-{uuid4().hex[:12]}"


def produce(
    broker: KafkaBroker, topic: str, values: Iterable[bytes], partition: int = 0, timestamp: int = 0
) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 5})
    for value in values:
        producer.produce(topic, value, partition=partition, timestamp=timestamp)
        producer.poll(0)
    assert 0 == producer.flush(20)


def numbers(count: int, start: int = 0) -> list[bytes]:
    return [b"%d" % number for number in range(start, start + count)]


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


async def test_h13_h14_aborted_records_are_hidden_and_markers_are_passed(kafka_broker: KafkaBroker) -> None:
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


async def test_a_paused_partition_hands_nothing_over_and_the_other_goes_on(kafka_broker: KafkaBroker) -> None:
    """One held object does not stop the others; polling goes on all the while."""
    topic = topic_of(kafka_broker, 2)
    async with Member(kafka_broker.bootstrap, group_name(), topic) as member:
        heard = member.heard
        await heard.until(lambda: {(0, 0), (1, 0)} <= {what for name, what in heard.log if name == "reached_end"})
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
    """The client sleeps for a second over a broker of which it has nothing to fetch; it is woken."""
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


async def test_a_loop_that_stalls_is_not_flooded_and_polling_goes_on(kafka_broker: KafkaBroker) -> None:
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


@pytest.mark.parametrize("properties", PROTOCOLS)
async def test_a_second_member_takes_over_without_a_duplicate(
    kafka_broker: KafkaBroker, properties: dict[str, str]
) -> None:
    """I5: what the first has settled is committed before it lets go, so the second begins behind it."""
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
    seen = [sorted(offset for each, offset in both if each.partition == partition) for partition in range(4)]
    assert [[*range(200)]] * 4 == seen
    assert dict.fromkeys(range(4), 200) == kafka_broker.committed(group, topic)


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
        await first.heard.until(lambda: len(first.heard.owned()) == 1 or len(second.heard.owned()) == 1)
        await second.heard.until(lambda: len({*first.heard.offsets(0), *second.heard.offsets(0)}) == 30_000)
    for member in (first, second):
        gone: set[object] = set()
        for name, what in member.heard.log:
            if name == "revoking":
                gone.update(what)
            assert not (name == "chunk" and what in gone)


async def test_a_commit_of_an_earlier_epoch_is_dropped(kafka_broker: KafkaBroker) -> None:
    """I3: the brokers would take it; only the identity of the assignment tells that it is stale."""
    topic, group = topic_of(kafka_broker), group_name()
    produce(kafka_broker, topic, numbers(10))
    eager = {"partition.assignment.strategy": "range"}
    async with Member(kafka_broker.bootstrap, group, topic, properties=eager) as first:
        await first.heard.until(lambda: len(first.heard.records) == 10)
        [old] = first.heard.assignments
        async with Member(kafka_broker.bootstrap, group, topic, properties=eager) as second:
            await first.heard.until(lambda: [name for name, _ in first.heard.log].count("revoking") == 1)
            await second.heard.until(lambda: second.heard.owned() or first.heard.owned())
        await first.heard.until(first.heard.owned)
        [new] = first.heard.assignments
        first.source.commit([Position(old, 3)])
        first.source.commit([Position(new, 7)])
        await first.heard.until(lambda: ((Position(new, 7),), None) in first.heard.commits)
        seen = kafka_broker.committed(group, topic)
        first.heard.settled[new] = 10
    assert new is not old
    assert [] == [positions for positions, _ in first.heard.commits if any(each.offset == 3 for each in positions)]
    assert {0: 7} == seen


async def test_a_member_that_overslept_harms_nobody(kafka_broker: KafkaBroker) -> None:
    """I3: the group gave its partition away while it drained; what it names afterwards counts for nothing."""
    topic, group = topic_of(kafka_broker), group_name()
    produce(kafka_broker, topic, numbers(10))
    sleepy = {
        "partition.assignment.strategy": "range",
        "max.poll.interval.ms": "6000",
        "session.timeout.ms": "6000",
    }
    async with Member(kafka_broker.bootstrap, group, topic, properties=sleepy, drain_timeout_s=20) as first:
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
            await first.heard.until(lambda: len(first.heard.owned()) + len(second.heard.owned()) == 1)
    assert {0: 10} == seen
    assert tuple(stale) == first.heard.commits[1][0]
    assert (first.heard.commits[1][1] or "").startswith(("UNKNOWN_MEMBER_ID", "ILLEGAL_GENERATION"))
    assert [] == first.heard.failures


async def test_a_release_that_comes_too_late_commits_nothing(kafka_broker: KafkaBroker) -> None:
    """The group does not wait for ever: after the drain time-out the partition goes as it stands."""
    topic, group = topic_of(kafka_broker), group_name()
    produce(kafka_broker, topic, numbers(10))
    async with Member(kafka_broker.bootstrap, group, topic, drain_timeout_s=0.5) as member:
        await member.heard.until(lambda: len(member.heard.records) == 10)
        member.heard.keeps_releases = True
        positions = member.heard.positions()
        await member.leave()
        member.heard.releases[0](positions)
    assert {0: 0} == kafka_broker.committed(group, topic)


async def test_retention_that_passed_the_position_holds_the_partition(kafka_broker: KafkaBroker) -> None:
    """I10: nothing is skipped; the other partition goes on."""
    topic, group = topic_of(kafka_broker, 2), group_name()
    for partition in range(2):
        produce(kafka_broker, topic, numbers(10), partition)
    async with Member(kafka_broker.bootstrap, group, topic) as first:
        await first.heard.until(lambda: len(first.heard.records) == 20)
        first.heard.settled = dict.fromkeys(first.heard.assignments, 4)
        first.heard.settled[next(each for each in first.heard.assignments if each.partition == 1)] = 10
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
    assert "position 4, but the partition holds 8 to 10" in held.detail
    assert [] == second.heard.offsets(0)
    assert {0: 4, 1: 15} == kafka_broker.committed(group, topic)


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


async def test_i10_a_new_partition_of_a_known_topic_starts_at_its_beginning(kafka_broker: KafkaBroker) -> None:
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


async def test_stopping_commits_and_leaves_the_group(kafka_broker: KafkaBroker) -> None:
    """The next member has the partition at once, not after the session time-out."""
    topic, group = topic_of(kafka_broker), group_name()
    produce(kafka_broker, topic, numbers(10))
    async with Member(kafka_broker.bootstrap, group, topic, properties={"session.timeout.ms": "45000"}) as first:
        await first.heard.until(lambda: len(first.heard.records) == 10)
    seen = kafka_broker.committed(group, topic)
    async with Member(kafka_broker.bootstrap, group, topic) as second:
        await second.heard.until(lambda: len(second.heard.owned()) == 1, within_s=5)
    assert {0: 10} == seen
    assert "stopped" == first.heard.log[-1][0]
    assert [] == second.heard.records


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


async def test_a_broker_that_dies_is_a_hold_until_it_is_back(kafka_broker: KafkaBroker) -> None:
    """The hold names the brokers, ends by itself, and nothing is lost or repeated."""
    topic, group = topic_of(kafka_broker), group_name()
    produce(kafka_broker, topic, numbers(5))
    async with Member(kafka_broker.bootstrap, group, topic) as member:
        await member.heard.until(lambda: len(member.heard.records) == 5)
        try:
            kafka_broker.kill()
            await member.heard.until(lambda: member.heard.held_now)
            held = member.heard.held_now[0]
        finally:
            await asyncio.to_thread(kafka_broker.restart)
        await member.heard.until(lambda: not member.heard.held_now)
        await asyncio.to_thread(produce, kafka_broker, topic, numbers(5))
        await member.heard.until(lambda: len(member.heard.records) >= 10)
    assert (HoldReason.BROKER, None) == (held.reason, held.assignment)
    assert [*range(10)] == member.heard.offsets()
    assert [] == member.heard.failures


@pytest.mark.parametrize("properties", PROTOCOLS[:2])
async def test_an_outage_beyond_the_session_is_a_loss_and_a_new_epoch(
    kafka_broker: KafkaBroker, properties: dict[str, str]
) -> None:
    """Somebody else may have the partitions by then; reading begins anew at the group's position."""
    topic, group = topic_of(kafka_broker), group_name()
    produce(kafka_broker, topic, numbers(5))
    async with Member(kafka_broker.bootstrap, group, topic, properties=properties) as member:
        await member.heard.until(lambda: len(member.heard.records) == 5)
        [old] = member.heard.assignments
        member.source.commit([Position(old, 3)])
        await member.heard.until(lambda: ((Position(old, 3),), None) in member.heard.commits)
        try:
            kafka_broker.kill()
            await member.heard.until(lambda: "lost" in [name for name, _ in member.heard.log])
        finally:
            await asyncio.to_thread(kafka_broker.restart)
        await member.heard.until(lambda: len(member.heard.records) >= 7)
        [new] = member.heard.assignments
    assert (3, 3) == (new.next_offset, new.committed)
    assert new.epoch > old.epoch
    assert [*range(5), 3, 4] == member.heard.offsets()


async def test_no_broker_at_the_start_is_a_hold(kafka_broker: KafkaBroker) -> None:
    """The daemon starts before the brokers are there, and begins when they are; stopping meanwhile is quick."""
    kafka_broker.kill()
    try:
        async with Member(kafka_broker.bootstrap, group_name(), "t-absent") as member:
            await member.heard.until(lambda: member.heard.held_now)
            begun = time.monotonic()
            await member.leave()
            took_s = time.monotonic() - begun
    finally:
        await asyncio.to_thread(kafka_broker.restart)
    assert HoldReason.BROKER is member.heard.held_now[0].reason
    assert took_s < 8


async def test_stopping_without_a_broker_is_bounded(kafka_broker: KafkaBroker) -> None:
    """The last commit has no answer: it is told as failed, and the source ends all the same."""
    topic, group = topic_of(kafka_broker), group_name()
    produce(kafka_broker, topic, numbers(5))
    async with Member(kafka_broker.bootstrap, group, topic, properties={"session.timeout.ms": "45000"}) as member:
        await member.heard.until(lambda: len(member.heard.records) == 5)
        kafka_broker.kill()
        try:
            begun = time.monotonic()
            await member.leave()
            took_s = time.monotonic() - begun
        finally:
            await asyncio.to_thread(kafka_broker.restart)
    assert took_s < 8
    [*_, (positions, error)] = member.heard.commits
    assert [5] == [each.offset for each in positions]
    assert error is not None


_CHILD = """
import asyncio, sys
from tests.kafka.member import Member

async def main():
    async with Member(*sys.argv[1:], properties={"session.timeout.ms": "45000"}) as member:
        await member.heard.until(member.heard.values)
        print("read", flush=True)
        await asyncio.to_thread(sys.stdin.readline)

asyncio.run(main())
"""


def test_the_process_ends_without_a_broker(kafka_broker: KafkaBroker) -> None:
    """A client with an open commit waits for the whole session time-out when it is freed; nobody waits for it."""
    topic = topic_of(kafka_broker)
    produce(kafka_broker, topic, [b"v"])
    command = [sys.executable, "-c", _CHILD, kafka_broker.bootstrap, group_name(), topic]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        assert b"read\n" == child.stdout.readline()
        kafka_broker.kill()
        try:
            child.stdin.close()
            assert 0 == child.wait(15)
        finally:
            child.kill()
            kafka_broker.restart()
