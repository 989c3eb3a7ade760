"""Chunks set aside until they can be processed.

They belong to topics whose records fail one after the other, or to partitions that wait for a
schema.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import TYPE_CHECKING, Generic, TypeVar

from consumer.model import Low
from consumer.source.port import Chunk

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from consumer.model import Assignment, Record


def topic_of(assignment: Assignment) -> str:
    """Group chunks by topic."""
    return assignment.topic


def partition_of(assignment: Assignment) -> Assignment:
    """Group chunks by assignment of one partition."""
    return assignment


Place = TypeVar("Place", bound=Hashable)


class Parking(Generic[Place]):
    """Keeps whole chunks, in order, by place; parked records are open and hold their positions.

    `place_of` returns the key: a topic, or an assignment.
    """

    def __init__(self, place_of: Callable[[Assignment], Place]) -> None:
        self._place_of = place_of
        self._chunks: dict[Place, deque[Chunk]] = {}

    def __contains__(self, place: object) -> bool:
        """Return whether chunks of this place are set aside."""
        return place in self._chunks

    def open(self, place: Place) -> None:
        """Set aside the chunks of this place from now on."""
        self._chunks.setdefault(place, deque())

    def park(self, chunk: Chunk) -> None:
        """Set aside a chunk of a place that is open here; an empty chunk is ignored."""
        if chunk.records:
            self._chunks[self._place_of(chunk.assignment)].append(chunk)

    def first(self, place: Place) -> Sequence[Record]:
        """Return the records of the first chunk of a place; empty if it has none."""
        chunks = self._chunks.get(place)
        return chunks[0].records if chunks else ()

    def take_one(self, place: Place) -> tuple[Assignment, Record] | None:
        """Remove and return the first record of a place, `None` if it has none."""
        chunks = self._chunks.get(place)
        if not chunks:
            return None
        first = chunks.popleft()
        if rest := first.records[1:]:
            chunks.appendleft(Chunk(first.assignment, rest))
        return first.assignment, first.records[0]

    def take_all(self, place: Place) -> list[Chunk]:
        """Remove and return all chunks of a place, which is not set aside any more."""
        return [*self._chunks.pop(place, ())]

    def count(self, assignment: Assignment) -> int:
        """Return the number of records of an assignment that are set aside."""
        return sum(
            len(chunk.records)
            for chunk in self._chunks.get(self._place_of(assignment), ())
            if chunk.assignment is assignment
        )

    def lows(self) -> Iterator[tuple[Assignment, Low]]:
        """Yield the low mark of every chunk that is set aside."""
        for chunks in self._chunks.values():
            for chunk in chunks:
                yield (
                    chunk.assignment,
                    Low(chunk.records[0].offset(), chunk.records[0].timestamp()[1]),
                )

    def drop(self, gone: Collection[Assignment]) -> None:
        """Forget chunks of assignments that are not owned any more; a topic stays set aside."""
        for place, chunks in [*self._chunks.items()]:
            self._chunks[place] = deque(chunk for chunk in chunks if chunk.assignment not in gone)
            if place in gone:
                del self._chunks[place]
