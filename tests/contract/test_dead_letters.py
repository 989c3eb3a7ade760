"""The in-memory topic and the real producer on librdkafka's mock cluster pass one contract."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from confluent_kafka import Producer

from consumer.clock import SystemClock
from consumer.dead_letter.producer import KafkaDeadLetterTopic
from consumer.errors import Hold
from consumer.sandbox.memory_dead_letters import MemoryDeadLetterTopic
from tests.contract.dead_letters_contract import (
    LIMIT_BYTES,
    DeadLetterContract,
    forms,
    plain_record,
    read_topic,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from consumer.dead_letter.port import DeadLetter, DeadLetterTopic


class InMemory:
    """The in-memory topic of the package."""

    def __init__(self) -> None:
        self._memory = MemoryDeadLetterTopic(limit_bytes=LIMIT_BYTES)
        self.dead_letters: DeadLetterTopic = self._memory

    async def check(self) -> None:
        """Check that the topic can accept dead letters."""
        await self._memory.check()

    def read(self) -> list[DeadLetter]:
        """Return every dead letter in the topic."""
        return self._memory.letters

    def break_down(self) -> None:
        """Make the topic unreachable."""
        self._memory.break_down()

    async def dispose(self) -> None:
        """Close everything."""
        await self._memory.close()


class OnMockCluster:
    """The real producer on librdkafka's mock cluster."""

    def __init__(self) -> None:
        self._cluster: Producer | None = Producer(
            {"bootstrap.servers": "localhost:1", "test.mock.num.brokers": "1", "log_level": 0}
        )
        brokers = self._cluster.list_topics(timeout=5).brokers.values()
        self._bootstrap = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
        self._topic = f"dead-letters-{uuid4()}"
        self._kafka = KafkaDeadLetterTopic(
            self._bootstrap,
            {"message.max.bytes": str(LIMIT_BYTES)},
            self._topic,
            SystemClock(),
            message_timeout_ms=3000,
        )
        self.dead_letters: DeadLetterTopic = self._kafka

    async def check(self) -> None:
        """Check that the topic can accept dead letters."""
        await self._kafka.check()

    def read(self) -> list[DeadLetter]:
        """Return every dead letter in the topic."""
        return read_topic(self._bootstrap, self._topic)

    def break_down(self) -> None:
        """Make the topic unreachable."""
        self._cluster = None

    async def dispose(self) -> None:
        """Close everything."""
        await self._kafka.close()
        self._cluster = None


class TestInMemory(DeadLetterContract):
    """The in-memory topic."""

    @pytest.fixture
    async def candidate(self) -> AsyncIterator[InMemory]:
        """Provide the in-memory topic."""
        made = InMemory()
        yield made
        await made.dispose()


class TestOnMockCluster(DeadLetterContract):
    """The real producer."""

    @pytest.fixture
    async def candidate(self) -> AsyncIterator[OnMockCluster]:
        """Provide the producer with its cluster."""
        made = OnMockCluster()
        yield made
        await made.dispose()


async def test_memory_accepts_dead_letters_again_after_an_outage() -> None:
    """The same dead letter is accepted after the outage."""
    memory = MemoryDeadLetterTopic()
    memory.break_down()
    full, *smaller = forms(plain_record())
    with pytest.raises(Hold):
        await memory.send(full, *smaller)
    memory.recover()
    await memory.send(full, *smaller)
    assert [full] == memory.letters
