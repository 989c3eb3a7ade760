"""The book of what is ours."""

from __future__ import annotations

from consumer.source.ownership import Ownership, StartPosition, where_to_read


def test_each_taking_is_a_new_assignment() -> None:
    """I3: an answer of an earlier epoch finds nothing."""
    book = Ownership()
    [first] = book.take([StartPosition(("t", 0), 5, 5)])
    book.release([("t", 0)])
    [second] = book.take([StartPosition(("t", 0), 7, 7)])
    assert second.assignment.epoch > first.assignment.epoch
    assert book.of(first.assignment) is None
    assert second is book.of(second.assignment)


def test_what_is_taken_is_not_pending_any_more() -> None:
    """The rest still waits for its start position."""
    book = Ownership()
    book.expect([("t", 0), ("t", 1)])
    book.take([StartPosition(("t", 1), 0, None)])
    assert [("t", 0)] == book.pending


def test_letting_go_returns_what_was_read() -> None:
    """What was pending only is forgotten, and no assignment of it was ever told."""
    book = Ownership()
    book.expect([("t", 0), ("t", 1)])
    [taken] = book.take([StartPosition(("t", 1), 0, None)])
    assert [taken] == book.release([("t", 0), ("t", 1), ("other", 3)])
    assert ([], 0) == (book.pending, len(book))


def test_reading_goes_on_behind_the_last_record_taken() -> None:
    """An eager rebalance gives everything anew to the client."""
    book = Ownership()
    [owned] = book.take([StartPosition(("t", 1), 4, None)])
    owned.read_offset = 9
    where = where_to_read(owned)
    assert ("t", 1, 9) == (where.topic, where.partition, where.offset)
    assert 4 == owned.assignment.next_offset


def test_i10_a_topic_that_was_made_again_is_told_apart() -> None:
    """By its id alone; a topic that was not asked about, or told nothing, is the same."""
    book = Ownership()
    [one, other] = book.take(
        [
            StartPosition(("t", 0), 4, 4, None, "c:old"),
            StartPosition(("u", 0), 4, 4, None, "c:same"),
        ]
    )
    assert [] == book.recreated({"t": "c:old"})
    assert [one] == book.recreated({"t": "c:new", "u": "c:same"})
    assert "c:same" == other.topic_id


def test_a_position_of_another_cluster_goes_on_and_takes_the_id_of_this_one() -> None:
    """A mirror has translated it, and copied what was committed beside it."""
    book = Ownership()
    [owned] = book.take([StartPosition(("t", 0), 4, 4, None, "c:old")])
    assert [] == book.recreated({"t": "mirror:id"})
    assert "mirror:id" == owned.topic_id


def test_the_first_id_that_is_heard_is_the_topics() -> None:
    """Where nobody told it when reading began."""
    book = Ownership()
    [owned] = book.take([StartPosition(("t", 0), 4, None)])
    assert [] == book.recreated({"t": "c:id"})
    assert "c:id" == book.to_commit(owned.assignment, 5).metadata
    assert [owned] == book.recreated({"t": "c:new"})
