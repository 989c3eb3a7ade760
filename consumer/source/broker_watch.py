"""Asks the brokers for topics, leaders and end offsets beside the records.

It also sees when an earlier error has ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog
from confluent_kafka import KafkaException, TopicPartition

from consumer.errors import HoldReason
from consumer.source.error_codes import HOLDS, class_of, detail_of
from consumer.source.patience import Patience
from consumer.source.subscribed_topics import leaders_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from confluent_kafka import Consumer, KafkaError
    from confluent_kafka.admin._metadata import TopicMetadata

    from consumer.model import Assignment, PartitionKey
    from consumer.source.active_errors import ActiveErrors
    from consumer.source.offset_requests import OffsetRequests, StartAt
    from consumer.source.ownership import OwnedPartition, Ownership
    from consumer.source.subscribed_topics import SubscribedTopics

DESCRIBE_EVERY_S: Final = 10.0
TIMEOUT_S: Final = 1.0
LONGEST_TIMEOUT_S: Final = 3.0
ASKED_END_S: Final = 10.0
"""How old the end offset of a paused partition may get. It is not fetched, so its end must be
requested."""

REFUSED_QUIET_S: Final = 12.0
"""How long no refusal may be reported before the error ends. One of several brokers may refuse
while another answers, and the client reconnects after 10 s at most (`reconnect.backoff.max.ms`):
with a shorter time the hold would flicker."""

BROKERS: Final = "brokers"
REFUSED: Final = "refused"
LEADER: Final = "leader"


class BrokerWatch:
    """Requests the state of topics once a second, cheaply.

    Only the consumer thread calls it; `ends` and `partition_count` may be read by others.
    """

    def __init__(
        self,
        topics: SubscribedTopics,
        ownership: Ownership,
        active_errors: ActiveErrors,
        offsets: OffsetRequests,
    ) -> None:
        self.ends: dict[Assignment, int] = {}
        self.partition_count = 0
        self._topics = topics
        self._patience = Patience(TIMEOUT_S, LONGEST_TIMEOUT_S)
        self._ownership = ownership
        self._active_errors = active_errors
        self._describe_at_s = 0.0
        self._missing: dict[str, float] = {}  # topic: missing since
        self._leaders: dict[PartitionKey, int] = {}
        self._offsets = offsets
        self._asked: Iterator[dict[PartitionKey, int]] = iter(())
        self._log = structlog.get_logger()

    def turn(self, consumer: Consumer, now_s: float) -> None:
        """Check the brokers; blocks for a few seconds if none answers."""
        # While an error applies to all partitions, each iteration checks whether it has ended.
        if now_s >= self._describe_at_s or self._active_errors.has_global():
            self._describe_at_s = now_s + DESCRIBE_EVERY_S
            try:
                described = self._topics.describe(consumer, self._patience.timeout_s)
            except KafkaException as error:
                self._patience.failed(error.args[0])
                self._on_no_answer(error.args[0], now_s)
                return
            self._answered(described, now_s)
        self._update_ends(consumer)
        self._ask_ends(now_s)

    def refresh_soon(self) -> None:
        """Describe the topics in the next iteration: the assignment has just changed."""
        self._describe_at_s = 0.0

    def reached_end(self, owned: OwnedPartition, offset: int) -> None:
        """Note the end offset that the client reached.

        While a transaction is open, it is below the leader's high watermark.
        """
        owned.end_offset = offset
        self.ends[owned.assignment] = offset

    def _on_no_answer(self, error: KafkaError, now_s: float) -> None:
        if REFUSED in self._active_errors.global_kinds():
            return
        reason = HOLDS.get(class_of(error), HoldReason.BROKER)
        self._active_errors.begin(reason, BROKERS, f"no broker answers: {detail_of(error)}", now_s)

    def _answered(self, described: dict[str, TopicMetadata], now_s: float) -> None:
        self._active_errors.end(BROKERS)
        # One answer ends the outage, but another broker may still reject this client.
        self._active_errors.end_when_quiet(REFUSED, now_s, REFUSED_QUIET_S)
        self.partition_count = sum(len(topic.partitions) for topic in described.values())
        self._leaders = leaders_of(described)
        for name, topic in described.items():
            self._check_topic(name, topic, now_s)

    def _check_topic(self, name: str, topic: TopicMetadata, now_s: float) -> None:
        kind = f"topic {name}"
        if topic.error is not None:
            reason = HOLDS.get(class_of(topic.error))
            if reason is not None:
                self._active_errors.begin(reason, kind, f"{kind}: {detail_of(topic.error)}", now_s)
            elif name not in self._missing:
                # A missing topic is logged once, and again after it existed.
                self._missing[name] = now_s
                self._log.warning("topic_missing", topic=name, detail=detail_of(topic.error))
            return
        self._active_errors.end(kind)
        missing_since_s = self._missing.pop(name, None)
        if missing_since_s is not None:
            self._log.info("topic_found", topic=name, lasted_s=round(now_s - missing_since_s, 1))
        for number, partition in topic.partitions.items():
            owned = self._ownership.at((name, number))
            if owned is None:
                continue
            if partition.leader < 0:
                detail = (
                    f"{name}[{number}] has no leader; reading resumes when one of its replicas is"
                    " back"
                )
                self._active_errors.begin(
                    HoldReason.BROKER, LEADER, detail, now_s, owned.assignment
                )
            else:
                self._active_errors.end(LEADER, owned.assignment)

    def _update_ends(self, consumer: Consumer) -> None:
        ends: dict[Assignment, int] = {}
        for owned in self._ownership:
            end = self.ends.get(owned.assignment)
            # A paused partition gets no fetches, so its cached end would be old.
            if not owned.client_paused and owned.end_offset != owned.read_offset:
                end = max(_cached_end(consumer, owned), owned.read_offset)
            if end is not None:
                ends[owned.assignment] = end
        self.ends = ends

    def _ask_ends(self, now_s: float) -> None:
        """Request the ends of paused partitions, without waiting for the leaders.

        What does not arrive is requested again in 10 s; the error itself is reported elsewhere.
        """
        stale = [
            owned
            for owned in self._ownership
            if owned.client_paused
            and now_s - owned.end_s >= ASKED_END_S
            and self._leaders.get(owned.key, -1) >= 0
        ]
        if stale:
            for owned in stale:
                owned.end_s = now_s
            wanted: dict[PartitionKey, StartAt] = {owned.key: "latest" for owned in stale}
            self._asked = self._offsets.answers(wanted, self._leaders, [])
        # The first step sends the requests; each gives the ends that have arrived.
        for key, end in next(self._asked, {}).items():
            found = self._ownership.at(key)
            if found is not None and found.client_paused:
                self.ends[found.assignment] = end


def _cached_end(consumer: Consumer, owned: OwnedPartition) -> int:
    """Return the end offset that came with the last fetch.

    It is the high watermark; negative before the first fetch.
    """
    try:
        _, end = consumer.get_watermark_offsets(TopicPartition(*owned.key), cached=True)
    except KafkaException:
        return -1
    return end
