"""The topics that the configuration names, as the brokers describe them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from consumer.source.client_conf import INTERNAL_TOPICS
from consumer.source.error_codes import ErrorClass, class_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from confluent_kafka import Consumer
    from confluent_kafka.admin._metadata import TopicMetadata

    from consumer.model import PartitionKey

SINGLE_REQUESTS: Final = 3
"""Topics that are requested one by one in one call. More names are looked up in the list of all
topics: one round trip, where each name would cost one."""


class SubscribedTopics:
    """Describes the topics that match a list of names and regular expressions.

    Only the consumer thread calls it.
    """

    def __init__(self, topics: Sequence[str]) -> None:
        self._names = [topic for topic in topics if not topic.startswith("^")]
        self._patterns = [re.compile(topic) for topic in topics if topic.startswith("^")]
        self._at_first: frozenset[str] | None = None

    def describe(
        self, consumer: Consumer, timeout_s: float, also: Iterable[str] = ()
    ) -> dict[str, TopicMetadata]:
        """Request the partitions and leaders of the topics.

        `also` are topics that the group has assigned; the brokers may match an expression in
        another way. A topic that does not exist is described by its error, or is absent if many
        are.

        Raises: `KafkaException` if the brokers do not answer.
        """
        names = [*dict.fromkeys([*self._names, *also])]
        described: dict[str, TopicMetadata] = {}
        if self._patterns or len(names) > SINGLE_REQUESTS:
            listed = consumer.list_topics(timeout=timeout_s).topics
            described = {
                name: topic
                for name, topic in listed.items()
                if name in names or self._matches(name)
            }
        absent = [name for name in names if name not in described]
        for name in absent[:SINGLE_REQUESTS]:
            described[name] = consumer.list_topics(name, timeout=timeout_s).topics[name]
        if self._at_first is None:
            self._at_first = frozenset(
                name
                for name, topic in described.items()
                if topic.error is None or class_of(topic.error) is not ErrorClass.MISSING_TOPIC
            )
        return described

    def is_born(self, topic: str) -> bool:
        """Return whether a topic did not exist when the topics were described first."""
        return self._at_first is not None and topic not in self._at_first

    def _matches(self, name: str) -> bool:
        return name not in INTERNAL_TOPICS and any(
            pattern.match(name) for pattern in self._patterns
        )


def leaders_of(described: Mapping[str, TopicMetadata]) -> dict[PartitionKey, int]:
    """Return the leader of each partition of the topics that exist; negative without one."""
    return {
        (name, number): partition.leader
        for name, topic in described.items()
        if topic.error is None
        for number, partition in topic.partitions.items()
    }
