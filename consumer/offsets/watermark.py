"""Computes the position of each partition: its lowest open offset, else the next one to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consumer.model import Assignment, Low


def lowest(held: Iterable[tuple[Assignment, Low]]) -> dict[Assignment, Low]:
    """Reduce the low marks of all holders to the lowest one per assignment.

    Shape: an assignment may appear any number of times, or not at all if none of its records is
    open.
    """
    marks: dict[Assignment, Low] = {}
    for assignment, low in held:
        seen = marks.get(assignment)
        if seen is None or low < seen:
            marks[assignment] = low
    return marks


def position(assignment: Assignment, marks: dict[Assignment, Low]) -> int:
    """Return the position that may be committed: everything below it is settled.

    Low marks are lower bounds and may be outdated, but `open_count` is exact: if it is 0, the
    position is the next offset to read.
    """
    low = marks.get(assignment)
    return assignment.next_offset if low is None or not assignment.open_count else low.offset
