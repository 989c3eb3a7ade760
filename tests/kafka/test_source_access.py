"""The source with brokers that deny access: holds that name the cause and end with it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin._resource import ResourceType

from consumer.errors import HoldReason
from tests.kafka.administered import USER
from tests.kafka.broker import PASSWORD
from tests.kafka.member import Member, carried_out

if TYPE_CHECKING:
    from tests.kafka.broker import KafkaBroker

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]


def member_of(broker: KafkaBroker, group: str, topic: str, password: str = PASSWORD) -> Member:
    login = {"sasl.mechanisms": "PLAIN", "sasl.username": USER, "sasl.password": password}
    properties = {"security.protocol": "SASL_PLAINTEXT", **login}
    return Member(broker.login_bootstrap, group, topic, properties=properties)


def topic_with_a_record(broker: KafkaBroker) -> str:
    topic = f"t-{uuid4().hex[:12]}"
    broker.create_topic(topic)
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    producer.produce(topic, b"v")
    assert 0 == producer.flush(20)
    return topic


async def test_the_right_password_can_read(kafka_broker: KafkaBroker) -> None:
    """So the other tests fail for the reason that they name."""
    async with member_of(kafka_broker, f"g-{uuid4()}", topic_with_a_record(kafka_broker)) as member:
        await member.listener.until(member.listener.values)
    assert [] == [what for name, what in member.listener.log if name == "held"]


async def test_a_wrong_password_is_a_hold_and_is_not_repeated(kafka_broker: KafkaBroker) -> None:
    """The client reports it with every attempt; the engine gets it once, without the password."""
    async with member_of(kafka_broker, f"g-{uuid4()}", "t", password="wrong-one") as member:
        await member.listener.until(
            lambda: [HoldReason.AUTH] == [held.reason for held in member.listener.held_now]
        )
        for _ in range(3):
            await carried_out(member)
    assert 1 == member.listener.log.count(("held", HoldReason.AUTH))
    assert [HoldReason.AUTH] == [held.reason for held in member.listener.held_now]
    assert "check sasl.mechanisms" in member.listener.held_now[0].detail
    assert "wrong-one" not in member.listener.held_now[0].detail
    assert [] == member.listener.failures


async def test_a_group_without_access_is_a_hold_until_it_is_granted(
    kafka_broker: KafkaBroker,
) -> None:
    """GROUP_AUTHORIZATION_FAILED names the missing right."""
    group, topic = f"g-{uuid4()}", topic_with_a_record(kafka_broker)
    kafka_broker.deny(ResourceType.GROUP, group)
    async with member_of(kafka_broker, group, topic) as member:
        await member.listener.until(lambda: member.listener.held_now)
        [held] = member.listener.held_now
        kafka_broker.allow(ResourceType.GROUP, group)
        await member.listener.until(
            lambda: member.listener.values() and not member.listener.held_now, within_s=30
        )
    assert HoldReason.AUTH is held.reason
    assert "grant this user READ on the consumer group" in held.detail


async def test_a_topic_without_access_is_a_hold_until_it_is_granted(
    kafka_broker: KafkaBroker,
) -> None:
    """TOPIC_AUTHORIZATION_FAILED names the missing right."""
    group, topic = f"g-{uuid4()}", topic_with_a_record(kafka_broker)
    kafka_broker.deny(ResourceType.TOPIC, topic)
    async with member_of(kafka_broker, group, topic) as member:
        await member.listener.until(lambda: member.listener.held_now)
        held = member.listener.held_now[0]
        kafka_broker.allow(ResourceType.TOPIC, topic)
        await member.listener.until(
            lambda: member.listener.values() and not member.listener.held_now, within_s=30
        )
    assert HoldReason.AUTH is held.reason
    assert "grant this user READ and DESCRIBE on the topic" in held.detail
