"""Finds where reading starts: the group's position, or `start_at` if the group has none.

A start position is never guessed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

import structlog
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from consumer.source.ownership import StartPosition
from consumer.source.topic_ids import is_recreated

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from confluent_kafka import Consumer

    from consumer.model import PartitionKey
    from consumer.source.topic_ids import TopicIds

StartAt: TypeAlias = Literal["earliest", "latest"] | int

ASK_TIMEOUT_S: Final = 2.0
"""Timeout of one request to the brokers. The thread repeats it a second later, so that it polls
in between."""

OUTDATED: Final = (
    "the topic was deleted and recreated since this position was reached: the new topic is read"
    " from its beginning; records of the deleted topic that were not read are lost"
)

_GIVE_UP_AFTER: Final = 2
"""Partitions that may fail in one round; the others wait for the next round, because each may
cost a timeout."""


class ResolvedStarts(NamedTuple):
    """The result of one round of requests.

    `starts` can begin now. `pins` are positions of partitions that other members may own. `failed`
    is the last error, `None` if no partition failed.
    """

    starts: list[StartPosition]
    pins: list[TopicPartition]
    failed: KafkaError | None


class _Topic(NamedTuple):
    partitions: list[int]
    known: bool
    """Whether the group has a position in any partition of the topic."""


class _Committed(NamedTuple):
    offset: int
    leader_epoch: int | None
    topic_id: str | None


class StartPositions:
    """Requests positions from the brokers; every request has a timeout.

    A partition whose request fails stays pending and is tried again.
    """

    def __init__(self, start_at: StartAt, topic_ids: TopicIds) -> None:
        self._start_at = start_at
        self._topic_ids = topic_ids
        self._log = structlog.get_logger()

    def find(self, consumer: Consumer, keys: Sequence[PartitionKey]) -> ResolvedStarts:
        """Find where these partitions start.

        A partition without a position, in a topic where the group has one, is new: it starts at its
        beginning, regardless of `start_at`, or its first records would be skipped. To keep this
        decidable, the first member that reads a topic commits a start position (a pin) for all its
        partitions, also for those of other members, when `start_at` is `latest` or a time. A
        partition without traffic then has a position too.

        A position of a deleted topic with the same name does not count: the records of the new
        topic were never read. The group still knows the topic, so it starts at its beginning. The
        topic ids are requested first: if the topic is recreated between the two requests, its
        position is stored with the old id, and that is noticed later.

        Raises: `KafkaException` if the group's positions cannot be read; no partition starts.
        """
        ids = self._topic_ids.ask({topic for topic, _ in keys})
        committed = self._committed(consumer, keys)
        found = ResolvedStarts([], [], None)
        for key, position in committed.items():
            topic_id = ids.get(key[0], position.topic_id)
            # Partitions with a valid position need no further request.
            if not self._is_outdated(key, position, ids):
                found.starts.append(
                    StartPosition(
                        key, position.offset, position.offset, position.leader_epoch, topic_id
                    )
                )
        with_position = {start.key for start in found.starts}
        topics: dict[str, _Topic] = {}
        failures = 0
        for key in keys:
            if key in with_position:
                continue
            try:
                if key[0] not in topics:
                    topics[key[0]] = topic = self._ask_topic(consumer, key[0], ids.get(key[0]))
                    # The first member that reads the topic commits a start position for every
                    # partition.
                    if not topic.known and self._start_at != "earliest":
                        found.pins.extend(
                            self._pins(consumer, key[0], topic.partitions, ids.get(key[0]))
                        )
                begin = self._begin(consumer, key, topics[key[0]].known)
                found.starts.append(StartPosition(key, begin, None, None, ids.get(key[0])))
            except KafkaException as error:
                failures += 1
                found = found._replace(failed=error.args[0])
                # The thread has to poll again: the rest is tried in the next iteration.
                if failures == _GIVE_UP_AFTER:
                    break
        return found

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

    def _ask_topic(self, consumer: Consumer, topic: str, topic_id: str | None) -> _Topic:
        described = consumer.list_topics(topic, timeout=ASK_TIMEOUT_S).topics[topic]
        # The topic may have been deleted since the assignment.
        if described.error is not None:
            raise KafkaException(described.error)
        partitions = sorted(described.partitions)
        known = self._topic_ids.was_recreated(topic) or bool(
            self._committed(consumer, [(topic, each) for each in partitions])
        )
        if (
            not known
            and self._start_at != "earliest"
            and topic_id is None
            and self._topic_ids.is_known(topic)
        ):
            # A recreated topic starts at its beginning, one that was never read does not.
            raise KafkaException(
                KafkaError(KafkaError.REQUEST_TIMED_OUT, f"no broker reports the id of {topic}")
            )
        return _Topic(partitions, known)

    def _pins(
        self, consumer: Consumer, topic: str, partitions: Iterable[int], topic_id: str | None
    ) -> list[TopicPartition]:
        return [
            TopicPartition(
                topic, each, self._begin(consumer, (topic, each), known=False), topic_id or ""
            )
            for each in partitions
        ]

    def _begin(self, consumer: Consumer, key: PartitionKey, known: bool) -> int:  # noqa: FBT001 - a fact about the topic
        where = TopicPartition(*key)
        if isinstance(self._start_at, int) and not known:
            [answer] = consumer.offsets_for_times(
                [TopicPartition(*key, self._start_at)], timeout=ASK_TIMEOUT_S
            )
            if answer.error is not None:
                raise KafkaException(answer.error)
            # A negative offset: no record is that new, so reading starts at the end.
            if answer.offset >= 0:
                return answer.offset
        low, end = consumer.get_watermark_offsets(where, timeout=ASK_TIMEOUT_S, cached=False)
        return low if known or self._start_at == "earliest" else end

    @staticmethod
    def _committed(
        consumer: Consumer, keys: Iterable[PartitionKey]
    ) -> dict[PartitionKey, _Committed]:
        answers = consumer.committed([TopicPartition(*key) for key in keys], timeout=ASK_TIMEOUT_S)
        for answer in answers:
            if answer.error is not None:
                raise KafkaException(answer.error)
        return {
            (answer.topic, answer.partition): _Committed(
                answer.offset, answer.leader_epoch, answer.metadata or None
            )
            for answer in answers
            if answer.offset >= 0
        }
