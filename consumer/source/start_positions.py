"""Where reading begins: the group's position, or what `start_at` says where there is none.

Never a guess.
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
"""Of one question to the brokers. The thread asks again a second later, so that it keeps polling in
between."""

OUTDATED: Final = (
    "the topic was deleted and made again since this position was reached: the new one is"
    " read from its beginning;"
    " records of the former one that had not been read are gone"
)

_GIVE_UP_AFTER: Final = 2
"""Partitions that fail in one round before the rest is left for the next: each may cost a time-out."""


class ResolvedStarts(NamedTuple):
    """What one round of questions gave.

    `starts` begin now. `pins` are positions of partitions that other members may own. `failed` says
    what kept the others waiting, `None` when nothing did.
    """

    starts: list[StartPosition]
    pins: list[TopicPartition]
    failed: KafkaError | None


class _Topic(NamedTuple):
    partitions: list[int]
    known: bool
    """Whether the group has a position in any of its partitions."""


class _Committed(NamedTuple):
    offset: int
    leader_epoch: int | None
    topic_id: str | None


class StartPositions:
    """Asks the brokers. Every question is bounded.

    What fails raises or stays pending, and is asked again.
    """

    def __init__(self, start_at: StartAt, topic_ids: TopicIds) -> None:
        self._start_at = start_at
        self._topic_ids = topic_ids
        self._log = structlog.get_logger()

    def find(self, consumer: Consumer, keys: Sequence[PartitionKey]) -> ResolvedStarts:
        """Find where these begin.

        A partition without a position, in a topic where the group has one, is new: it begins at its
        beginning, whatever `start_at` says, or its first records would be passed over. So that this
        stays decidable, the first member that meets a topic pins `latest` or a time for all its
        partitions, those of others included: a partition that stays silent has a position then,
        too.

        A position of an earlier incarnation of its topic is none: what lies there now was never
        read. The topic is known to the group all the same, and begins at its beginning. The ids are
        asked first: should a topic be made anew between the two questions, its position goes with
        the id that it belongs to, and that is noticed.

        Raises: `KafkaException` when the group's positions cannot be had; nothing begins.
        """
        ids = self._topic_ids.ask({topic for topic, _ in keys})
        committed = self._committed(consumer, keys)
        found = ResolvedStarts([], [], None)
        for key, position in committed.items():
            topic_id = ids.get(key[0], position.topic_id)
            if not self._is_outdated(key, position, ids):
                found.starts.append(
                    StartPosition(
                        key, position.offset, position.offset, position.leader_epoch, topic_id
                    )
                )
        going_on = {start.key for start in found.starts}
        topics: dict[str, _Topic] = {}
        failures = 0
        for key in keys:
            if key in going_on:
                continue
            try:
                if key[0] not in topics:
                    topics[key[0]] = topic = self._ask_topic(consumer, key[0], ids.get(key[0]))
                    if not topic.known and self._start_at != "earliest":
                        found.pins.extend(
                            self._pins(consumer, key[0], topic.partitions, ids.get(key[0]))
                        )
                begin = self._begin(consumer, key, topics[key[0]].known)
                found.starts.append(StartPosition(key, begin, None, None, ids.get(key[0])))
            except KafkaException as error:
                failures += 1
                found = found._replace(failed=error.args[0])
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
            # Made again, it begins at its beginning; never read by the group, it does not.
            raise KafkaException(
                KafkaError(KafkaError.REQUEST_TIMED_OUT, f"no broker tells the id of {topic}")
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
