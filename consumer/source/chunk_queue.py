"""From the consumer thread to the event loop: few chunks at a time, everything in order."""

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
"""Chunks given to the loop and not placed yet. Two would keep it busy; the rest evens out its
longer turns."""


class LoopGoneError(Exception):
    """The event loop is closed: nobody is left to hear of anything."""


class ChunkQueue:
    """What the thread has for the loop. Chunks wait here until the loop has placed earlier ones."""

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
            raise LoopGoneError from error

    def post_last(self, event: Callable[..., None]) -> None:
        """Post an event and nothing after it."""
        self.post(event)
        self._is_over = True

    def add_chunk(self, chunk: Chunk) -> None:
        """Put records behind what waits already."""
        self._waiting.append(chunk)

    def add_end(self, assignment: Assignment, offset: int) -> None:
        """Say after the records before it that the end was reached."""
        self._waiting.append((assignment, offset))

    def drop(self, assignments: Iterable[Assignment]) -> None:
        """Forget what waits of these: their next owner reads it again."""
        gone = {id(assignment) for assignment in assignments}
        kept = [each for each in self._waiting if id(_assignment_of(each)) not in gone]
        self._waiting = deque(kept)

    def flush(self, wait_s: float) -> bool:
        """Give what waits to the loop, waiting so long for a free slot.

        Returns whether nothing waits any more.
        """
        while self._waiting:
            first = self._waiting[0]
            if isinstance(first, Chunk):
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
