"""Topics, groups and records for tests of the source, with unique names."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from confluent_kafka import Producer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.kafka.broker import KafkaBroker

PROTOCOLS = [
    pytest.param({}, id="cooperative"),
    pytest.param({"partition.assignment.strategy": "range"}, id="eager"),
    pytest.param({"group.protocol": "consumer"}, id="consumer-protocol"),
]
"""The group protocols, by how partitions are assigned."""


def topic_of(broker: KafkaBroker, partitions: int = 1, **config: str) -> str:
    name = f"t-{uuid4().hex[:12]}"
    broker.create_topic(
        name, partitions, {key.replace("_", "."): value for key, value in config.items()}
    )
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
