"""Positions of the owned partitions: the next ones to commit, and how long one has not moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consumer.offsets.watermark import lowest, position

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consumer.model import Assignment, Low


FIRST_COMMIT_S: Final = 3.0
"""How long the start of a partition without a position waits for a later position to commit."""


class Progress:
    """The partitions that this process owns, with their latest positions.

    A position never moves back within an epoch.
    """

    def __init__(self) -> None:
        self._positions: dict[Assignment, int] = {}
        self._moved_s: dict[Assignment, float] = {}
        self._marks: dict[Assignment, Low] = {}
        self._read_to: dict[tuple[str, int], int] = {}
        self._starts: dict[Assignment, tuple[int, float]] = {}  # start, when it may be committed

    @property
    def owned(self) -> list[Assignment]:
        """The partitions that this process owns."""
        return [*self._positions]

    def __contains__(self, assignment: object) -> bool:
        """Return whether this process still owns the assignment."""
        return assignment in self._positions

    def was_read_before(self, assignment: Assignment) -> bool:
        """Return whether a new assignment starts with records that this process has read before.

        That was in an earlier epoch: they were not settled when the partition was released, or they
        were and the commit did not reach the group.
        """
        return assignment.next_offset < self._read_to.get(
            (assignment.topic, assignment.partition), 0
        )

    def own(self, assignment: Assignment, now_s: float) -> None:
        """Start to track an assignment."""
        self._positions[assignment] = assignment.next_offset
        self._moved_s[assignment] = now_s
        if assignment.committed is None:
            self._starts[assignment] = (assignment.next_offset, now_s + FIRST_COMMIT_S)

    def disown(self, assignment: Assignment) -> None:
        """Stop tracking an assignment; none of its positions is committed any more."""
        # Kept beyond the assignment, for `was_read_before` of the next epoch.
        self._read_to[assignment.topic, assignment.partition] = assignment.next_offset
        self._positions.pop(assignment, None)
        self._moved_s.pop(assignment, None)
        self._marks.pop(assignment, None)
        self._starts.pop(assignment, None)

    def advance(self, held: Iterable[tuple[Assignment, Low]], now_s: float) -> None:
        """Update all positions from the low marks of everything that holds records."""
        marks = lowest(held)
        self._marks = marks
        for assignment, earlier in self._positions.items():
            now = position(assignment, marks)
            if now > earlier:
                self._positions[assignment] = now
            # An idle partition is not stuck, so its time of movement is renewed too.
            if now > earlier or not assignment.open_count:
                self._moved_s[assignment] = now_s

    def position(self, assignment: Assignment) -> int:
        """Return the position that may be committed."""
        return self._positions[assignment]

    def to_commit(self, now_s: float) -> list[tuple[Assignment, int]]:
        """Return the positions that the group does not have yet.

        They include start positions of partitions for which the group had none: once committed,
        they are the same after a restart. Such a start waits for `FIRST_COMMIT_S`, because a
        partition with records has a later position soon.
        """
        return [
            (one, offset)
            for one, offset in self._positions.items()
            if offset != one.committed and not self._is_fresh_start(one, offset, now_s)
        ]

    def _is_fresh_start(self, assignment: Assignment, offset: int, now_s: float) -> bool:
        start, due_s = self._starts.get(assignment, (-1, 0.0))
        return offset == start and now_s < due_s

    def oldest(self, assignment: Assignment) -> Low | None:
        """Return the lowest open record, `None` if no record is open."""
        return self._marks.get(assignment)

    def still_s(self, assignment: Assignment, now_s: float) -> float:
        """Return for how long the position has not moved while records were open."""
        return now_s - self._moved_s[assignment]
