"""Contract of a dead-letter topic: the in-memory one and the real producer must behave the same."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Protocol, cast

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from consumer.dead_letter import envelope
from consumer.dead_letter.envelope import DeadLetterContext, RecordFault
from consumer.dead_letter.port import DeadLetter
from consumer.errors import Fatal, Hold, HoldReason, Reason
from consumer.model import Headers, PlainRecord

if TYPE_CHECKING:
    from confluent_kafka import Message

    from consumer.dead_letter.port import DeadLetterTopic

LIMIT_BYTES = 200_000
LARGE = random.Random(9).randbytes(1_000_000)  # noqa: S311 - cannot be compressed below a limit
FAULT = RecordFault(reason=Reason.FIELD_TYPE, field="age", first_failed_at_ms=0)
CONTEXT = DeadLetterContext(
    connector_name="kafka_events", task_id="crm", config_sha256="ab12", version="0.1.0"
)


class Candidate(Protocol):
    """A topic under test, and how the tests read it and break it."""

    dead_letters: DeadLetterTopic

    async def check(self) -> None:
        """Check that the topic can accept dead letters."""
        ...

    def read(self) -> list[DeadLetter]:
        """Return every dead letter in the topic."""
        ...

    def break_down(self) -> None:
        """Make the topic unreachable."""
        ...

    async def dispose(self) -> None:
        """Close everything."""
        ...


def read_topic(bootstrap: str, topic: str) -> list[DeadLetter]:
    """Return every message of a topic as a dead letter."""
    return [
        DeadLetter(
            key=message.key(),
            value=message.value(),
            headers=tuple(cast("Headers", message.headers() or ())),
        )
        for message in read_messages(bootstrap, topic)
    ]


def read_messages(bootstrap: str, topic: str) -> list[Message]:
    """Return every message of a topic."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "contract",
            "enable.auto.commit": "false",
            "enable.partition.eof": "true",
            "log_level": 0,
        }
    )
    partitions = consumer.list_topics(topic, timeout=5).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
    found = []
    ended = 0
    while ended < len(partitions):
        message = consumer.poll(5)
        if message is None:
            pytest.fail("expected a message within 5 s, got none")
        if message.error() is not None:
            ended += 1
        else:
            found.append(message)
    consumer.close()
    return found


def forms(record: PlainRecord) -> tuple[DeadLetter, DeadLetter, DeadLetter]:
    """Return the forms of a record's dead letter."""
    return envelope.forms(record, FAULT, CONTEXT)


def plain_record(
    *, key: bytes | None = b"42", value: bytes | None = b"{}", headers: Headers | None = None
) -> PlainRecord:
    """Return a record with the given key, value and headers."""
    return PlainRecord("shop.customers", 0, 17, key=key, value=value, headers=headers)


class DeadLetterContract:
    """The tests that every topic must pass; a subclass provides the fixture `candidate`."""

    @pytest.mark.parametrize(
        "record",
        [
            pytest.param(plain_record(), id="plain"),
            pytest.param(plain_record(key=None, value=None), id="null-key-and-value"),
            pytest.param(plain_record(key=b"", value=b""), id="empty-key-and-value"),
            pytest.param(plain_record(value=b"\x00\xff\xc3("), id="not-text"),
            pytest.param(
                plain_record(headers=[("a", None), ("a", b""), ("a", b"\xff")]), id="odd-headers"
            ),
            pytest.param(plain_record(headers=[(f"h{at}", b"v") for at in range(1000)]), id="H04"),
        ],
    )
    async def test_a_dead_letter_arrives_byte_for_byte(
        self, candidate: Candidate, record: PlainRecord
    ) -> None:
        """The message that is read from the topic is the one that was sent."""
        full, *smaller = forms(record)
        await candidate.dead_letters.send(full, *smaller)
        assert [full] == candidate.read()

    async def test_g09_a_dead_letter_too_large_arrives_as_its_reference(
        self, candidate: Candidate
    ) -> None:
        """When the full copy exceeds the topic's limit, the reference form is sent."""
        full, short, shortest = forms(plain_record(value=LARGE))
        await candidate.dead_letters.send(full, short, shortest)
        assert [short] == candidate.read()

    async def test_g09_a_reference_too_large_arrives_as_the_smallest_form(
        self, candidate: Candidate
    ) -> None:
        """When the reference exceeds the topic's limit too, the position and the reason arrive."""
        full, short, shortest = forms(plain_record(value=LARGE))
        large = DeadLetter(key=LARGE, value=None, headers=short.headers)
        await candidate.dead_letters.send(full, large, shortest)
        assert [shortest] == candidate.read()

    async def test_a_dead_letter_too_large_does_not_affect_others(
        self, candidate: Candidate
    ) -> None:
        """Dead letters that are sent at the same time keep their values."""
        large = forms(plain_record(value=LARGE))
        small = [forms(plain_record(key=b"%d" % at)) for at in range(20)]
        await asyncio.gather(
            *(candidate.dead_letters.send(*forms) for forms in (*small[:10], large, *small[10:]))
        )
        assert sorted([*(full.key or b"" for full, *_ in small), b"ref"]) == sorted(
            b"ref" if found.value is None else found.key or b"" for found in candidate.read()
        )

    async def test_dead_letters_within_the_limit_are_not_refused_together(
        self, candidate: Candidate
    ) -> None:
        """Dead letters just below the limit arrive in full, even if many are sent at once."""
        full, *smaller = forms(plain_record(value=LARGE[: LIMIT_BYTES * 3 // 5]))
        await asyncio.gather(*(candidate.dead_letters.send(full, *smaller) for _ in range(12)))
        assert [full] * 12 == candidate.read()

    async def test_an_outage_is_a_hold(self, candidate: Candidate) -> None:
        """Nothing is dropped or acknowledged: `send` raises a hold."""
        await candidate.check()
        candidate.break_down()
        with pytest.raises(Hold) as held:
            await candidate.dead_letters.send(*forms(plain_record()))
        assert HoldReason.DEAD_LETTER is held.value.reason

    async def test_the_check_finds_an_outage(self, candidate: Candidate) -> None:
        """An unreachable topic is found before the first dead letter."""
        candidate.break_down()
        with pytest.raises(Hold) as held:
            await candidate.check()
        assert HoldReason.DEAD_LETTER is held.value.reason

    async def test_sending_after_close_is_fatal(self, candidate: Candidate) -> None:
        """A closed topic refuses to send."""
        await candidate.dead_letters.close()
        with pytest.raises(Fatal):
            await candidate.dead_letters.send(*forms(plain_record()))
