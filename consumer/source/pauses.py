"""Which partitions the client fetches: the corridor's wishes, a stalled loop, and lost positions together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import TopicPartition

if TYPE_CHECKING:
    from confluent_kafka import Consumer

    from consumer.source.ownership import Owned, Ownership


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

    @staticmethod
    def forget(owned: Owned) -> None:
        """Note that the client was given the partition anew, and fetches it."""
        owned.client_paused = False
