"""Finds where reading starts: the group's position, or `start_at` if the group has none.

A start position is never guessed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import structlog
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from consumer.source.error_codes import ErrorClass, class_of
from consumer.source.ownership import StartPosition
from consumer.source.patience import Patience
from consumer.source.subscribed_topics import leaders_of
from consumer.source.topic_ids import is_recreated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from confluent_kafka import Consumer

    from consumer.model import PartitionKey
    from consumer.source.offset_requests import OffsetRequests, StartAt
    from consumer.source.subscribed_topics import SubscribedTopics
    from consumer.source.topic_ids import TopicIds

ASK_TIMEOUT_S: Final = 2.0
"""Timeout of the first request to the brokers; it is doubled after each one without an answer."""

OUTDATED: Final = (
    "the topic was deleted and recreated since this position was reached: the new topic is read"
    " from its beginning; records of the deleted topic that were not read are lost"
)

_NEW_GROUP: Final = (
    "the group has no position in any subscribed topic, so kafka.start_at decides; the positions"
    " are committed before the first record is read"
)
_NEW_PARTITIONS: Final = (
    "these partitions are new to the group, which has positions in others: they are read from their"
    " beginning, regardless of kafka.start_at, so that no record is skipped"
)
_EARLIEST: Final = "the group has no position in these partitions: they start at their beginning"


class ResolvedStarts(NamedTuple):
    """What one step found.

    `starts` can begin now. `pins` are positions to commit for all partitions of a group that has
    none. `failed` is an error that left partitions without a start.
    """

    starts: Sequence[StartPosition] = ()
    pins: Sequence[TopicPartition] = ()
    failed: KafkaError | None = None


NOTHING: Final = ResolvedStarts()
"""A step without a result: the thread polls, then takes the next one."""


class _Committed(NamedTuple):
    offset: int
    leader_epoch: int | None
    topic_id: str | None


class StartPositions:
    """Requests positions from the brokers, in rounds of a few steps.

    A step waits for at most one answer, however many partitions there are, and the thread polls
    between two steps. A partition whose request fails stays pending and is tried in the next round.
    """

    def __init__(
        self,
        start_at: StartAt,
        topic_ids: TopicIds,
        topics: SubscribedTopics,
        offsets: OffsetRequests,
        longest_ask_s: float,
    ) -> None:
        self._start_at = start_at
        self._topic_ids = topic_ids
        self._topics = topics
        self._offsets = offsets
        self._patience = Patience(ASK_TIMEOUT_S, longest_ask_s)
        self._undecided: set[PartitionKey] = set()
        self._log = structlog.get_logger()

    def find(self, consumer: Consumer, keys: Sequence[PartitionKey]) -> Iterator[ResolvedStarts]:
        """Find where these partitions start, in steps.

        1. A partition with a valid position starts there.
        2. A partition without one, in a group that has a position in any subscribed partition, is
           new: it starts at its beginning, regardless of `start_at`, or its first records would be
           skipped. So does a topic that did not exist when this process started.
        3. If the group has no position at all, `start_at` decides. Then positions (pins) of all
           subscribed partitions are committed together, also of those that other members own, and
           reading starts from them in the next round. Without the pins, a partition that is at rest
           would look new to the next member that reads it.

        A position of a deleted topic with the same name does not count: the records of the new
        topic were never read. The topic ids are requested first: if the topic is recreated between
        the two requests, its position is stored with the old id, and that is noticed later.

        Raises: `KafkaException` if the brokers do not answer; what was found before remains valid.
        """
        try:
            yield from self._round(consumer, keys)
        except KafkaException as error:
            self._patience.failed(error.args[0])
            raise

    def _round(self, consumer: Consumer, keys: Sequence[PartitionKey]) -> Iterator[ResolvedStarts]:
        ids = self._topic_ids.ask({topic for topic, _ in keys})
        yield NOTHING
        committed = self._committed(consumer, keys)
        starts = self._at_positions(committed, ids)
        yield ResolvedStarts(starts)
        with_position = {start.key for start in starts}
        without = [key for key in keys if key not in with_position]
        if not without:
            return
        described = self._topics.describe(
            consumer, self._patience.timeout_s, {key[0] for key in without}
        )
        leaders = leaders_of(described)
        yield NOTHING
        is_new_group = not committed and self._start_at != "earliest"
        if is_new_group:
            present = self._committed(consumer, leaders, of_others=True)
            is_new_group = not present
            # Another member may have committed the positions of all partitions since the request
            # above. Then our partitions have one too, and are not new.
            ours = {key: present[key] for key in without if key in present}
            without = [key for key in without if key not in present]
            yield ResolvedStarts(self._at_positions(ours, ids))
        if is_new_group:
            yield from self._pin(consumer, leaders)
        else:
            yield from self._begin(without, leaders, ids)
        errors = [topic.error for topic in described.values() if topic.error is not None]
        if errors and any(key not in leaders for key in without):
            # The topic may have been deleted since the assignment.
            yield ResolvedStarts(failed=errors[0])

    def _at_positions(
        self, committed: Mapping[PartitionKey, _Committed], ids: Mapping[str, str]
    ) -> list[StartPosition]:
        """Return the starts of partitions whose position is valid."""
        return [
            StartPosition(
                key,
                position.offset,
                position.offset,
                position.leader_epoch,
                ids.get(key[0], position.topic_id),
            )
            for key, position in committed.items()
            if not self._is_outdated(key, position, ids)
        ]

    def _begin(
        self,
        keys: Sequence[PartitionKey],
        leaders: Mapping[PartitionKey, int],
        ids: Mapping[str, str],
    ) -> Iterator[ResolvedStarts]:
        wanted: dict[PartitionKey, StartAt] = {
            key: self._start_at_of(key) if key in self._undecided else "earliest" for key in keys
        }
        errors = _without_leader(wanted, leaders)
        begun: list[PartitionKey] = []
        for found in self._offsets.answers(wanted, leaders, errors):
            begun += found
            yield ResolvedStarts(
                [
                    StartPosition(key, offset, None, None, ids.get(key[0]))
                    for key, offset in found.items()
                ]
            )
        self._decided(
            begun, "earliest", _EARLIEST if self._start_at == "earliest" else _NEW_PARTITIONS
        )
        if errors:
            yield ResolvedStarts(failed=errors[0])

    def _pin(
        self, consumer: Consumer, leaders: Mapping[PartitionKey, int]
    ) -> Iterator[ResolvedStarts]:
        ids = self._topic_ids.ask({topic for topic, _ in leaders})
        yield NOTHING
        # A topic whose id was known and is not reported now may be recreated: then it must start at
        # its beginning, so it waits.
        unknown = {
            topic for topic, _ in leaders if topic not in ids and self._topic_ids.is_known(topic)
        }
        wanted = {key: self._start_at_of(key) for key in leaders if key[0] not in unknown}
        errors = [
            KafkaError(KafkaError.REQUEST_TIMED_OUT, f"no broker reports the id of {topic}")
            for topic in sorted(unknown)
        ]
        errors += _without_leader(wanted, leaders)
        offsets: dict[PartitionKey, int] = {}
        for found in self._offsets.answers(wanted, leaders, errors):
            offsets |= found
            yield NOTHING
        # The others wait for their leaders, and must not look new when the pins are committed.
        self._undecided = {key for key in leaders if key not in offsets and key[0] not in unknown}
        # Another member may have committed meanwhile; its positions stay.
        present = self._committed(consumer, leaders, of_others=True)
        pins = [
            TopicPartition(*key, offset, ids.get(key[0], ""))
            for key, offset in offsets.items()
            if key not in present
        ]
        self._decided([(pin.topic, pin.partition) for pin in pins], str(self._start_at), _NEW_GROUP)
        yield ResolvedStarts(pins=pins, failed=errors[0] if errors else None)

    def _start_at_of(self, key: PartitionKey) -> StartAt:
        if self._topic_ids.was_recreated(key[0]) or self._topics.is_born(key[0]):
            return "earliest"
        return self._start_at

    def _decided(self, keys: Sequence[PartitionKey], start_at: str, detail: str) -> None:
        if keys:
            self._log.info(
                "start_positions_decided",
                count=len(keys),
                topics=len({topic for topic, _ in keys}),
                start_at=start_at,
                detail=detail,
            )

    def _is_outdated(self, key: PartitionKey, position: _Committed, ids: Mapping[str, str]) -> bool:
        now = ids.get(key[0])
        if now is None or position.topic_id is None or not is_recreated(position.topic_id, now):
            return False
        self._log.warning(
            "position_outdated",
            topic=key[0],
            partition=key[1],
            position=position.offset,
            detail=OUTDATED,
        )
        return True

    def _committed(
        self, consumer: Consumer, keys: Iterable[PartitionKey], *, of_others: bool = False
    ) -> dict[PartitionKey, _Committed]:
        asked = [TopicPartition(*key) for key in keys]
        answers = consumer.committed(asked, timeout=self._patience.timeout_s) if asked else []
        for answer in answers:
            if answer.error is not None and not (of_others and _is_hidden(answer.error)):
                raise KafkaException(answer.error)
        return {
            (answer.topic, answer.partition): _Committed(
                answer.offset, answer.leader_epoch, answer.metadata or None
            )
            for answer in answers
            if answer.offset >= 0
        }


def _is_hidden(error: KafkaError) -> bool:
    """Return whether a topic is gone, or not for this user: the group cannot read it."""
    return class_of(error) in (ErrorClass.MISSING_TOPIC, ErrorClass.AUTH)


def _without_leader(
    wanted: dict[PartitionKey, StartAt], leaders: Mapping[PartitionKey, int]
) -> list[KafkaError]:
    """Take the partitions out that no broker leads, and return the error of each."""
    absent = [key for key in wanted if leaders.get(key, -1) < 0]
    for key in absent:
        del wanted[key]
    return [
        KafkaError(KafkaError.LEADER_NOT_AVAILABLE, f"{topic}[{number}] has no leader")
        for topic, number in absent
    ]
