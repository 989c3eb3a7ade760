"""The real producer on a real broker sits the dead-letter exam.

And the questions only a broker can ask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from consumer.clock import SystemClock
from consumer.dead_letter.producer import KafkaDeadLetterTopic
from consumer.errors import Hold
from tests.contract.dead_letters_contract import (
    LARGE,
    LIMIT_BYTES,
    DeadLetterContract,
    forms,
    plain_record,
    read_topic,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from consumer.dead_letter.port import DeadLetter, DeadLetterTopic
    from tests.kafka.broker import KafkaBroker

pytestmark = pytest.mark.kafka


class OnBroker:
    """A topic with a small limit of its own; the client's limit is out of the way."""

    def __init__(self, broker: KafkaBroker) -> None:
        self.broker = broker
        self.topic = f"letters-{uuid4()}"
        broker.create_topic(
            self.topic, partitions=3, config={"max.message.bytes": str(LIMIT_BYTES)}
        )
        self.kafka = _producer(broker, self.topic)
        self.dead_letters: DeadLetterTopic = self.kafka

    async def check(self) -> None:
        """Ask whether the topic is there."""
        await self.kafka.check()

    def read(self) -> list[DeadLetter]:
        """Return every letter in the topic."""
        return read_topic(self.broker.bootstrap, self.topic)

    def break_down(self) -> None:
        """End the broker as a power cut would."""
        self.broker.kill()


def _producer(broker: KafkaBroker, topic: str) -> KafkaDeadLetterTopic:
    return KafkaDeadLetterTopic(broker.bootstrap, {}, topic, SystemClock(), message_timeout_ms=4000)


@pytest.fixture
def broker(kafka_broker: KafkaBroker) -> Iterator[KafkaBroker]:
    yield kafka_broker
    kafka_broker.restart()


@pytest.fixture
async def candidate(kafka_broker: KafkaBroker) -> AsyncIterator[OnBroker]:
    made = OnBroker(kafka_broker)
    yield made
    await made.kafka.close()


class TestOnBroker(DeadLetterContract):
    """The real producer, the real broker."""

    async def test_an_outage_is_a_hold(self, candidate: OnBroker, broker: KafkaBroker) -> None:  # type: ignore[override]  # the broker is started again afterwards
        """A power cut of the broker holds the sender.

        And the same letter gets in when it is back.
        """
        full, short = forms(plain_record())
        await candidate.check()
        broker.kill()
        with pytest.raises(Hold, match=r"dead-letter topic letters-.* did not take a letter"):
            await candidate.dead_letters.send(full, short)
        broker.restart()
        await candidate.dead_letters.send(full, short)
        assert full in candidate.read()

    async def test_the_check_finds_an_outage(  # type: ignore[override]  # the broker is started again afterwards
        self, candidate: OnBroker, broker: KafkaBroker
    ) -> None:
        """A broker that is down is known before the first letter."""
        broker.kill()
        with pytest.raises(Hold, match="did not take a letter"):
            await candidate.check()


async def test_a_missing_topic_is_found_by_the_check(kafka_broker: KafkaBroker) -> None:
    """Where topics do not appear by themselves, the operator is told to create it."""
    dead_letters = _producer(kafka_broker, f"missing-{uuid4()}")
    with pytest.raises(Hold, match="create the topic"):
        await dead_letters.check()
    await dead_letters.close()


async def test_a_letter_to_a_missing_topic_is_a_hold(kafka_broker: KafkaBroker) -> None:
    """A topic that was deleted takes no letters, and none is lost with it."""
    dead_letters = _producer(kafka_broker, f"missing-{uuid4()}")
    with pytest.raises(Hold, match=r"topic exists|create the topic"):
        await dead_letters.send(*forms(plain_record()))
    await dead_letters.close()


async def test_g09_a_large_letter_that_compresses_is_kept_whole(kafka_broker: KafkaBroker) -> None:
    """The topic's limit is on what is stored: a megabyte of text fits a topic of default size."""
    topic = f"letters-{uuid4()}"
    kafka_broker.create_topic(topic)
    dead_letters = _producer(kafka_broker, topic)
    full, short = forms(plain_record(value=b"text " * 400_000))
    await dead_letters.send(full, short)
    await dead_letters.close()
    assert [full] == read_topic(kafka_broker.bootstrap, topic)


async def test_g09_a_megabyte_that_does_not_compress_fits_a_topic_of_default_size(
    kafka_broker: KafkaBroker,
) -> None:
    """A source record of 1,000,000 bytes is below the default limit, and is kept whole."""
    topic = f"letters-{uuid4()}"
    kafka_broker.create_topic(topic)
    dead_letters = _producer(kafka_broker, topic)
    full, short = forms(plain_record(value=LARGE))
    await dead_letters.send(full, short)
    await dead_letters.close()
    assert [full] == read_topic(kafka_broker.bootstrap, topic)


async def test_a_topic_that_takes_nothing_is_a_hold(kafka_broker: KafkaBroker) -> None:
    """Even the reference is too large: the limit is what has to change."""
    topic = f"letters-{uuid4()}"
    kafka_broker.create_topic(topic, config={"max.message.bytes": "200"})
    dead_letters = _producer(kafka_broker, topic)
    with pytest.raises(Hold, match=r"raise max\.message\.bytes"):
        await dead_letters.send(*forms(plain_record()))
    await dead_letters.close()
