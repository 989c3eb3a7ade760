"""Rows in layers: whatever comes in which order, and wherever a process ends.

What is left is the fold of it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hypothesis import given
from hypothesis import strategies as st

from consumer.bulk.sorted_runs import KeptRow, SortedRuns, keep_newest, keep_since_delete

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.bulk.sorted_runs import Fold, SortedRun

Step = tuple[str, bool] | str
"""A row of a key, or its removal; or what happens to the process."""

LAY_DOWN: Final = "lay down and note"
CRASH: Final = "crash"
STEPS: Final = st.lists(
    st.tuples(st.sampled_from(["", "a", "b", "é", "z" * 40]), st.booleans())
    | st.sampled_from([LAY_DOWN, CRASH]),
    max_size=60,
)


def left_of(steps: Sequence[Step], fold: Fold) -> tuple[list[KeptRow], list[KeptRow]]:
    """Take the steps; return what the layers hold in the end.

    And every row that they were given and had noted.
    """
    with tempfile.TemporaryDirectory() as folder:
        noted: list[SortedRun] = []
        noted_rows: list[KeptRow] = []
        given_rows: list[KeptRow] = []
        sorted_runs = SortedRuns(Path(folder), fold, noted, merged_at=3)
        for at, step in enumerate([*steps, LAY_DOWN]):
            if step == LAY_DOWN:
                sorted_runs.flush()
                for _ in sorted_runs.compact():
                    pass
                noted, noted_rows = [*sorted_runs.listed], [*noted_rows, *given_rows]
                given_rows = []
                sorted_runs.sweep()
            elif step == CRASH:
                given_rows = []
                sorted_runs = SortedRuns(Path(folder), fold, noted, merged_at=3)
            else:
                row = KeptRow(step[0], 1, 1, b"" if step[1] else b"%d\n" % at)
                given_rows.append(KeptRow(row.key, 1, 1, row.line))
                sorted_runs.put(row)
        found = [row for piece in sorted_runs.pieces() for row in piece]
        assert {sorted_run.name for sorted_run in sorted_runs.listed} == {
            path.name for path in Path(folder).iterdir()
        }
        return found, noted_rows


@given(STEPS)
def test_the_newest_row_of_each_key_is_left(steps: list[Step]) -> None:
    """In the order of keys, standing for all rows of its key."""
    found, noted = left_of(steps, keep_newest)
    expected = {row.key: row.line for row in noted}
    assert sorted(expected.items()) == [(row.key, row.line) for row in found]
    assert [sum(one.key == row.key for one in noted) for row in found] == [
        row.record_count for row in found
    ]
    assert all(row.own_count == 1 for row in found)


@given(STEPS)
def test_rows_in_turn_are_left_from_the_last_removal_on(steps: list[Step]) -> None:
    """Every row after it, in the order in which they came; no record is lost from the count."""
    found, noted = left_of(steps, keep_since_delete)
    for key in {row.key for row in noted}:
        lines = [row.line for row in noted if row.key == key]
        last = max((at for at, line in enumerate(lines) if not line), default=0)
        assert lines[last:] == [row.line for row in found if row.key == key]
    assert len(noted) == sum(row.record_count for row in found)
