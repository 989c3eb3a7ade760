"""The queue from the consumer thread to the loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import pytest

from consumer.model import Assignment, PlainRecord
from consumer.source.chunk_queue import SLOTS, ChunkQueue, LoopGoneError
from consumer.source.port import Chunk

if TYPE_CHECKING:
    from consumer.source.port import SourceEvents

ONE = Assignment("t", 1, 1, 0, None)
TWO = Assignment("t", 2, 2, 0, None)


class Events:
    """Records chunks and ends."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def chunk(self, chunk: Chunk) -> None:
        """A `SourceEvents` method."""
        self.seen.append(f"chunk {chunk.assignment}")

    def reached_end(self, assignment: Assignment, offset: int) -> None:
        """A `SourceEvents` method."""
        self.seen.append(f"end {assignment} {offset}")


def chunk_of(assignment: Assignment) -> Chunk:
    return Chunk(assignment, [PlainRecord(assignment.topic, assignment.partition)])


async def test_the_number_of_posted_chunks_is_limited() -> None:
    """When the loop has processed one, the thread may post one more."""
    events = Events()
    api = ChunkQueue(asyncio.get_running_loop(), cast("SourceEvents", events))
    for _ in range(SLOTS + 2):
        api.add_chunk(chunk_of(ONE))
    before = api.flush(0)
    await asyncio.sleep(0)
    seen = len(events.seen)
    after = api.flush(0)
    await asyncio.sleep(0)
    assert (False, SLOTS, True, SLOTS + 2) == (before, seen, after, len(events.seen))


async def test_an_end_comes_after_the_records_before_it() -> None:
    """Otherwise the position would pass them."""
    events = Events()
    api = ChunkQueue(asyncio.get_running_loop(), cast("SourceEvents", events))
    api.add_chunk(chunk_of(ONE))
    api.add_end(ONE, 7)
    api.flush(0)
    await asyncio.sleep(0)
    assert ["chunk t[1]#1", "end t[1]#1 7"] == events.seen


async def test_entries_of_a_released_assignment_are_dropped() -> None:
    """The next owner reads them again; the others stay."""
    events = Events()
    api = ChunkQueue(asyncio.get_running_loop(), cast("SourceEvents", events))
    api.add_chunk(chunk_of(ONE))
    api.add_chunk(chunk_of(TWO))
    api.add_end(ONE, 7)
    api.drop([ONE])
    api.flush(0)
    await asyncio.sleep(0)
    assert ["chunk t[2]#2"] == events.seen


async def test_nothing_is_posted_after_the_last() -> None:
    """`stopped` is the last event, even if the client reports more while it closes."""
    seen: list[str] = []
    api = ChunkQueue(asyncio.get_running_loop(), cast("SourceEvents", Events()))
    api.post_last(lambda: seen.append("stopped"))
    api.post(seen.append, "held")
    await asyncio.sleep(0)
    assert ["stopped"] == seen


def test_a_closed_loop_is_reported() -> None:
    """The thread ends instead of reading without a receiver."""
    loop = asyncio.new_event_loop()
    api = ChunkQueue(loop, cast("SourceEvents", Events()))
    loop.close()
    with pytest.raises(LoopGoneError):
        api.post(print)
