"""Records that connectors wrote, read from the broker byte for byte."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from confluent_kafka import Consumer, KafkaError, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Sequence

_PATIENCE_S: Final = 60.0


class Kept(NamedTuple):
    """One record as a connector wrote it."""

    topic: str
    offset: int
    timestamp_ms: int
    headers: list[tuple[str, bytes | None]]
    key: bytes | None
    value: bytes | None


def await_records(bootstrap: str, topics: Sequence[str], count: int) -> list[Kept]:
    """Read topics of one partition from their beginning until this many records arrived.

    Returns: the records by topic, in offset order.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "keeper",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "topic.metadata.refresh.interval.ms": 300,
        }
    )
    consumer.assign([TopicPartition(topic, 0, 0) for topic in topics])
    kept: list[Kept] = []
    deadline_s = time.monotonic() + _PATIENCE_S
    while len(kept) < count:
        message = consumer.poll(0.5)
        assert time.monotonic() < deadline_s, f"{len(kept)} of {count} records of {topics} came"
        if message is None:
            continue
        if (error := message.error()) is not None:
            assert error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART, error
            continue
        kept.append(
            Kept(
                message.topic() or "",
                message.offset() or 0,
                message.timestamp()[1],
                cast("list[tuple[str, bytes | None]]", message.headers() or []),
                _bytes(message.key()),
                _bytes(message.value()),
            )
        )
    consumer.close()
    return sorted(kept, key=lambda record: (topics.index(record.topic), record.offset))


def _bytes(written: bytes | str | None) -> bytes | None:
    return written.encode() if isinstance(written, str) else written
