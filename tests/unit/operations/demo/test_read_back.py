"""Reading the result of a run back from the embedded broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Consumer, TopicPartition

from consumer.dead_letter.envelope import DeadLetterContext, RecordFault, full_copy
from consumer.errors import Reason
from consumer.model import PlainRecord
from consumer.operations.demo.read_back import read_back
from consumer.operations.demo.verification import RecordCoordinates, StoredDeadLetter
from consumer.sandbox.broker import EmbeddedBroker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumer.operations.demo.read_back import ReadBack

CONTEXT = DeadLetterContext(
    connector_name="events", task_id="g", config_sha256="0" * 64, version="0.1.0"
)
RECORD = PlainRecord(
    "t",
    2,
    17,
    key=b"k",
    value=b"\xff{",
    headers=[("trace", b"1"), ("__connect.errors.topic", b"x")],
)


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as up:
        up.create_topic("t")
        up.create_topic("dead")
        yield up


def read(broker: EmbeddedBroker) -> ReadBack:
    return read_back(broker.bootstrap_servers, group_id="g", topics=["t"], dead_letter_topic="dead")


def test_empty_topics(broker: EmbeddedBroker) -> None:
    """Every partition has the end 0 and no position; the dead-letter topic is read to its end."""
    found = read(broker)
    assert ((), {0}, {None}) == (
        found.dead_letters,
        set(found.ends.values()),
        set(found.positions.values()),
    )


def test_a_dead_letter_is_read_as_its_record(broker: EmbeddedBroker) -> None:
    """With its place, its reason and the record's own headers, also if they have our names."""
    sent = full_copy(
        RECORD, RecordFault(reason=Reason.DECODE_SYNTAX, first_failed_at_ms=1), CONTEXT
    )
    broker.put("dead", sent.value, key=sent.key, headers=sent.headers)
    broker.flush()
    expected = StoredDeadLetter(
        place=RecordCoordinates("t", 2, 17),
        reason="DECODE_SYNTAX",
        key=b"k",
        value=b"\xff{",
        headers=(("trace", b"1"), ("__connect.errors.topic", b"x")),
    )
    assert (expected,) == read(broker).dead_letters


def test_a_record_of_another_program_is_returned(broker: EmbeddedBroker) -> None:
    """It has no place, so that the check reports it as one too many."""
    broker.put("dead", b"not a dead letter")
    broker.flush()
    assert [RecordCoordinates("", -1, -1)] == [one.place for one in read(broker).dead_letters]


def test_ends_and_committed_positions(broker: EmbeddedBroker) -> None:
    """They are read without joining the group."""
    for _ in range(3):
        broker.put("t", b"{}", partition=1)
    broker.flush()
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "g"})
    consumer.commit(offsets=[TopicPartition("t", 1, 2)], asynchronous=False)
    consumer.close()
    found = read(broker)
    assert (3, 2) == (found.ends["t", 1], found.positions["t", 1])
