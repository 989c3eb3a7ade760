"""The exam for the dead-letter topic.

What the double in memory and the real producer must answer alike.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Protocol, cast

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from consumer.dead_letter.envelope import DeadLetterContext, RecordFault, full_copy, reference
from consumer.dead_letter.port import DeadLetter
from consumer.errors import Fatal, Hold, HoldReason, Reason
from consumer.model import Headers, PlainRecord

if TYPE_CHECKING:
    from consumer.dead_letter.port import DeadLetterTopic

LIMIT_BYTES = 200_000
LARGE = random.Random(9).randbytes(1_000_000)  # noqa: S311 - not to be compressed below any limit
FAULT = RecordFault(reason=Reason.FIELD_TYPE, field="age", first_failed_at_ms=0)
CONTEXT = DeadLetterContext(
    connector_name="kafka_events", task_id="crm", config_sha256="ab12", version="0.1.0"
)


class Candidate(Protocol):
    """What sits the exam, and how its examiner reads and troubles it."""

    dead_letters: DeadLetterTopic

    async def check(self) -> None:
        """Ask whether the topic is there."""
        ...

    def read(self) -> list[DeadLetter]:
        """Return every letter in the topic."""
        ...

    def break_down(self) -> None:
        """Take the topic away."""
        ...

    async def dispose(self) -> None:
        """Leave nothing open."""
        ...


def read_topic(bootstrap: str, topic: str) -> list[DeadLetter]:
    """Return every message of a topic as a letter."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "examiner",
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
            pytest.fail("the cluster did not answer within 5 s")
        if message.error() is not None:
            ended += 1
        else:
            headers = cast("Headers", message.headers() or ())
            found.append(
                DeadLetter(key=message.key(), value=message.value(), headers=tuple(headers))
            )
    consumer.close()
    return found


def forms(record: PlainRecord) -> tuple[DeadLetter, DeadLetter]:
    """Return both forms of a record's letter."""
    return full_copy(record, FAULT, CONTEXT), reference(record, FAULT, CONTEXT)


def plain_record(
    *, key: bytes | None = b"42", value: bytes | None = b"{}", headers: Headers | None = None
) -> PlainRecord:
    """Make a record, plain but for what is given."""
    return PlainRecord("shop.customers", 0, 17, key=key, value=value, headers=headers)


class DeadLetterContract:
    """Sat by each candidate: a subclass gives the fixture `candidate`."""

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
    async def test_a_letter_arrives_byte_for_byte(
        self, candidate: Candidate, record: PlainRecord
    ) -> None:
        """What is read from the topic is the letter that was sent."""
        full, short = forms(record)
        await candidate.dead_letters.send(full, short)
        assert [full] == candidate.read()

    async def test_g09_a_letter_too_large_arrives_as_its_reference(
        self, candidate: Candidate
    ) -> None:
        """The topic's limit is no obstacle: the reference takes the letter's place."""
        full, short = forms(plain_record(value=LARGE))
        await candidate.dead_letters.send(full, short)
        assert [short] == candidate.read()

    async def test_a_letter_too_large_leaves_its_neighbours_whole(
        self, candidate: Candidate
    ) -> None:
        """Letters under way at the same time keep their values."""
        large = forms(plain_record(value=LARGE))
        small = [forms(plain_record(key=b"%d" % at)) for at in range(20)]
        await asyncio.gather(
            *(candidate.dead_letters.send(*forms) for forms in (*small[:10], large, *small[10:]))
        )
        assert sorted([*(full.key or b"" for full, _ in small), b"ref"]) == sorted(
            b"ref" if found.value is None else found.key or b"" for found in candidate.read()
        )

    async def test_letters_that_fit_alone_are_not_refused_together(
        self, candidate: Candidate
    ) -> None:
        """Letters that are just small enough stay whole.

        However many are under way to one partition.
        """
        full, short = forms(plain_record(value=LARGE[: LIMIT_BYTES * 3 // 5]))
        await asyncio.gather(*(candidate.dead_letters.send(full, short) for _ in range(12)))
        assert [full] * 12 == candidate.read()

    async def test_an_outage_is_a_hold(self, candidate: Candidate) -> None:
        """Nothing is dropped and nothing pretended: the sender is told to hold."""
        await candidate.check()
        candidate.break_down()
        with pytest.raises(Hold) as held:
            await candidate.dead_letters.send(*forms(plain_record()))
        assert HoldReason.DEAD_LETTER is held.value.reason

    async def test_the_check_finds_an_outage(self, candidate: Candidate) -> None:
        """A topic that is out of reach is known before the first letter."""
        candidate.break_down()
        with pytest.raises(Hold) as held:
            await candidate.check()
        assert HoldReason.DEAD_LETTER is held.value.reason

    async def test_a_letter_after_close_is_fatal(self, candidate: Candidate) -> None:
        """Both refuse a letter once they were let go."""
        await candidate.dead_letters.close()
        with pytest.raises(Fatal):
            await candidate.dead_letters.send(*forms(plain_record()))
