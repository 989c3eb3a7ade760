"""The queue from the consumer thread to the event loop: a few chunks at a time, in order."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from consumer.source.port import Chunk, SourceEvents

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable

    from consumer.model import Assignment

SLOTS: Final = 4
"""Chunks that were posted to the loop and not processed yet. Two would keep it busy; the others
even out its longer steps."""


class LoopGoneError(Exception):
    """The event loop is closed, so no event can be delivered."""


class ChunkQueue:
    """Events and chunks for the loop; chunks wait here until earlier ones are processed."""

    def __init__(self, loop: asyncio.AbstractEventLoop, events: SourceEvents) -> None:
        self.events = events
        self._loop = loop
        self._slots = threading.Semaphore(SLOTS)
        self._waiting: deque[Chunk | tuple[Assignment, int]] = deque()
        self._is_over = False

    def post(self, event: Callable[..., None], *arguments: Any) -> None:  # noqa: ANN401 - those of the event
        """Have the loop call an event after everything that was posted before it."""
        if self._is_over:
            return
        try:
            self._loop.call_soon_threadsafe(event, *arguments)
        except RuntimeError as error:
            # `call_soon_threadsafe` raises `RuntimeError` only when the loop is closed.
            raise LoopGoneError from error

    def post_last(self, event: Callable[..., None]) -> None:
        """Post an event and nothing after it."""
        self.post(event)
        self._is_over = True

    def add_chunk(self, chunk: Chunk) -> None:
        """Add a chunk at the end of the queue."""
        self._waiting.append(chunk)

    def add_end(self, assignment: Assignment, offset: int) -> None:
        """Add the end of a partition after the chunks before it."""
        self._waiting.append((assignment, offset))

    def drop(self, assignments: Iterable[Assignment]) -> None:
        """Remove the entries of these assignments: their next owner reads the records again."""
        gone = {id(assignment) for assignment in assignments}
        kept = [each for each in self._waiting if id(_assignment_of(each)) not in gone]
        self._waiting = deque(kept)

    def flush(self, wait_s: float) -> bool:
        """Post the queue to the loop, waiting at most this long for each free slot.

        Returns: whether the queue is empty.
        """
        while self._waiting:
            first = self._waiting[0]
            if isinstance(first, Chunk):
                # Only chunks take a slot; `_place` frees it when the loop has processed the chunk.
                if not self._slots.acquire(timeout=wait_s):
                    return False
                self.post(self._place, first)
            else:
                self.post(self.events.reached_end, *first)
            self._waiting.popleft()
        return True

    def _place(self, chunk: Chunk) -> None:
        """Run on the loop."""
        try:
            self.events.chunk(chunk)
        finally:
            self._slots.release()


def _assignment_of(waiting: Chunk | tuple[Assignment, int]) -> Assignment:
    return waiting.assignment if isinstance(waiting, Chunk) else waiting[0]
