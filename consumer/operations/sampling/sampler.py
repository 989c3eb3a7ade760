"""Reads the newest records of topics, without joining a group and without committing."""

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
"""A sample of a topic ends when it has this many bytes."""


class NoSample(Exception):  # noqa: N818 - shown to the user as the reason why the verb ends
    """A topic that cannot be sampled, or brokers that do not answer."""


class Sample(msgspec.Struct, frozen=True):
    """The newest records of a topic. `record_count` is the number of offsets that it holds."""

    topic: str
    partition_count: int
    record_count: int
    records: tuple[PlainRecord, ...]


class Sampler(StandaloneClient):
    """Reads samples inside its `with` block."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._bootstrap = settings.bootstrap_servers
        self._last_error = ""
        super().__init__(settings, "datacloud-consumer-sample")

    def topics(self) -> list[str]:
        """Return the names of all topics, without Kafka's internal ones.

        Raises: `NoSample`.
        """
        try:
            return sorted(
                set(self._consumer.list_topics(timeout=ANSWER_S).topics) - INTERNAL_TOPICS
            )
        except KafkaException as error:
            raise self._unanswered(error) from error

    def sample(self, topic: str, count: int) -> Sample:
        """Read the newest records of a topic, about the same number from each partition.

        Shape: ordered by partition, then by offset.

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
                message = (
                    f"topic `{topic}` does not exist at {self._bootstrap}, or this user may not"
                    f" describe it"
                )
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
        # The last offset of each partition that is not complete. It may be missing (compaction,
        # transaction markers); an end-of-partition event completes the partition then.
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
        """Return the partition of a record or of an end-of-partition event.

        Raises: `KafkaException` for any other error.
        """
        error = message.error()
        if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - the library's spelling
            raise KafkaException(error)
        return cast("int", message.partition())

    def _note(self, error: KafkaError) -> None:
        self._last_error = error.str()

    def _unanswered(self, error: KafkaException) -> NoSample:
        """Return an error with the failure of the call and the client's last error."""
        failure: KafkaError = error.args[0]
        cause = f"; last error: {self._last_error}" if self._last_error else ""
        return NoSample(
            f"request to the brokers at {self._bootstrap} failed: {failure.name()}"
            f" ({failure.str()}){cause}"
        )


def _shares(spans: Mapping[int, int], count: int) -> dict[int, int]:
    """Divide a count between partitions as evenly as possible; each gets at least one."""
    shares: dict[int, int] = {}
    left = count
    # The smallest partition first: what it cannot give is divided between the larger ones.
    for place, (number, span) in enumerate(sorted(spans.items(), key=lambda one: one[1])):
        shares[number] = min(span, max(1, left // (len(spans) - place)))
        left -= shares[number]
    return shares


def _kept(message: Message) -> PlainRecord:
    """Copy a record, so that the client's memory is freed."""
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
