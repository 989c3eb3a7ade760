"""Positions: the low watermark, what to commit, and how long a position has not moved."""

from __future__ import annotations

import pytest

from consumer.model import Assignment, Low
from consumer.offsets.progress import FIRST_COMMIT_S, Progress
from consumer.offsets.watermark import lowest, position


def owned(next_offset: int = 10, committed: int | None = 10) -> tuple[Progress, Assignment]:
    progress = Progress()
    assignment = Assignment("t", 0, 1, next_offset, committed)
    progress.own(assignment, 0.0)
    return progress, assignment


@pytest.mark.holds("I2")
def test_the_lowest_offset_of_all_holders_counts() -> None:
    """The holder with the lowest offset determines the position."""
    assignment = Assignment("t", 0, 1, 100, 0)
    assignment.open_count = 3
    marks = lowest([(assignment, Low(40, 7)), (assignment, Low(30, 9)), (assignment, Low(50, 1))])
    assert 30 == position(assignment, marks)


def test_without_open_records_the_position_is_the_next_offset() -> None:
    """Also if a holder still reports a low mark, which is only a lower bound."""
    assignment = Assignment("t", 0, 1, 100, 0)
    assert 100 == position(assignment, {assignment: Low(40, 0)})


@pytest.mark.holds("I4")
def test_a_position_never_goes_back() -> None:
    """A lower mark that appears later does not undo a position that may be committed."""
    progress, assignment = owned()
    assignment.open_count, assignment.next_offset = 1, 50
    progress.advance([(assignment, Low(40, 0))], 1.0)
    progress.advance([(assignment, Low(20, 0))], 2.0)
    assert 40 == progress.position(assignment)


def test_a_committed_position_is_not_committed_again() -> None:
    """Only positions that differ from the confirmed ones are returned."""
    progress, assignment = owned()
    assert [] == progress.to_commit(2.0)
    assignment.next_offset = 12
    progress.advance([], 1.0)
    assert [(assignment, 12)] == progress.to_commit(2.0)


def test_a_start_without_a_position_is_committed() -> None:
    """I10: an idle partition starts at the same offset after a restart, whatever `start_at` is."""
    progress, assignment = owned(committed=None)
    assert [] == progress.to_commit(FIRST_COMMIT_S - 0.1)
    assert [(assignment, 10)] == progress.to_commit(FIRST_COMMIT_S)


def test_a_first_position_after_the_start_is_committed_at_once() -> None:
    """Then the start is never committed."""
    progress, assignment = owned(committed=None)
    assignment.next_offset = 12
    progress.advance([], 0.5)
    assert [(assignment, 12)] == progress.to_commit(0.5)


def test_a_later_epoch_is_another_assignment() -> None:
    """I3: no position of an earlier epoch is committed once it is over."""
    progress, assignment = owned()
    assignment.next_offset = 99
    progress.disown(assignment)
    later = Assignment("t", 0, 2, 20, 20)
    progress.own(later, 1.0)
    progress.advance([], 2.0)
    assert assignment not in progress
    assert [] == progress.to_commit(2.0)
    assert [later] == progress.owned


def test_the_still_time_counts_from_the_last_move() -> None:
    """It starts again whenever the position moves."""
    progress, assignment = owned()
    assignment.open_count, assignment.next_offset = 2, 12
    progress.advance([(assignment, Low(10, 0))], 5.0)
    assert 6.0 == progress.still_s(assignment, 6.0)
    progress.advance([(assignment, Low(11, 0))], 7.0)
    assert 1.0 == progress.still_s(assignment, 8.0)


def test_without_open_records_the_still_time_is_zero() -> None:
    """A record that comes after an idle hour is not an hour old."""
    progress, assignment = owned()
    progress.advance([], 3_600.0)
    assert 1.0 == progress.still_s(assignment, 3_601.0)


def test_records_of_an_earlier_epoch_are_read_again() -> None:
    """Settled or not: the group starts before them."""
    progress, assignment = owned()
    assignment.next_offset = 50
    progress.disown(assignment)
    assert progress.was_read_before(Assignment("t", 0, 2, 49, 49))
    assert not progress.was_read_before(Assignment("t", 0, 2, 50, 50))
    assert not progress.was_read_before(Assignment("t", 1, 2, 49, 49))


def test_only_the_last_epoch_counts_for_records_read_again() -> None:
    """What an earlier epoch read was forgotten when the last one began."""
    progress, assignment = owned()
    assignment.next_offset = 50
    progress.disown(assignment)
    later = Assignment("t", 0, 2, 20, 20)
    progress.own(later, 1.0)
    later.next_offset = 30
    progress.disown(later)
    assert not progress.was_read_before(Assignment("t", 0, 3, 40, 40))
