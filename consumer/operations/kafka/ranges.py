"""Finds the offsets of a range in each partition of a topic."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from consumer.errors import Refusal
from consumer.operations.kafka.range_bounds import AtOffset, AtTime
from consumer.operations.kafka.standalone_client import ANSWER_S, StandaloneClient
from consumer.source.error_codes import detail_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from consumer.model import PartitionKey
    from consumer.operations.kafka.range_bounds import RangeBound
    from consumer.source.settings import KafkaSettings


class OffsetRange(msgspec.Struct, frozen=True):
    """Offsets of one partition, `begin` included, `end` excluded. Empty if both are equal.

    `remark` names requested offsets that the partition does not hold; it is empty if all are held.
    The range has at most `offset_count` records: compaction and transactions leave gaps.
    """

    topic: str
    partition: int
    begin: int
    end: int
    remark: str = ""

    @property
    def place(self) -> PartitionKey:
        """Topic and partition."""
        return self.topic, self.partition

    @property
    def offset_count(self) -> int:
        """Number of offsets in the range."""
        return self.end - self.begin


class PartitionOffsets(NamedTuple):
    """The offsets that a partition holds now.

    `end` is the last stable offset: records of an open transaction are beyond it. `since` and
    `until` are the first offsets at the times of the two bounds, if these are times.
    """

    low: int
    end: int
    since: int | None = None
    until: int | None = None


def clipped_range(
    place: PartitionKey, begin: RangeBound | None, end: RangeBound | None, held: PartitionOffsets
) -> OffsetRange:
    """Clip a range to the offsets that a partition holds.

    Without `begin` or `end`, the range begins or ends with the partition.
    """
    remarks = []
    first, last = held.low, held.end
    match begin:
        case AtOffset(offset):
            first = max(offset, held.low)
            if offset < held.low:
                remarks.append(
                    f"offsets {offset} to {held.low - 1} no longer exist (retention or deletion)"
                )
        case AtTime():
            # No record is as late as the bound: the range begins, empty, at the end. The brokers do
            # not find records without a timestamp (-1).
            first = held.end if held.since is None else held.since
            if held.since is None and held.low < held.end:
                remarks.append(
                    "no record has a timestamp at or after the begin of the range; records without"
                    " a timestamp are not found by time: use offsets"
                )
            # Begins at the first record held, unless that is offset 0: earlier records may have
            # been in the range too, and retention has deleted them.
            if 0 < first == held.low:
                remarks.append(f"offsets before {held.low} no longer exist (retention or deletion)")
    match end:
        case AtOffset(offset):
            last = min(offset, held.end)
            if offset > held.end:
                remarks.append(f"offsets from {held.end} on do not exist yet")
        case AtTime():
            last = held.end if held.until is None else held.until
    if first > held.end:
        remarks.append(f"the range begins after the end of the partition ({held.end})")
    first = min(first, held.end)
    return OffsetRange(*place, first, max(first, last), "; ".join(remarks))


class RangeFinder(StandaloneClient):
    """Asks the brokers for offsets, inside its `with` block; every method blocks."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._bootstrap = settings.bootstrap_servers
        self._last_error = ""
        super().__init__(settings, settings.group_id)

    def offset_ranges(
        self,
        topic: str,
        begin: RangeBound | None,
        end: RangeBound | None,
        partitions: Collection[int] = (),
    ) -> list[OffsetRange]:
        """Return the range in each of the given partitions, or in all partitions of the topic.

        Raises: `Refusal` if the topic or a partition does not exist, or without an answer.
        """
        try:
            existing = self._partitions(topic)
            if unknown := sorted(set(partitions) - existing):
                message = (
                    f"topic `{topic}`: expected a partition from 0 to {max(existing)}, got"
                    f" {unknown[0]}"
                )
                raise Refusal(message)
            places = [(topic, number) for number in sorted(partitions or existing)]
            since, until = self._at_time(places, begin), self._at_time(places, end)
            return [
                clipped_range(
                    place,
                    begin,
                    end,
                    PartitionOffsets(*self._ends(place), since.get(place), until.get(place)),
                )
                for place in places
            ]
        except KafkaException as error:
            raise self._unanswered(error) from error

    def positions(self, places: Iterable[PartitionKey]) -> dict[PartitionKey, int]:
        """Return the group's committed positions; a partition without one is absent.

        Raises: `Refusal`.
        """
        try:
            answers = self._consumer.committed(
                [TopicPartition(*place) for place in places], timeout=ANSWER_S
            )
        except KafkaException as error:
            raise self._unanswered(error) from error
        for answer in answers:
            if answer.error is not None:
                raise self._unanswered(KafkaException(answer.error))
        return {
            (answer.topic, answer.partition): answer.offset
            for answer in answers
            if answer.offset >= 0
        }

    def _partitions(self, topic: str) -> set[int]:
        described = self._consumer.list_topics(topic, timeout=ANSWER_S).topics[topic]
        if described.error is not None:
            if described.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                message = (
                    f"topic `{topic}` does not exist at {self._bootstrap}, or this user may not"
                    f" describe it"
                )
                raise Refusal(message)
            raise KafkaException(described.error)
        return set(described.partitions)

    def _ends(self, place: PartitionKey) -> tuple[int, int]:
        low, end = self._consumer.get_watermark_offsets(
            TopicPartition(*place), timeout=ANSWER_S, cached=False
        )
        return low, end

    def _at_time(
        self, places: Sequence[PartitionKey], bound: RangeBound | None
    ) -> dict[PartitionKey, int]:
        """Return the first offset at the time of a bound or later.

        A partition without such a record is absent.
        """
        if not isinstance(bound, AtTime):
            return {}
        times = [TopicPartition(*place, bound.wall_ms) for place in places]
        answers = self._consumer.offsets_for_times(times, timeout=ANSWER_S)
        for answer in answers:
            if answer.error is not None:
                raise KafkaException(answer.error)
        return {
            (answer.topic, answer.partition): answer.offset
            for answer in answers
            if answer.offset >= 0
        }

    def _note(self, error: KafkaError) -> None:
        self._last_error = detail_of(error)

    def _unanswered(self, error: KafkaException) -> Refusal:
        """Return a refusal with the error of the call and the client's last error."""
        cause = f"; last error: {self._last_error}" if self._last_error else ""
        return Refusal(
            f"request to the brokers at {self._bootstrap} failed: {detail_of(error.args[0])}{cause}"
        )
