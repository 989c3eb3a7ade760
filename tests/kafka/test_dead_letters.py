"""The real producer with a real broker passes the contract for dead letters.

Other tests here check what only a broker can show.
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
    read_messages,
    read_topic,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from consumer.dead_letter.port import DeadLetter, DeadLetterTopic
    from tests.kafka.broker import KafkaBroker

pytestmark = pytest.mark.kafka


class OnBroker:
    """A topic with a small size limit; the client's limit is large enough."""

    def __init__(self, broker: KafkaBroker) -> None:
        self.broker = broker
        self.topic = f"dead-letters-{uuid4()}"
        broker.create_topic(
            self.topic, partitions=3, config={"max.message.bytes": str(LIMIT_BYTES)}
        )
        self.kafka = _producer(broker, self.topic)
        self.dead_letters: DeadLetterTopic = self.kafka

    async def check(self) -> None:
        """Check that the topic exists."""
        await self.kafka.check()

    def read(self) -> list[DeadLetter]:
        """Return every dead letter in the topic."""
        return read_topic(self.broker.bootstrap, self.topic)

    def break_down(self) -> None:
        """Kill the broker like a power cut."""
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

    async def test_an_outage_is_a_hold(self, candidate: OnBroker, broker: KafkaBroker) -> None:  # type: ignore[override]  # restarts the broker afterwards
        """A killed broker holds the sender.

        The same dead letter is accepted when the broker is back.
        """
        full, *smaller = forms(plain_record())
        await candidate.check()
        broker.kill()
        with pytest.raises(
            Hold, match=r"dead-letter topic dead-letters-.* did not accept a dead letter"
        ):
            await candidate.dead_letters.send(full, *smaller)
        broker.restart()
        await candidate.dead_letters.send(full, *smaller)
        assert full in candidate.read()

    async def test_the_check_finds_an_outage(  # type: ignore[override]  # restarts the broker afterwards
        self, candidate: OnBroker, broker: KafkaBroker
    ) -> None:
        """A broker that is down is noticed before the first dead letter."""
        broker.kill()
        with pytest.raises(Hold, match="did not accept a dead letter"):
            await candidate.check()


async def test_a_missing_topic_is_found_by_the_check(kafka_broker: KafkaBroker) -> None:
    """Where topics are not created automatically, the operator has to create it."""
    dead_letters = _producer(kafka_broker, f"missing-{uuid4()}")
    with pytest.raises(Hold, match="create the topic"):
        await dead_letters.check()
    await dead_letters.close()


async def test_a_dead_letter_to_a_missing_topic_is_a_hold(kafka_broker: KafkaBroker) -> None:
    """A deleted topic accepts no dead letters, and none is lost."""
    dead_letters = _producer(kafka_broker, f"missing-{uuid4()}")
    with pytest.raises(Hold, match=r"topic exists|create the topic"):
        await dead_letters.send(*forms(plain_record()))
    await dead_letters.close()


async def test_g09_a_large_dead_letter_that_compresses_is_kept_whole(
    kafka_broker: KafkaBroker,
) -> None:
    """The topic's limit applies to the stored size: a megabyte of text fits the default limit."""
    topic = f"dead-letters-{uuid4()}"
    kafka_broker.create_topic(topic)
    dead_letters = _producer(kafka_broker, topic)
    full, *smaller = forms(plain_record(value=b"text " * 400_000))
    await dead_letters.send(full, *smaller)
    await dead_letters.close()
    assert [full] == read_topic(kafka_broker.bootstrap, topic)


async def test_g09_an_incompressible_megabyte_fits_the_default_limit(
    kafka_broker: KafkaBroker,
) -> None:
    """A source record of 1,000,000 bytes is below the default limit, and is kept whole."""
    topic = f"dead-letters-{uuid4()}"
    kafka_broker.create_topic(topic)
    dead_letters = _producer(kafka_broker, topic)
    full, *smaller = forms(plain_record(value=LARGE))
    await dead_letters.send(full, *smaller)
    await dead_letters.close()
    assert [full] == read_topic(kafka_broker.bootstrap, topic)


async def test_a_topic_that_accepts_nothing_is_a_hold(kafka_broker: KafkaBroker) -> None:
    """Even the smallest form is too large: the operator has to raise the limit."""
    topic = f"dead-letters-{uuid4()}"
    kafka_broker.create_topic(topic, config={"max.message.bytes": "100"})
    dead_letters = _producer(kafka_broker, topic)
    with pytest.raises(Hold, match=r"raise max\.message\.bytes"):
        await dead_letters.send(*forms(plain_record()))
    await dead_letters.close()


@pytest.mark.parametrize(
    ("limit", "expected"), [(300, "minimal"), (2_000, "reference")], ids=["300-B", "2000-B"]
)
async def test_g09_a_topic_with_a_small_limit_gets_a_smaller_form(
    kafka_broker: KafkaBroker, limit: int, expected: str
) -> None:
    """Nothing waits for a topic that is too small for the record."""
    topic = f"dead-letters-{uuid4()}"
    kafka_broker.create_topic(topic, config={"max.message.bytes": str(limit)})
    dead_letters = _producer(kafka_broker, topic)
    letters = forms(plain_record(value=LARGE[:5_000]))
    await dead_letters.send(*letters)
    await dead_letters.close()
    by_name = dict(zip(("full", "reference", "minimal"), letters, strict=True))
    assert [by_name[expected]] == read_topic(kafka_broker.bootstrap, topic)


async def test_a_compacted_topic_that_refuses_null_keys_is_a_hold(
    kafka_broker: KafkaBroker,
) -> None:
    """The hold says which setting of the topic to change."""
    topic = f"dead-letters-{uuid4()}"
    kafka_broker.create_topic(topic, config={"cleanup.policy": "compact"})
    dead_letters = _producer(kafka_broker, topic)
    with pytest.raises(Hold, match=r"set cleanup\.policy=delete on the topic"):
        await dead_letters.send(*forms(plain_record(key=None)))
    await dead_letters.close()


async def test_a_dead_letter_has_the_time_of_its_sending(kafka_broker: KafkaBroker) -> None:
    """A record of 1970 would be removed by retention at once."""
    topic = f"dead-letters-{uuid4()}"
    kafka_broker.create_topic(topic)
    dead_letters = _producer(kafka_broker, topic)
    before_ms = SystemClock().wall_ms()
    await dead_letters.send(*forms(plain_record()))
    await dead_letters.close()
    [message] = read_messages(kafka_broker.bootstrap, topic)
    assert before_ms <= message.timestamp()[1]
