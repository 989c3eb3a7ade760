"""A Kafka client beside the group.

It asks and reads, joins nothing, commits nothing, moves nobody's position.
"""

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
"""How long the brokers may take for one answer."""

_OF_MEMBERS: Final = (
    "group.",
    "partition.assignment.strategy",
    "topic.blacklist",
    "session.timeout.ms",
)


def standalone_conf(
    settings: KafkaSettings, group_id: str, error_cb: Callable[[KafkaError], None]
) -> dict[str, Any]:
    """Return what such a client is made with.

    The client wants a group's name before it reads anything; with the group's own it can ask for
    its positions.
    """
    conf = client_conf(settings, {"error_cb": error_cb, "log_level": 0})
    kept: dict[str, Any] = {
        name: value for name, value in conf.items() if not name.startswith(_OF_MEMBERS)
    }
    return {**kept, "group.id": group_id, "fetch.wait.max.ms": 10}


class StandaloneClient(ABC):
    """Such a client, closed when its `with` block ends."""

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
        """Hear what the client complains of, also before anything was asked."""
