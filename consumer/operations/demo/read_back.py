"""Reads dead letters, the group's positions and the log ends from the brokers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from consumer.dead_letter.envelope import CONNECT, OURS, original_headers
from consumer.errors import Fatal
from consumer.headers import headers_of
from consumer.operations.demo.verification import Partition, RecordCoordinates, StoredDeadLetter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from confluent_kafka import Message

    from consumer.model import Record


ANSWER_S: Final = 10.0
"""Timeout of one request to the brokers."""


class ReadBack(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the brokers after a run. A position is `None` if the group has none."""

    dead_letters: tuple[StoredDeadLetter, ...]
    ends: dict[Partition, int]
    positions: dict[Partition, int | None]


def read_back(
    bootstrap_servers: str,
    *,
    group_id: str,
    topics: Iterable[str],
    dead_letter_topic: str,
) -> ReadBack:
    """Read from the brokers without joining the group; blocks the calling thread.

    Raises: `Fatal` if they do not answer.
    """
    conf: dict[str, Any] = {
        "bootstrap.servers": bootstrap_servers,
        "group.id": group_id,
        "auto.offset.reset": "error",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "isolation.level": "read_committed",
        "fetch.wait.max.ms": 10,  # the end of a partition is only reported by a fetch response
    }
    consumer = Consumer(conf)
    try:
        partitions = [one for topic in topics for one in _partitions(consumer, topic)]
        committed = consumer.committed(partitions, timeout=ANSWER_S)
        return ReadBack(
            dead_letters=tuple(map(_dead_letter, _messages(consumer, dead_letter_topic))),
            ends={
                (one.topic, one.partition): consumer.get_watermark_offsets(one, timeout=ANSWER_S)[1]
                for one in partitions
            },
            positions={
                (one.topic, one.partition): one.offset if one.offset >= 0 else None
                for one in committed
            },
        )
    except KafkaException as error:
        message = f"cannot read the result back from the brokers: {error.args[0].name()}"
        raise Fatal(message) from error
    finally:
        consumer.close()


def _partitions(consumer: Consumer, topic: str) -> list[TopicPartition]:
    described = consumer.list_topics(topic, timeout=ANSWER_S).topics[topic]
    if described.error is not None:
        raise KafkaException(described.error)
    return [TopicPartition(topic, number) for number in described.partitions]


def _messages(consumer: Consumer, topic: str) -> Iterator[Message]:
    """Yield the records of a topic from the beginning to its present end."""
    unread = {one.partition for one in _partitions(consumer, topic)}
    consumer.assign([TopicPartition(topic, number, 0) for number in unread])
    while unread:
        message = consumer.poll(ANSWER_S)
        if message is None:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001 - the library's spelling
        error = message.error()
        if error is None:
            yield message
        elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the library's spelling
            unread.discard(message.partition())
        else:
            raise KafkaException(error)
    consumer.unassign()


def _dead_letter(message: Message) -> StoredDeadLetter:
    # A cast, because the library's type of a header also covers values that are only produced.
    headers = headers_of(cast("Record", message))
    # A later header wins: the record's own headers come first and may have the same names as ours.
    last = {name: (value or b"").decode("utf-8", "replace") for name, value in headers}
    return StoredDeadLetter(
        place=RecordCoordinates(
            last.get(CONNECT + "topic", ""),
            _figure(last.get(CONNECT + "partition", "")),
            _figure(last.get(CONNECT + "offset", "")),
        ),
        reason=last.get(OURS + "reason", ""),
        key=message.key(),
        value=message.value(),
        headers=tuple(original_headers(headers)),
    )


def _figure(text: str) -> int:
    """Return a partition or an offset; -1 if the header is not a number."""
    return int(text) if text.isdecimal() else -1
