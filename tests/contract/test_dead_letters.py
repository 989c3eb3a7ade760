"""One exam for the dead-letter topic: the double in memory and the real producer answer alike."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, cast
from uuid import uuid4

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

from consumer.clock import SystemClock
from consumer.dead_letter.envelope import Fault, LetterContext, letter, reference
from consumer.dead_letter.port import Letter
from consumer.dead_letter.producer import KafkaDeadLetters
from consumer.errors import Fatal, Hold, HoldReason, Reason
from consumer.model import Headers, PlainRecord
from consumer.sandbox.memory_dead_letters import MemoryDeadLetters

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from consumer.dead_letter.port import DeadLetters

LIMIT_BYTES = 200_000
FAULT = Fault(reason=Reason.FIELD_TYPE, field="age", first_failed_at_ms=0)
CONTEXT = LetterContext(connector_name="kafka_events", task_id="crm", config_sha256="ab12", version="0.1.0")


class Candidate(Protocol):
    """What sits the exam, and how its examiner reads and troubles it."""

    dead_letters: DeadLetters

    async def check(self) -> None:
        """Ask whether the topic is there."""
        ...

    def read(self) -> list[Letter]:
        """Return every letter in the topic."""
        ...

    def break_down(self) -> None:
        """Take the topic away."""
        ...

    async def dispose(self) -> None:
        """Leave nothing open."""
        ...


class InMemory:
    """The double that is shipped."""

    def __init__(self) -> None:
        self._memory = MemoryDeadLetters(limit_bytes=LIMIT_BYTES)
        self.dead_letters: DeadLetters = self._memory

    async def check(self) -> None:
        """Ask whether the topic is there."""
        await self._memory.check()

    def read(self) -> list[Letter]:
        """Return every letter in the topic."""
        return self._memory.letters

    def break_down(self) -> None:
        """Take the topic away."""
        self._memory.break_down()

    async def dispose(self) -> None:
        """Leave nothing open."""
        await self._memory.close()


class OnMockCluster:
    """The real producer on the cluster that lives inside the client library."""

    def __init__(self) -> None:
        self._cluster: Producer | None = Producer(
            {"bootstrap.servers": "localhost:1", "test.mock.num.brokers": "1", "log_level": 0}
        )
        brokers = self._cluster.list_topics(timeout=5).brokers.values()
        self._bootstrap = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
        self._topic = f"letters-{uuid4()}"
        self._kafka = KafkaDeadLetters(
            self._bootstrap,
            {"message.max.bytes": str(LIMIT_BYTES)},
            self._topic,
            SystemClock(),
            message_timeout_ms=3000,
        )
        self.dead_letters: DeadLetters = self._kafka

    async def check(self) -> None:
        """Ask whether the topic is there."""
        await self._kafka.check()

    def read(self) -> list[Letter]:
        """Return every letter in the topic."""
        consumer = Consumer(
            {
                "bootstrap.servers": self._bootstrap,
                "group.id": "examiner",
                "enable.auto.commit": "false",
                "enable.partition.eof": "true",
                "log_level": 0,
            }
        )
        partitions = consumer.list_topics(self._topic, timeout=5).topics[self._topic].partitions
        consumer.assign([TopicPartition(self._topic, number, OFFSET_BEGINNING) for number in partitions])
        found = []
        ended = 0
        while ended < len(partitions):
            message = consumer.poll(5)
            if message is None:
                pytest.fail("the cluster did not answer within 5 s")
            if message.error() is not None:
                ended += 1
            else:
                headers = cast("Headers", message.headers() or ())
                found.append(Letter(key=message.key(), value=message.value(), headers=tuple(headers)))
        consumer.close()
        return found

    def break_down(self) -> None:
        """Take the topic away."""
        self._cluster = None

    async def dispose(self) -> None:
        """Leave nothing open."""
        await self._kafka.close()
        self._cluster = None


@pytest.fixture(params=[InMemory, OnMockCluster])
async def candidate(request: pytest.FixtureRequest) -> AsyncIterator[Candidate]:
    made: Candidate = request.param()
    yield made
    await made.dispose()


def _forms(record: PlainRecord) -> tuple[Letter, Letter]:
    return letter(record, FAULT, CONTEXT), reference(record, FAULT, CONTEXT)


def _record(
    *, key: bytes | None = b"42", value: bytes | None = b"{}", headers: Headers | None = None
) -> PlainRecord:
    return PlainRecord("shop.customers", 0, 17, key=key, value=value, headers=headers)


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(_record(), id="plain"),
        pytest.param(_record(key=None, value=None), id="null-key-and-value"),
        pytest.param(_record(key=b"", value=b""), id="empty-key-and-value"),
        pytest.param(_record(value=b"\x00\xff\xc3("), id="not-text"),
        pytest.param(_record(headers=[("a", None), ("a", b""), ("a", b"\xff")]), id="odd-headers"),
        pytest.param(_record(headers=[(f"h{at}", b"v") for at in range(1000)]), id="H04"),
    ],
)
async def test_a_letter_arrives_byte_for_byte(candidate: Candidate, record: PlainRecord) -> None:
    """What is read from the topic is the letter that was sent."""
    full, short = _forms(record)
    await candidate.dead_letters.send(full, short)
    assert [full] == candidate.read()


async def test_g09_a_letter_too_large_arrives_as_its_reference(candidate: Candidate) -> None:
    """The topic's limit is no obstacle: the reference takes the letter's place."""
    full, short = _forms(_record(value=b"x" * 1_000_000))
    await candidate.dead_letters.send(full, short)
    assert [short] == candidate.read()


async def test_a_letter_too_large_leaves_its_neighbours_whole(candidate: Candidate) -> None:
    """Letters under way at the same time keep their values."""
    large = _forms(_record(value=b"x" * 1_000_000))
    small = [_forms(_record(key=b"%d" % at)) for at in range(20)]
    await asyncio.gather(*(candidate.dead_letters.send(*forms) for forms in (*small[:10], large, *small[10:])))
    assert sorted([*(full.key or b"" for full, _ in small), b"ref"]) == sorted(
        b"ref" if found.value is None else found.key or b"" for found in candidate.read()
    )


async def test_an_outage_is_a_hold(candidate: Candidate) -> None:
    """Nothing is dropped and nothing pretended: the sender is told to hold."""
    await candidate.check()
    candidate.break_down()
    with pytest.raises(Hold) as held:
        await candidate.dead_letters.send(*_forms(_record()))
    assert HoldReason.DEAD_LETTER is held.value.reason


async def test_the_check_finds_an_outage(candidate: Candidate) -> None:
    """A topic that is out of reach is known before the first letter."""
    candidate.break_down()
    with pytest.raises(Hold) as held:
        await candidate.check()
    assert HoldReason.DEAD_LETTER is held.value.reason


async def test_a_letter_after_close_is_fatal(candidate: Candidate) -> None:
    """Both refuse a letter once they were let go."""
    await candidate.dead_letters.close()
    with pytest.raises(Fatal):
        await candidate.dead_letters.send(*_forms(_record()))


async def test_memory_takes_letters_again_after_an_outage() -> None:
    """The same letter gets in once the outage is over."""
    memory = MemoryDeadLetters()
    memory.break_down()
    full, short = _forms(_record())
    with pytest.raises(Hold):
        await memory.send(full, short)
    memory.recover()
    await memory.send(full, short)
    assert [full] == memory.letters
