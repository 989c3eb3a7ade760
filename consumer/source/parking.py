"""Chunks set aside: of topics whose records fail one after the other, until a probe finds one that does not."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from consumer.model import Low
from consumer.source.port import Chunk

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from consumer.model import Assignment, Record


class Parking:
    """Keeps whole chunks, in order, by topic; what is parked is open and holds its positions."""

    def __init__(self) -> None:
        self._chunks: dict[str, deque[Chunk]] = {}

    def __contains__(self, topic: object) -> bool:
        """Tell whether chunks of this topic are set aside."""
        return topic in self._chunks

    def open(self, topic: str) -> None:
        """Set aside what comes of this topic from now on."""
        self._chunks.setdefault(topic, deque())

    def park(self, chunk: Chunk) -> None:
        """Set aside a chunk of a topic that is open here; an empty one is nothing."""
        if chunk.records:
            self._chunks[chunk.assignment.topic].append(chunk)

    def take_one(self, topic: str) -> tuple[Assignment, Record] | None:
        """Take out the first record of a topic, `None` when nothing is set aside any more."""
        chunks = self._chunks.get(topic)
        if not chunks:
            return None
        first = chunks.popleft()
        if rest := first.records[1:]:
            chunks.appendleft(Chunk(first.assignment, rest))
        return first.assignment, first.records[0]

    def take_all(self, topic: str) -> list[Chunk]:
        """Take out everything of a topic: it goes on."""
        return [*self._chunks.pop(topic, ())]

    def count(self, assignment: Assignment) -> int:
        """Return how many records of a partition are set aside."""
        return sum(
            len(chunk.records) for chunk in self._chunks.get(assignment.topic, ()) if chunk.assignment is assignment
        )

    def lows(self) -> Iterator[tuple[Assignment, Low]]:
        """Yield the first record of every chunk that is set aside."""
        for chunks in self._chunks.values():
            for chunk in chunks:
                yield chunk.assignment, Low(chunk.records[0].offset(), chunk.records[0].timestamp()[1])

    def drop(self, gone: Collection[Assignment]) -> None:
        """Forget what belongs to partitions that are not ours any more; the topic stays set aside."""
        for topic, chunks in self._chunks.items():
            self._chunks[topic] = deque(chunk for chunk in chunks if chunk.assignment not in gone)
