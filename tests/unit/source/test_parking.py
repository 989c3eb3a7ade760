"""Chunks set aside keep their order and their positions."""

from __future__ import annotations

from consumer.model import Assignment, Low, PlainRecord
from consumer.source.parking import Parking, topic_of
from consumer.source.port import Chunk

ONE, TWO = Assignment("t", 0, 1, 0, None), Assignment("t", 1, 2, 0, None)


def chunk(assignment: Assignment, *offsets: int) -> Chunk:
    return Chunk(assignment, [PlainRecord("t", assignment.partition, offset) for offset in offsets])


def parked(*chunks: Chunk) -> Parking[str]:
    parking = Parking(topic_of)
    parking.open("t")
    for one in chunks:
        parking.park(one)
    return parking


def test_one_record_is_taken_from_the_front() -> None:
    """A probe takes the oldest record; the others stay in order."""
    parking = parked(chunk(ONE, 1, 2), chunk(TWO, 7))
    taken = parking.take_one("t")
    assert taken is not None
    assert (ONE, 1) == (taken[0], taken[1].offset())
    assert [2, 7] == [record.offset() for one in parking.take_all("t") for record in one.records]
    assert "t" not in parking


def test_every_parked_chunk_holds_its_first_offset() -> None:
    """Parked records are open."""
    parking = parked(chunk(ONE, 1, 2), chunk(TWO, 7))
    assert [(ONE, Low(1, 0)), (TWO, Low(7, 0))] == [*parking.lows()]
    assert (2, 1) == (parking.count(ONE), parking.count(TWO))


def test_chunks_of_released_partitions_are_dropped_and_the_topic_stays_aside() -> None:
    """A later chunk of the topic still follows the earlier ones."""
    parking = parked(chunk(ONE, 1), chunk(TWO, 7))
    parking.drop({ONE})
    assert [(TWO, Low(7, 0))] == [*parking.lows()]
    parking.drop({TWO})
    assert "t" in parking
    assert parking.take_one("t") is None
