"""Detects topics that were deleted and created again: same name, another id.

Shape: an id here is `<cluster id>:<topic id>`. A mirroring tool copies a group's positions into
another cluster, translated, together with the metadata committed with them. They are valid there,
so ids of different clusters are not compared.
"""

from __future__ import annotations

from concurrent.futures import CancelledError, wait
from typing import TYPE_CHECKING, Any, Final

import structlog
from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from consumer.source.client_conf import admin_conf
from consumer.source.error_codes import detail_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from concurrent.futures import Future

    from consumer.source.settings import KafkaSettings

ASK_EVERY_S: Final = 5.0
"""How late a recreated topic may be noticed. Until then it may be read from the old position."""

ANSWER_S: Final = 1.0
"""Timeout of one request; brokers that do not know it (the embedded one) do not answer."""

NO_ID: Final = "AAAAAAAAAAAAAAAAAAAAAA"
"""The topic id that brokers before 2.8 report: they have no topic ids."""

UNPROTECTED: Final = (
    "the brokers do not report topic ids: if a topic is deleted and recreated at once, reading"
    " continues at the old position"
)

_KEPT: Final[list[AdminClient]] = []
"""Clients that are never freed: freeing one right after its answer races with its own thread,
and ends the process."""


def is_recreated(then: str, now: str) -> bool:
    """Return whether two ids of one name are of different topics in one cluster."""
    return then != now and then.partition(":")[0] == now.partition(":")[0]


class TopicIds:
    """Requests topic ids with an admin client, because the consumer has no such request.

    Only the consumer thread calls it. An id that was replaced by another one is never accepted
    again: brokers with old metadata still report it for a moment.
    """

    def __init__(self, client: AdminClient, *, available: bool = True) -> None:
        """Without `available` the brokers are never asked, and no id is known."""
        self._client = client
        self._available = available
        self._open: dict[str, Future[Any]] = {}
        self._cluster: Future[Any] | None = None
        self._ask_at_s = 0.0
        self._last: dict[str, str] = {}
        self._former: set[str] = set()
        self._recreated: set[str] = set()
        self._silent = False
        self._warned = False
        self._log = structlog.get_logger()

    def ask(self, topics: Collection[str]) -> dict[str, str]:
        """Return the current ids; a topic whose id is not reported is absent.

        Waits at most a second, and not at all once brokers have left a request unanswered.
        """
        if not self._available:
            return {}
        self._open = self._describe(topics)
        if not self._silent:
            wait(self._awaited(), timeout=ANSWER_S)
        return self._collect()

    def turn(self, topics: Collection[str], now_s: float) -> dict[str, str]:
        """Request the ids every few seconds, without waiting.

        Returns: the ids once they have arrived, else nothing.
        """
        # The client queues an error for each connection that fails, until it is polled.
        self._client.poll(0)
        if self._available and now_s >= self._ask_at_s and not self._open and topics:
            self._ask_at_s = now_s + ASK_EVERY_S
            self._open = self._describe(topics)
        return self._collect()

    def was_recreated(self, topic: str) -> bool:
        """Return whether an earlier topic of this name was seen here."""
        return topic in self._recreated

    def is_known(self, topic: str) -> bool:
        """Return whether the brokers have reported an id of this topic before."""
        return topic in self._last

    def _describe(self, topics: Collection[str]) -> dict[str, Future[Any]]:
        if self._cluster is None:
            # Requested once: if the brokers' address later leads to another cluster, its topics
            # count as recreated, and are read.
            self._cluster = self._client.describe_cluster(request_timeout=ANSWER_S)
        return self._client.describe_topics(
            TopicCollection(sorted(topics)), request_timeout=ANSWER_S
        )

    def _awaited(self) -> list[Future[Any]]:
        return [*self._open.values(), *([] if self._cluster is None else [self._cluster])]

    def _collect(self) -> dict[str, str]:
        if not self._open or not all(answer.done() for answer in self._awaited()):
            return {}
        # All answers are there: the next request may be sent.
        answers, self._open = self._open, {}
        cluster = self._answer("the cluster", self._cluster)
        if cluster is None:
            self._cluster = None
            return {}
        ids: dict[str, str] = {}
        for topic, answer in answers.items():
            described = self._answer(topic, answer)
            if described is None:
                continue
            if str(described.topic_id) == NO_ID:
                self._warn(topic, "brokers before 2.8 have no topic ids")
                continue
            found = f"{cluster.cluster_id}:{described.topic_id}"
            if self._is_current(topic, found):
                ids[topic] = found
        return ids

    def _answer(self, what: str, answer: Future[Any] | None) -> Any:  # noqa: ANN401 - the client's own descriptions
        try:
            described = None if answer is None else answer.result()
        except CancelledError:
            return None
        except KafkaException as error:
            self._on_no_answer(what, error)
            return None
        self._silent = False
        return described

    def _is_current(self, topic: str, found: str) -> bool:
        # A broker with old metadata reports a replaced id.
        if found in self._former:
            return False
        last = self._last.get(topic, found)
        self._last[topic] = found
        if last != found:
            self._former.add(last)
            self._recreated.add(topic)
        return True

    def _on_no_answer(self, what: str, error: KafkaException) -> None:
        reason = error.args[0]
        if reason.code() not in (reason.UNKNOWN_TOPIC_OR_PART, reason.UNKNOWN_TOPIC_ID):
            # Unknown topics are a normal answer; any other error means that waiting is useless.
            self._silent = True
            self._warn(what, detail_of(reason))

    def _warn(self, what: str, why: str) -> None:
        """Log once that no id is reported.

        If ids were reported before, the brokers are unreachable, which is reported elsewhere.
        """
        if not self._last and not self._warned:
            self._warned = True
            self._log.warning("topic_id_unknown", what=what, detail=f"{UNPROTECTED} ({why})")


def administrator(settings: KafkaSettings) -> AdminClient:
    """Create the admin client; it connects like the consumer, with its first request."""
    client = AdminClient(admin_conf(settings))
    _KEPT.append(client)
    return client
