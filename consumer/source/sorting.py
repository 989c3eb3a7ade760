"""Turns the messages of one `consume` into chunks, ends of partitions, and errors."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, cast

from confluent_kafka import KafkaException, TopicPartition

from consumer.source.error_codes import ErrorClass, class_of
from consumer.source.errors import RECORDS
from consumer.source.port import Chunk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from confluent_kafka import Consumer, KafkaError, Message

    from consumer.model import PartitionKey, Record
    from consumer.source.active_errors import ActiveErrors
    from consumer.source.broker_watch import BrokerWatch
    from consumer.source.chunk_queue import ChunkQueue
    from consumer.source.errors import ErrorClassifier
    from consumer.source.ownership import OwnedPartition, Ownership

WATERMARK_TIMEOUT_S: Final = 1.0


class MessageSorter:
    """Sorts messages by assignment.

    Messages of partitions that are not owned any more are dropped; the next owner reads them.
    """

    def __init__(
        self,
        ownership: Ownership,
        chunk_queue: ChunkQueue,
        active_errors: ActiveErrors,
        watch: BrokerWatch,
        errors: ErrorClassifier,
    ) -> None:
        self._ownership = ownership
        self._chunk_queue = chunk_queue
        self._active_errors = active_errors
        self._watch = watch
        self._errors = errors

    def sort(self, consumer: Consumer, messages: Sequence[Message]) -> None:
        """Put chunks and ends into the queue, in offset order within each partition."""
        runs: dict[PartitionKey, list[Record]] = {}
        topic, partition = "", -1
        run: list[Record] = []
        for message in messages:
            error = message.error()
            if error is not None:
                # An error or an end may follow records of its partition that are still in `runs`.
                self._take_error(consumer, message, error, runs)
                partition = -1
                continue
            # Consecutive records are mostly of one partition, so the look-up is made only when the
            # partition changes.
            if message.partition() != partition or message.topic() != topic:
                record = cast("Record", message)
                topic, partition = record.topic(), record.partition()
                run = runs.setdefault((topic, partition), [])
            run.append(cast("Record", message))
        for where, records in runs.items():
            self._take_run(where, records)

    def _take_run(self, key: PartitionKey, records: list[Record]) -> None:
        owned = self._ownership.at(key)
        if owned is None or owned.halted:
            return
        # After a seek or a new assignment the client may return records that were already taken.
        if records[0].offset() < owned.read_offset:
            records = [record for record in records if record.offset() >= owned.read_offset]
        if not records:
            return
        owned.read_offset = records[-1].offset() + 1
        owned.leader_epochs.read(cast("list[Message]", records))
        self._chunk_queue.add_chunk(Chunk(owned.assignment, records))
        self._active_errors.end(RECORDS, owned.assignment)

    def _take_error(
        self,
        consumer: Consumer,
        message: Message,
        error: KafkaError,
        runs: dict[PartitionKey, list[Record]],
    ) -> None:
        topic, partition = message.topic(), message.partition()
        if topic is None:
            self._errors.group_error(error)
            return
        key = (topic, -1 if partition is None else partition)
        owned = self._ownership.at(key)
        if owned is None:
            if error.code() != error._PARTITION_EOF:  # noqa: SLF001 - the library's spelling
                self._errors.topic_error(error, topic)
        elif error.code() == error._PARTITION_EOF:  # noqa: SLF001 - the library's spelling
            # The end comes after the records before it.
            if run := runs.pop(key, None):
                self._take_run(key, run)
            self._take_end(owned, message.offset() or 0)
        elif class_of(error) is ErrorClass.OFFSET_LOST:
            self._take_offset_lost(consumer, owned, error)
        else:
            self._errors.partition_error(error, owned)

    def _take_end(self, owned: OwnedPartition, offset: int) -> None:
        if owned.halted or offset < owned.read_offset:
            return
        owned.read_offset = offset
        # The end may lie after transaction markers and holes, for which there are no records.
        self._watch.reached_end(owned, offset)
        self._chunk_queue.add_end(owned.assignment, offset)
        self._active_errors.end(RECORDS, owned.assignment)

    def _take_offset_lost(
        self, consumer: Consumer, owned: OwnedPartition, error: KafkaError
    ) -> None:
        if owned.halted:
            return
        # No record is skipped: the partition is not read until an operator decides.
        owned.halted = True
        low: int | None = None
        end: int | None = None
        # The offsets are only for the message; the loss is certain without them.
        with suppress(KafkaException):
            low, end = consumer.get_watermark_offsets(
                TopicPartition(*owned.key), timeout=WATERMARK_TIMEOUT_S, cached=False
            )
        self._errors.offset_lost(owned, low, end, error)
