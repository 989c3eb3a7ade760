"""A range of a topic, found on the brokers.

Of each partition the offsets from its beginning up to its end.
"""

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
    """Offsets of one partition, `begin` of them, `end` not. Empty where both are the same.

    `remark` says what of the range that was asked for is not in it, because the partition does not
    hold it; nothing where all is. `offset_count` is the most records that it may have: compaction
    and transactions leave holes.
    """

    topic: str
    partition: int
    begin: int
    end: int
    remark: str = ""

    @property
    def place(self) -> PartitionKey:
        """Where it is."""
        return self.topic, self.partition

    @property
    def offset_count(self) -> int:
        """How many offsets it spans."""
        return self.end - self.begin


class PartitionOffsets(NamedTuple):
    """What a partition holds. `end` is what may be read now.

    What an open transaction has written is beyond it.

    `since` and `until` are the first offsets at the times of the two edges, where these are times.
    """

    low: int
    end: int
    since: int | None = None
    until: int | None = None


def clipped_range(
    place: PartitionKey, begin: RangeBound | None, end: RangeBound | None, held: PartitionOffsets
) -> OffsetRange:
    """Lay a range over what a partition holds.

    Without `begin` or `end` it is the partition's own.
    """
    remarks = []
    first, last = held.low, held.end
    match begin:
        case AtOffset(offset):
            first = max(offset, held.low)
            if offset < held.low:
                remarks.append(f"{offset} to {held.low - 1} are gone (retention or deletion)")
        case AtTime():
            first = held.end if held.since is None else held.since
            if 0 < first == held.low:
                remarks.append(f"whatever was before {held.low} is gone (retention or deletion)")
    match end:
        case AtOffset(offset):
            last = min(offset, held.end)
            if offset > held.end:
                remarks.append(f"nothing is there from {held.end} on yet")
        case AtTime():
            last = held.end if held.until is None else held.until
    if first > held.end:
        remarks.append(f"begins behind the end, {held.end}")
    first = min(first, held.end)
    return OffsetRange(*place, first, max(first, last), "; ".join(remarks))


class RangeFinder(StandaloneClient):
    """Asks the brokers while its `with` block lasts.

    Blocks for as long as they take for an answer.
    """

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
        """Find a range in every partition of a topic, or in those that are named, in their order.

        Raises: `Refusal` for a topic or a partition that is not there, and without an answer.
        """
        try:
            there = self._partitions(topic)
            if strangers := sorted(set(partitions) - there):
                message = (
                    f"topic `{topic}` has partitions 0 to {max(there)}, and none {strangers[0]}"
                )
                raise Refusal(message)
            places = [(topic, number) for number in sorted(partitions or there)]
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
        """Return where the group stands; a partition where it has no position is absent.

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
                message = f"no topic `{topic}` at {self._bootstrap}, or none that this user may see"
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
        """Return the first offset that is not older than an edge.

        A partition that has none is absent.
        """
        if not isinstance(bound, AtTime):
            return {}
        asked = [TopicPartition(*place, bound.wall_ms) for place in places]
        answers = self._consumer.offsets_for_times(asked, timeout=ANSWER_S)
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
        """Say what the brokers answered, or that they did not."""
        told = f"; {self._last_error}" if self._last_error else ""
        return Refusal(
            f"the brokers at {self._bootstrap} answered {detail_of(error.args[0])}{told}"
        )
