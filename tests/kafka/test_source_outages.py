"""The source on a real broker that is killed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from consumer.errors import HoldReason
from consumer.source.port import Position
from tests.kafka.member import Member
from tests.kafka.topics import PROTOCOLS, group_name, numbers, produce, topic_of

if TYPE_CHECKING:
    from tests.kafka.broker import KafkaBroker

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]

ROOT = Path(__file__).parents[2]


async def test_a_broker_that_dies_is_a_hold_until_it_is_back(kafka_broker: KafkaBroker) -> None:
    """The hold names the brokers and ends by itself; nothing is lost or repeated."""
    topic, group = topic_of(kafka_broker), group_name()
    produce(kafka_broker, topic, numbers(5))
    # A broker may take longer to start than the short session timeout of the tests.
    outlasting = {"session.timeout.ms": "60000"}
    async with Member(kafka_broker.bootstrap, group, topic, properties=outlasting) as member:
        await member.listener.until(lambda: len(member.listener.records) == 5)
        try:
            kafka_broker.kill()
            await member.listener.until(lambda: member.listener.held_now)
            held = member.listener.held_now[0]
        finally:
            await asyncio.to_thread(kafka_broker.restart)
        await member.listener.until(lambda: not member.listener.held_now)
        await asyncio.to_thread(produce, kafka_broker, topic, numbers(5))
        await member.listener.until(lambda: len(member.listener.records) >= 10)
    assert (HoldReason.BROKER, None) == (held.reason, held.assignment)
    assert [*range(10)] == member.listener.offsets()
    assert [] == member.listener.failures


@pytest.mark.parametrize("properties", PROTOCOLS[:2])
async def test_an_outage_beyond_the_session_timeout_is_a_loss_and_a_new_epoch(
    kafka_broker: KafkaBroker, properties: dict[str, str]
) -> None:
    """Another member may own the partitions by then.

    Reading starts again at the group's position.
    """
    topic, group = topic_of(kafka_broker), group_name()
    produce(kafka_broker, topic, numbers(5))
    async with Member(kafka_broker.bootstrap, group, topic, properties=properties) as member:
        await member.listener.until(lambda: len(member.listener.records) == 5)
        [old] = member.listener.assignments
        member.source.commit([Position(old, 3)])
        await member.listener.until(lambda: ((Position(old, 3),), None) in member.listener.commits)
        try:
            kafka_broker.kill()
            await member.listener.until(lambda: "lost" in [name for name, _ in member.listener.log])
        finally:
            await asyncio.to_thread(kafka_broker.restart)
        await member.listener.until(lambda: len(member.listener.records) >= 7)
        [new] = member.listener.assignments
    assert (3, 3) == (new.next_offset, new.committed)
    assert new.epoch > old.epoch
    assert [*range(5), 3, 4] == member.listener.offsets()


async def test_no_broker_at_the_start_is_a_hold(kafka_broker: KafkaBroker) -> None:
    """The daemon may start before the brokers, and begins when they are up.

    It stops quickly meanwhile.
    """
    kafka_broker.kill()
    try:
        async with Member(kafka_broker.bootstrap, group_name(), "t-absent") as member:
            await member.listener.until(lambda: member.listener.held_now)
            began_s = time.monotonic()
            await member.leave()
            took_s = time.monotonic() - began_s
    finally:
        await asyncio.to_thread(kafka_broker.restart)
    assert HoldReason.BROKER is member.listener.held_now[0].reason
    assert took_s < 8


async def test_stopping_without_a_broker_is_bounded(kafka_broker: KafkaBroker) -> None:
    """The last commit gets no answer: it is reported as failed, and the source still ends."""
    topic, group = topic_of(kafka_broker), group_name()
    produce(kafka_broker, topic, numbers(5))
    async with Member(
        kafka_broker.bootstrap, group, topic, properties={"session.timeout.ms": "45000"}
    ) as member:
        await member.listener.until(lambda: len(member.listener.records) == 5)
        kafka_broker.kill()
        try:
            began_s = time.monotonic()
            await member.leave()
            took_s = time.monotonic() - began_s
        finally:
            await asyncio.to_thread(kafka_broker.restart)
    assert took_s < 8
    [*_, (positions, error)] = member.listener.commits
    assert [5] == [each.offset for each in positions]
    assert error is not None


_CHILD = """
import asyncio, sys
from tests.kafka.member import Member


async def main():
    async with Member(*sys.argv[1:], properties={"session.timeout.ms": "45000"}) as member:
        await member.listener.until(member.listener.values)
        print("read", flush=True)
        await asyncio.to_thread(sys.stdin.readline)

asyncio.run(main())
"""


def test_the_process_ends_without_a_broker(kafka_broker: KafkaBroker) -> None:
    """A client with an open commit waits for the whole session timeout when it is freed.

    The process does not wait for it.
    """
    topic = topic_of(kafka_broker)
    produce(kafka_broker, topic, [b"v"])
    command = [sys.executable, "-c", _CHILD, kafka_broker.bootstrap, group_name(), topic]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    ) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        assert b"read\n" in child.stdout  # log lines come first
        kafka_broker.kill()
        try:
            child.stdin.close()
            assert 0 == child.wait(15)
        finally:
            child.kill()
            kafka_broker.restart()
