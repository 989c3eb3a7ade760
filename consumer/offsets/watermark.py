"""Where each partition stands: the lowest offset still open, else the next to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consumer.model import Assignment, Low


def lowest(held: Iterable[tuple[Assignment, Low]]) -> dict[Assignment, Low]:
    """Fold what every holder says into one low mark per assignment.

    Shape: an assignment may come any number of times, or never when nothing of it is open.
    """
    marks: dict[Assignment, Low] = {}
    for assignment, low in held:
        seen = marks.get(assignment)
        if seen is None or low < seen:
            marks[assignment] = low
    return marks


def position(assignment: Assignment, marks: dict[Assignment, Low]) -> int:
    """Return the position that may be committed: all below it is settled, and holes need no code.

    Low marks are only lower bounds; that nothing at all is open is known exactly.
    """
    low = marks.get(assignment)
    return assignment.next_offset if low is None or not assignment.open_count else low.offset
