"""From the thread to the loop."""

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


class Ear:
    """Hears chunks and ends."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def chunk(self, chunk: Chunk) -> None:
        """A `SourceEvents` method."""
        self.heard.append(f"chunk {chunk.assignment}")

    def reached_end(self, assignment: Assignment, offset: int) -> None:
        """A `SourceEvents` method."""
        self.heard.append(f"end {assignment} {offset}")


def chunk_of(assignment: Assignment) -> Chunk:
    return Chunk(assignment, [PlainRecord(assignment.topic, assignment.partition)])


async def test_only_so_many_chunks_are_under_way() -> None:
    """The loop takes one, the thread may bring one."""
    ear = Ear()
    api = ChunkQueue(asyncio.get_running_loop(), cast("SourceEvents", ear))
    for _ in range(SLOTS + 2):
        api.add_chunk(chunk_of(ONE))
    before = api.flush(0)
    await asyncio.sleep(0)
    heard = len(ear.heard)
    after = api.flush(0)
    await asyncio.sleep(0)
    assert (False, SLOTS, True, SLOTS + 2) == (before, heard, after, len(ear.heard))


async def test_an_end_comes_after_the_records_before_it() -> None:
    """Else the position would pass over them."""
    ear = Ear()
    api = ChunkQueue(asyncio.get_running_loop(), cast("SourceEvents", ear))
    api.add_chunk(chunk_of(ONE))
    api.add_end(ONE, 7)
    api.flush(0)
    await asyncio.sleep(0)
    assert ["chunk t[1]#1", "end t[1]#1 7"] == ear.heard


async def test_what_goes_is_dropped_and_the_rest_is_not() -> None:
    """The next owner reads it again."""
    ear = Ear()
    api = ChunkQueue(asyncio.get_running_loop(), cast("SourceEvents", ear))
    api.add_chunk(chunk_of(ONE))
    api.add_chunk(chunk_of(TWO))
    api.add_end(ONE, 7)
    api.drop([ONE])
    api.flush(0)
    await asyncio.sleep(0)
    assert ["chunk t[2]#2"] == ear.heard


async def test_nothing_is_posted_after_the_last() -> None:
    """`stopped` is the last event, whatever the client still says while it closes."""
    heard: list[str] = []
    api = ChunkQueue(asyncio.get_running_loop(), cast("SourceEvents", Ear()))
    api.post_last(lambda: heard.append("stopped"))
    api.post(heard.append, "held")
    await asyncio.sleep(0)
    assert ["stopped"] == heard


def test_a_closed_loop_is_said() -> None:
    """The thread ends instead of reading for nobody."""
    loop = asyncio.new_event_loop()
    api = ChunkQueue(loop, cast("SourceEvents", Ear()))
    loop.close()
    with pytest.raises(LoopGoneError):
        api.post(print)
