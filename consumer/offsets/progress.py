"""Positions over time: what to commit next, and since when a partition stands still."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.offsets.watermark import lowest, position

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consumer.model import Assignment, Low


class Progress:
    """The partitions owned at present, with their latest positions.

    A position never goes back within an epoch.
    """

    def __init__(self) -> None:
        self._positions: dict[Assignment, int] = {}
        self._moved_s: dict[Assignment, float] = {}
        self._marks: dict[Assignment, Low] = {}
        self._read_to: dict[tuple[str, int], int] = {}

    @property
    def owned(self) -> list[Assignment]:
        """The partitions that are ours."""
        return [*self._positions]

    def __contains__(self, assignment: object) -> bool:
        """Tell whether this assignment is ours still."""
        return assignment in self._positions

    def comes_again(self, assignment: Assignment) -> bool:
        """Tell whether this partition, not ours yet.

        Begins with records that were read here under its last epoch.

        They were not settled when it went, or they were and the group was never told.
        """
        return assignment.next_offset < self._read_to.get(
            (assignment.topic, assignment.partition), 0
        )

    def own(self, assignment: Assignment, now_s: float) -> None:
        """This partition is ours from now on."""
        self._positions[assignment] = assignment.next_offset
        self._moved_s[assignment] = now_s

    def disown(self, assignment: Assignment) -> None:
        """This partition is not ours any more: nothing of it is committed from now on."""
        self._read_to[assignment.topic, assignment.partition] = assignment.next_offset
        self._positions.pop(assignment, None)
        self._moved_s.pop(assignment, None)
        self._marks.pop(assignment, None)

    def advance(self, held: Iterable[tuple[Assignment, Low]], now_s: float) -> None:
        """Take in what everything that holds records says now."""
        marks = lowest(held)
        self._marks = marks
        for assignment, earlier in self._positions.items():
            now = position(assignment, marks)
            if now > earlier:
                self._positions[assignment] = now
            if now > earlier or not assignment.open_count:
                self._moved_s[assignment] = now_s

    def position(self, assignment: Assignment) -> int:
        """Return the position that may be committed."""
        return self._positions[assignment]

    def to_commit(self) -> list[tuple[Assignment, int]]:
        """Return what the group does not know yet.

        A start that the group had no position for is among it: kept, it is the same after a
        restart.
        """
        return [(one, offset) for one, offset in self._positions.items() if offset != one.committed]

    def oldest(self, assignment: Assignment) -> Low | None:
        """Return the lowest open record, `None` when nothing is open."""
        return self._marks.get(assignment)

    def still_s(self, assignment: Assignment, now_s: float) -> float:
        """Return for how long the position has not moved although something was open."""
        return now_s - self._moved_s[assignment]
