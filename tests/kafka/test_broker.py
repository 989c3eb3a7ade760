"""A real broker passes the contract of `tests/contract/broker_contract.py`.

The test harness itself is checked too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Producer

from tests.contract.broker_contract import BrokerContract

if TYPE_CHECKING:
    from consumer.model import Headers
    from tests.kafka.broker import KafkaBroker

pytestmark = pytest.mark.kafka


class Real:
    """A real broker, as the contract expects it."""

    def __init__(self, broker: KafkaBroker) -> None:
        self.bootstrap_servers = broker.bootstrap
        self.consumer_properties: dict[str, str] = {}
        self._broker = broker
        self._producer = Producer({"bootstrap.servers": broker.bootstrap})

    def create_topic(self, name: str) -> None:
        """A `BrokerCandidate` method; without retention, as the contract uses old timestamps."""
        self._broker.create_topic(name, 4, {"retention.ms": "-1"})

    def put(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None = None,
        headers: Headers = (),
        partition: int,
        timestamp_ms: int = 0,
    ) -> None:
        """A `BrokerCandidate` method."""
        self._producer.produce(
            topic, value, key, partition=partition, timestamp=timestamp_ms, headers=list(headers)
        )

    def flush(self) -> None:
        """A `BrokerCandidate` method."""
        assert 0 == self._producer.flush(20)


class TestRealBroker(BrokerContract):
    """Apache Kafka itself."""

    @pytest.fixture
    def candidate(self, kafka_broker: KafkaBroker) -> Real:
        """Share the broker of the run; each test has its own topics and groups."""
        return Real(kafka_broker)


def test_a_killed_broker_comes_back_with_its_records(kafka_broker: KafkaBroker) -> None:
    """A restart uses the same folder and port."""
    kafka_broker.create_topic("kept", 2)
    producer = Producer({"bootstrap.servers": kafka_broker.bootstrap})
    producer.produce("kept", b"v", partition=1)
    producer.flush(20)
    kafka_broker.kill()
    kafka_broker.restart()
    assert {0: 0, 1: 1} == kafka_broker.end_offsets("kept")
