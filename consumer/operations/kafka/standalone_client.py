"""A Kafka client that reads without joining a consumer group and without committing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final, Self

from confluent_kafka import Consumer

from consumer.source.client_conf import client_conf

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from confluent_kafka import KafkaError

    from consumer.source.settings import KafkaSettings

ANSWER_S: Final = 10.0
"""Timeout of one request to the brokers."""

_FOR_MEMBERS: Final = (
    "group.",
    "partition.assignment.strategy",
    "topic.blacklist",
    "session.timeout.ms",
)


def standalone_conf(
    settings: KafkaSettings, group_id: str, error_cb: Callable[[KafkaError], None]
) -> dict[str, Any]:
    """Return the librdkafka properties of a client outside the group.

    librdkafka requires a `group.id` from every consumer. With the id of the daemon's group the
    client can also read the group's positions. Properties that only matter to members are removed.
    """
    conf = client_conf(settings, {"error_cb": error_cb, "log_level": 0})
    kept: dict[str, Any] = {
        name: value for name, value in conf.items() if not name.startswith(_FOR_MEMBERS)
    }
    return {**kept, "group.id": group_id, "fetch.wait.max.ms": 10}


class StandaloneClient(ABC):
    """A consumer outside the group, closed at the end of its `with` block."""

    def __init__(self, settings: KafkaSettings, group_id: str) -> None:
        self._consumer = Consumer(standalone_conf(settings, group_id, self._note))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._consumer.close()

    @abstractmethod
    def _note(self, error: KafkaError) -> None:
        """Take an error from the client's callback; it may come before the first request."""
