"""Admin requests of the tests: topics, positions, access rights.

They are sent beside the program under test.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final, TypeVar

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBinding, AclBindingFilter, AclOperation, AclPermissionType
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType
from confluent_kafka.cimpl import NewPartitions, NewTopic

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

USER: Final = "reader"

_ADMIN_TIMEOUT_S: Final = 20.0
_ONE_ANSWER_S: Final = 3.0


class NoAnswerError(RuntimeError):
    """A topic does not answer in time."""


def _denial(kind: ResourceType, name: str) -> AclBinding:
    literal, read = ResourcePatternType.LITERAL, AclOperation.READ
    return AclBinding(kind, name, literal, f"User:{USER}", "*", read, AclPermissionType.DENY)


class Administered(ABC):
    """Brokers that accept requests through one admin client."""

    def __init__(self) -> None:
        self._admin_client: AdminClient | None = None
        self._retired: list[AdminClient] = []
        self._clients: dict[str, Consumer] = {}

    @property
    @abstractmethod
    def bootstrap(self) -> str:
        """The value of `bootstrap.servers` for clients."""

    def create_topic(
        self, name: str, partitions: int = 1, config: Mapping[str, str] | None = None
    ) -> None:
        """Create a topic and wait until each of its partitions answers."""
        topic = NewTopic(
            name, num_partitions=partitions, replication_factor=1, config=dict(config or {})
        )
        self._admin().create_topics([topic])[name].result(_ADMIN_TIMEOUT_S)
        self._ends_of(name, partitions)

    def create_placed_topic(
        self, name: str, replicas: list[list[int]], config: Mapping[str, str] | None = None
    ) -> None:
        """Create a topic with partitions on these brokers, and wait until each answers."""
        topic = NewTopic(
            name,
            num_partitions=len(replicas),
            replica_assignment=replicas,
            config=dict(config or {}),
        )
        self._admin().create_topics([topic])[name].result(_ADMIN_TIMEOUT_S)
        self._ends_of(name, len(replicas))

    def delete_topic(self, name: str) -> None:
        """Delete a topic."""
        self._admin().delete_topics([name])[name].result(_ADMIN_TIMEOUT_S)

    def add_partitions(self, name: str, total: int) -> None:
        """Raise the number of partitions of a topic to `total`, and wait until each answers."""
        self._admin().create_partitions([NewPartitions(name, total)])[name].result(_ADMIN_TIMEOUT_S)
        self._ends_of(name, total)

    def delete_records(self, topic: str, partition: int, before_offset: int) -> None:
        """Delete the records below an offset, as retention would."""
        where = TopicPartition(topic, partition, before_offset)
        self._admin().delete_records([where])[where].result(_ADMIN_TIMEOUT_S)

    def end_offsets(self, topic: str) -> dict[int, int]:
        """Return the high watermark of each partition, once all of them answer."""
        return self._ends_of(topic, None)

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """Return the group's positions in a topic, by partition.

        A partition without a position is absent.
        """
        return self._retry(lambda: self._fetch_positions(group, topic))

    def configure_group(self, group: str, settings: Mapping[str, str]) -> None:
        """Configure one group of the consumer protocol on the brokers."""
        entries = [
            ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
            for name, value in settings.items()
        ]
        resource = ConfigResource(ResourceType.GROUP, group, incremental_configs=entries)
        self._admin().incremental_alter_configs([resource])[resource].result(_ADMIN_TIMEOUT_S)

    def set_position(self, group: str, topic: str, positions: Mapping[int, int]) -> None:
        """Set a group's positions by hand, as an operator would; the group must have no member."""
        places = [
            TopicPartition(topic, partition, offset) for partition, offset in positions.items()
        ]
        answers = self._admin().alter_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(group, places)]
        )
        for each in answers[group].result(_ADMIN_TIMEOUT_S).topic_partitions:
            assert each.error is None, each.error

    def leaders(self, topic: str) -> dict[int, int]:
        """Return the leader of each partition; -1 if it has none."""
        partitions = (
            self._client("").list_topics(topic, timeout=_ADMIN_TIMEOUT_S).topics[topic].partitions
        )
        return {number: partition.leader for number, partition in partitions.items()}

    def in_sync(self, topic: str) -> dict[int, set[int]]:
        """Return the in-sync replicas of each partition, as broker numbers."""
        partitions = (
            self._client("").list_topics(topic, timeout=_ADMIN_TIMEOUT_S).topics[topic].partitions
        )
        return {number: set(partition.isrs) for number, partition in partitions.items()}

    def deny(self, kind: ResourceType, name: str) -> None:
        """Deny `USER` to read a topic or a group."""
        for answer in self._admin().create_acls([_denial(kind, name)]).values():
            answer.result(_ADMIN_TIMEOUT_S)

    def allow(self, kind: ResourceType, name: str) -> None:
        """Allow it again."""
        rule = AclBindingFilter(
            kind,
            name,
            ResourcePatternType.LITERAL,
            f"User:{USER}",
            "*",
            AclOperation.ANY,
            AclPermissionType.ANY,
        )
        for answer in self._admin().delete_acls([rule]).values():
            answer.result(_ADMIN_TIMEOUT_S)

    def forget_administrator(self) -> None:
        """Use a new admin client; the old one may wait forever for a coordinator that died."""
        if self._admin_client is not None:
            self._retired.append(self._admin_client)
            self._admin_client = None

    def _ends_of(self, topic: str, partitions: int | None) -> dict[int, int]:
        # A partition appears in the metadata before its leader serves it, also after a restart.
        # Requests in between are rejected.
        def all_ends() -> dict[int, int]:
            ends = self._fetch_ends(topic)
            if len(ends) == partitions or (partitions is None and ends):
                return ends
            message = f"topic {topic} answers with {len(ends)} partitions of {partitions or 'some'}"
            raise NoAnswerError(message)

        return self._retry(all_ends)

    def _retry(self, request: Callable[[], T]) -> T:
        """Repeat a request while brokers come and go.

        They reject requests at that time, or do not answer.
        """
        deadline_s = time.monotonic() + _ADMIN_TIMEOUT_S
        pause = threading.Event()
        while True:
            try:
                return request()
            except (KafkaException, NoAnswerError, TimeoutError):
                if time.monotonic() > deadline_s:
                    raise
            pause.wait(0.02)

    def _fetch_positions(self, group: str, topic: str) -> dict[int, int]:
        client = self._client(group)
        partitions = client.list_topics(topic, timeout=_ONE_ANSWER_S).topics[topic].partitions
        places = [TopicPartition(topic, partition) for partition in partitions]
        answers = client.committed(places, timeout=_ONE_ANSWER_S) if places else []
        for answer in answers:
            if answer.error is not None:
                raise KafkaException(answer.error)
        return {answer.partition: answer.offset for answer in answers if answer.offset >= 0}

    def _fetch_ends(self, topic: str) -> dict[int, int]:
        client = self._client("")
        partitions = client.list_topics(topic, timeout=_ONE_ANSWER_S).topics[topic].partitions
        return {
            partition: client.get_watermark_offsets(
                TopicPartition(topic, partition), timeout=_ONE_ANSWER_S, cached=False
            )[1]
            for partition in partitions
        }

    def _client(self, group: str) -> Consumer:
        # Requests while brokers die go through a consumer: the admin client may wait forever for a
        # coordinator that died, or end the whole process when another one takes over.
        if group not in self._clients:
            self._clients[group] = Consumer(
                {
                    "bootstrap.servers": self.bootstrap,
                    "group.id": group or "no-group",
                    "isolation.level": "read_uncommitted",
                    "reconnect.backoff.max.ms": 500,
                    "log_level": 0,
                }
            )
        return self._clients[group]

    def _admin(self) -> AdminClient:
        # No client is freed before the end: freeing one right after its answer races with its own
        # thread, which may still be delivering that answer (seen as a crash of the interpreter).
        if self._admin_client is None:
            self._admin_client = AdminClient(
                {
                    "bootstrap.servers": self.bootstrap,
                    "log_level": 0,
                    "reconnect.backoff.max.ms": 500,
                }
            )
        return self._admin_client
