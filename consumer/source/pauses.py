"""Which partitions the client fetches.

The corridor's wishes, a stalled loop, and lost positions together.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaException, TopicPartition

if TYPE_CHECKING:
    from confluent_kafka import Consumer

    from consumer.source.ownership import OwnedPartition, Ownership

WAKE_TIMEOUT_S: Final = 0.1
FAR_FUTURE_MS: Final = 32_503_680_000_000
"""After every record, so that the leader answers without looking."""


class Pauses:
    """Tells the client only what changes. A pause throws away what the client has fetched ahead."""

    def __init__(self, ownership: Ownership) -> None:
        self.all = False
        self._ownership = ownership

    def apply(self, consumer: Consumer) -> None:
        """Bring the client in line."""
        pause: list[TopicPartition] = []
        resume: list[TopicPartition] = []
        for owned in self._ownership:
            wanted = self.all or owned.paused or owned.halted
            if wanted is not owned.client_paused:
                owned.client_paused = wanted
                (pause if wanted else resume).append(TopicPartition(*owned.key))
        if pause:
            consumer.pause(pause)
        if resume:
            consumer.resume(resume)
            _wake(consumer, resume)

    @staticmethod
    def forget(owned: OwnedPartition) -> None:
        """Note that the client was given the partition anew, and fetches it."""
        owned.client_paused = False


def _wake(consumer: Consumer, resumed: list[TopicPartition]) -> None:
    """Have the client fetch at once.

    Its thread for a broker that had nothing to fetch sleeps for a second.

    Any request to that broker wakes it. This one goes to the leader of each partition; its answer
    is of no use.
    Source: records came 850 ms after a resume, with this question after 6 ms, it included.
    """
    asked = [TopicPartition(each.topic, each.partition, FAR_FUTURE_MS) for each in resumed]
    with suppress(KafkaException):
        consumer.offsets_for_times(asked, timeout=WAKE_TIMEOUT_S)
