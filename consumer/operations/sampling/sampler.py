"""Samples of topics, read beside everybody.

No group is joined, nothing is committed, and it ends by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import msgspec
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from consumer.headers import headers_of
from consumer.model import PlainRecord
from consumer.operations.kafka.standalone_client import ANSWER_S, StandaloneClient
from consumer.source.client_conf import INTERNAL_TOPICS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from confluent_kafka import Message

    from consumer.model import Record
    from consumer.source.settings import KafkaSettings

MOST_BYTES: Final = 64 * 1024 * 1024
"""How much of one topic is kept; a sample of large records ends early."""


class NoSample(Exception):  # noqa: N818 - told to the user, and the end of the verb
    """A topic that cannot be sampled, or brokers that do not answer."""


class Sample(msgspec.Struct, frozen=True):
    """The newest records of a topic. `record_count` is how far its offsets span in all."""

    topic: str
    partition_count: int
    record_count: int
    records: tuple[PlainRecord, ...]


class Sampler(StandaloneClient):
    """Reads samples while its `with` block lasts."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._bootstrap = settings.bootstrap_servers
        self._last_error = ""
        super().__init__(settings, "datacloud-consumer-sample")

    def topics(self) -> list[str]:
        """Return the names of all topics but the brokers' own. Raises `NoSample`."""
        try:
            return sorted(
                set(self._consumer.list_topics(timeout=ANSWER_S).topics) - INTERNAL_TOPICS
            )
        except KafkaException as error:
            raise self._unanswered(error) from error

    def sample(self, topic: str, count: int) -> Sample:
        """Read the newest records of a topic, about as many of each partition.

        Each partition's in order.

        Raises: `NoSample`.
        """
        try:
            ends = self._ends(topic)
            records = self._records(topic, ends, count)
        except KafkaException as error:
            raise self._unanswered(error) from error
        total = sum(high - low for low, high in ends.values())
        return Sample(topic, len(ends), total, tuple(records))

    def _ends(self, topic: str) -> dict[int, tuple[int, int]]:
        """Return the lowest and the next offset of each partition."""
        described = self._consumer.list_topics(topic, timeout=ANSWER_S).topics[topic]
        if described.error is not None:
            if described.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                message = f"no topic `{topic}` at {self._bootstrap}, or none that this user may see"
                raise NoSample(message)
            message = (
                f"topic `{topic}`: the brokers answered {described.error.name()}:"
                f" {described.error.str()}"
            )
            raise NoSample(message)
        return {
            number: self._consumer.get_watermark_offsets(
                TopicPartition(topic, number), timeout=ANSWER_S
            )
            for number in described.partitions
        }

    def _records(
        self, topic: str, ends: dict[int, tuple[int, int]], count: int
    ) -> list[PlainRecord]:
        filled = {number: span for number, span in ends.items() if span[1] > span[0]}
        if not filled:
            return []
        shares = _shares({number: high - low for number, (low, high) in filled.items()}, count)
        unread = {number: high - 1 for number, (_, high) in filled.items()}
        starts = [
            TopicPartition(topic, one, high - shares[one]) for one, (_, high) in filled.items()
        ]
        self._consumer.assign(starts)
        records: list[PlainRecord] = []
        byte_count = 0
        while unread and byte_count < MOST_BYTES:
            message = self._consumer.poll(ANSWER_S)
            if message is None:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001 - the library's spelling
            number = self._place(message)
            if message.error() is not None:
                unread.pop(number, None)
            elif number in unread:
                record = _kept(message)
                records.append(record)
                byte_count += len(record)
                if record.offset() >= unread[number]:
                    del unread[number]
        self._consumer.unassign()
        return sorted(records, key=lambda record: (record.partition(), record.offset()))

    def _place(self, message: Message) -> int:
        """Return the partition of a record or of an end. Raises what the brokers said instead."""
        error = message.error()
        if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - the library's spelling
            raise KafkaException(error)
        return cast("int", message.partition())

    def _note(self, error: KafkaError) -> None:
        self._last_error = error.str()

    def _unanswered(self, error: KafkaException) -> NoSample:
        """Say what the brokers answered, or that they did not."""
        said: KafkaError = error.args[0]
        told = f": {self._last_error}" if self._last_error else ""
        return NoSample(
            f"the brokers at {self._bootstrap} answered {said.name()} ({said.str()}){told}"
        )


def _shares(spans: Mapping[int, int], count: int) -> dict[int, int]:
    """Part a count between partitions as evenly as they can give it; each gives at least one."""
    shares: dict[int, int] = {}
    left = count
    for place, (number, span) in enumerate(sorted(spans.items(), key=lambda one: one[1])):
        shares[number] = min(span, max(1, left // (len(spans) - place)))
        left -= shares[number]
    return shares


def _kept(message: Message) -> PlainRecord:
    """Copy a record out of the client."""
    kind, timestamp_ms = message.timestamp()
    return PlainRecord(
        message.topic() or "",
        cast("int", message.partition()),
        cast("int", message.offset()),
        key=message.key(),
        value=message.value(),
        headers=list(headers_of(cast("Record", message))),
        timestamp_ms=timestamp_ms if kind else 0,
    )
