"""The source on Kafka: starts the consumer thread and passes the engine's commands to it."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from consumer.clock import SystemClock
from consumer.source.chunk_queue import ChunkQueue
from consumer.source.consumer_thread import ConsumerThread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.clock import Clock
    from consumer.model import Assignment
    from consumer.source.port import Position, SourceEvents
    from consumer.source.settings import KafkaSettings


class KafkaSource:
    """A `Source` that reads from Kafka.

    It is created and started on the event loop. Every call after `start`, and every event, is on
    it.
    """

    def __init__(self, settings: KafkaSettings, clock: Clock | None = None) -> None:
        self._settings = settings
        self._clock = clock or SystemClock()
        self._started_s = self._clock.now_s()
        self._consumer: ConsumerThread | None = None
        self._events: SourceEvents | None = None
        self._is_stopping = False
        self._is_broken = False

    def start(self, events: SourceEvents) -> None:
        """Subscribe and poll on the consumer thread; call events on the running loop.

        Raises: `ConfigFaults` if the client rejects its properties.
        """
        self._events = events
        chunk_queue = ChunkQueue(asyncio.get_running_loop(), events)
        self._consumer = ConsumerThread(self._settings, self._clock, chunk_queue, self._on_crash)
        # A daemon thread: should the client hang while closing, the process can still end.
        threading.Thread(target=self._consumer.run, name="kafka-consumer", daemon=True).start()

    def pause(self, assignments: Sequence[Assignment]) -> None:
        """Stop delivering chunks of these; polling continues."""
        if self._consumer is not None:
            self._consumer.do(self._consumer.pause, tuple(assignments))

    def resume(self, assignments: Sequence[Assignment]) -> None:
        """Deliver chunks of these again."""
        if self._consumer is not None:
            self._consumer.do(self._consumer.resume, tuple(assignments))

    def commit(self, positions: Sequence[Position]) -> None:
        """Send a commit without waiting; positions of partitions not owned any more are dropped."""
        if self._consumer is not None:
            self._consumer.do(self._consumer.commit, tuple(positions))

    def stop(self) -> None:
        """Revoke everything, commit, leave the group; `stopped` is the last event."""
        self._is_stopping = True
        if self._consumer is not None:
            self._consumer.do(self._consumer.leave)
        if self._is_broken and self._events is not None:
            asyncio.get_running_loop().call_soon(self._events.stopped)

    def end_offsets(self) -> dict[Assignment, int]:
        """Return the last known end of each owned partition."""
        return {} if self._consumer is None else dict(self._consumer.watch.ends)

    def subscribed_partitions(self) -> int:
        """Return the number of partitions of all subscribed topics; 0 if unknown."""
        return 0 if self._consumer is None else self._consumer.watch.partition_count

    def is_current(self) -> bool:
        """Return whether the consumer thread has shown lately that this member owns partitions."""
        return self._consumer is None or self._consumer.lease.is_current()

    def progress_s(self) -> float:
        """Return the monotonic time of the last call of `consume`."""
        return self._started_s if self._consumer is None else self._consumer.progress_s

    def _on_crash(self) -> None:
        """Report, on the loop, that the thread ended without leaving the group.

        It sends no more events.
        """
        self._is_broken = True
        if self._events is not None:
            self._events.failed(
                "the Kafka consumer thread ended with an internal error;"
                " its traceback is on standard error"
            )
            if self._is_stopping:
                self._events.stopped()
