"""Which incarnation of a topic we read: one that is deleted and made again has its name and another id."""

from __future__ import annotations

from concurrent.futures import CancelledError, wait
from typing import TYPE_CHECKING, Any, Final

import structlog
from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from consumer.source.client_conf import administrator_conf
from consumer.source.error_codes import detail_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from concurrent.futures import Future

    from consumer.source.settings import KafkaSettings

ASK_EVERY_S: Final = 5.0
"""How late a new incarnation may be noticed. Until then it may be read from its middle on."""

ANSWER_S: Final = 1.0
"""Of one question: brokers that do not know it (the embedded one) stay silent."""

NO_ID: Final = "AAAAAAAAAAAAAAAAAAAAAA"
"""What brokers before 2.8 say, whose topics have none."""

_KEPT: Final[list[AdminClient]] = []
"""Never freed: freeing this client right after its answer races with its own thread, and ends the process."""


class TopicIds:
    """Asks with a client of its own, for the consumer has no such question; only the consumer thread calls it.

    An id that was followed by another never comes back: brokers that lag behind still tell it for a moment.
    """

    def __init__(self, client: AdminClient) -> None:
        self._client = client
        self._open: dict[str, Future[Any]] = {}
        self._ask_at_s = 0.0
        self._last: dict[str, str] = {}
        self._former: set[str] = set()
        self._reborn: set[str] = set()
        self._silent = False
        self._log = structlog.get_logger()

    def ask(self, topics: Collection[str]) -> dict[str, str]:
        """Return the ids now; a topic whose id nobody tells is absent.

        Waits for a second at most, and not at all once brokers have left a question without an answer.
        """
        self._open = self._describe(topics)
        if not self._silent:
            wait(self._open.values(), timeout=ANSWER_S)
        return self._collect()

    def turn(self, topics: Collection[str], now_s: float) -> dict[str, str]:
        """Ask every few seconds, without waiting; returns the answer once it is there, else nothing."""
        if now_s >= self._ask_at_s and not self._open and topics:
            self._ask_at_s = now_s + ASK_EVERY_S
            self._open = self._describe(topics)
        return self._collect()

    def is_reborn(self, topic: str) -> bool:
        """Return whether an earlier incarnation of this topic was seen here."""
        return topic in self._reborn

    def was_told(self, topic: str) -> bool:
        """Return whether the brokers have told an id of this topic before."""
        return topic in self._last

    def _describe(self, topics: Collection[str]) -> dict[str, Future[Any]]:
        return self._client.describe_topics(TopicCollection(sorted(topics)), request_timeout=ANSWER_S)

    def _collect(self) -> dict[str, str]:
        if not all(answer.done() for answer in self._open.values()):
            return {}
        answers, self._open = self._open, {}
        ids: dict[str, str] = {}
        for topic, answer in answers.items():
            try:
                found = str(answer.result().topic_id)
            except KafkaException as error:
                self._no_answer(topic, error)
                continue
            except CancelledError:
                continue
            self._silent = False
            if found != NO_ID and self._is_current(topic, found):
                ids[topic] = found
        return ids

    def _is_current(self, topic: str, found: str) -> bool:
        if found in self._former:
            return False
        last = self._last.get(topic, found)
        self._last[topic] = found
        if last != found:
            self._former.add(last)
            self._reborn.add(topic)
        return True

    def _no_answer(self, topic: str, error: KafkaException) -> None:
        reason = error.args[0]
        if reason.code() in (reason.UNKNOWN_TOPIC_OR_PART, reason.UNKNOWN_TOPIC_ID) or self._silent:
            return
        self._silent = True
        self._log.warning("topic_id_unknown", topic=topic, detail=detail_of(reason))


def administrator(settings: KafkaSettings) -> AdminClient:
    """Make the client that asks; it connects as the consumer does, once it is asked something."""
    client = AdminClient(administrator_conf(settings))
    _KEPT.append(client)
    return client
