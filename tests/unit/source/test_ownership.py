"""The table of owned partitions."""

from __future__ import annotations

from consumer.source.ownership import Ownership, StartPosition, where_to_read


def test_each_start_is_a_new_assignment() -> None:
    """I3: an answer of an earlier epoch has no entry."""
    ownership = Ownership()
    [first] = ownership.take([StartPosition(("t", 0), 5, 5)])
    ownership.release([("t", 0)])
    [second] = ownership.take([StartPosition(("t", 0), 7, 7)])
    assert second.assignment.epoch > first.assignment.epoch
    assert ownership.of(first.assignment) is None
    assert second is ownership.of(second.assignment)


def test_a_started_partition_is_not_pending() -> None:
    """The others still wait for their start position."""
    ownership = Ownership()
    ownership.expect([("t", 0), ("t", 1)])
    ownership.take([StartPosition(("t", 1), 0, None)])
    assert [("t", 0)] == ownership.pending


def test_release_returns_the_partitions_that_were_read() -> None:
    """A pending partition is only forgotten: it was never reported as assigned."""
    ownership = Ownership()
    ownership.expect([("t", 0), ("t", 1)])
    [taken] = ownership.take([StartPosition(("t", 1), 0, None)])
    assert [taken] == ownership.release([("t", 0), ("t", 1), ("other", 3)])
    assert ([], 0) == (ownership.pending, len(ownership))


def test_reading_continues_after_the_last_record_taken() -> None:
    """An eager rebalance assigns everything to the client again."""
    ownership = Ownership()
    [owned] = ownership.take([StartPosition(("t", 1), 4, None)])
    owned.read_offset = 9
    where = where_to_read(owned)
    assert ("t", 1, 9) == (where.topic, where.partition, where.offset)
    assert 4 == owned.assignment.next_offset


def test_i10_a_recreated_topic_is_detected() -> None:
    """Only by its id; a topic whose id is not reported counts as the same."""
    ownership = Ownership()
    [one, other] = ownership.take(
        [
            StartPosition(("t", 0), 4, 4, None, "c:old"),
            StartPosition(("u", 0), 4, 4, None, "c:same"),
        ]
    )
    assert [] == ownership.recreated({"t": "c:old"})
    assert [one] == ownership.recreated({"t": "c:new", "u": "c:same"})
    assert "c:same" == other.topic_id


def test_a_position_of_another_cluster_is_kept_and_takes_the_id_of_this_one() -> None:
    """A mirroring tool has translated the position and copied its metadata."""
    ownership = Ownership()
    [owned] = ownership.take([StartPosition(("t", 0), 4, 4, None, "c:old")])
    assert [] == ownership.recreated({"t": "mirror:id"})
    assert "mirror:id" == owned.topic_id


def test_the_first_reported_id_is_the_topics() -> None:
    """If no id was reported when reading started."""
    ownership = Ownership()
    [owned] = ownership.take([StartPosition(("t", 0), 4, None)])
    assert [] == ownership.recreated({"t": "c:id"})
    assert "c:id" == ownership.to_commit(owned.assignment, 5).metadata
    assert [owned] == ownership.recreated({"t": "c:new"})
