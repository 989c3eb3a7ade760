"""Sorted runs hold the fold of all recorded rows, in any order and after a crash at any step."""

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
"""A row of a key, or its removal; or a flush or a crash of the process."""

FLUSH: Final = "flush and record"
CRASH: Final = "crash"
STEPS: Final = st.lists(
    st.tuples(st.sampled_from(["", "a", "b", "é", "z" * 40]), st.booleans())
    | st.sampled_from([FLUSH, CRASH]),
    max_size=60,
)


def rows_after(steps: Sequence[Step], fold: Fold) -> tuple[list[KeptRow], list[KeptRow]]:
    """Run the steps; return the rows of the sorted runs, and all rows that were recorded."""
    with tempfile.TemporaryDirectory() as folder:
        noted: list[SortedRun] = []
        recorded_rows: list[KeptRow] = []
        given_rows: list[KeptRow] = []
        sorted_runs = SortedRuns(Path(folder), fold, noted, merged_at=3)
        for at, step in enumerate([*steps, FLUSH]):
            if step == FLUSH:
                sorted_runs.flush()
                for _ in sorted_runs.compact():
                    pass
                noted, recorded_rows = [*sorted_runs.listed], [*recorded_rows, *given_rows]
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
        return found, recorded_rows


@given(STEPS)
def test_the_newest_row_of_each_key_remains(steps: list[Step]) -> None:
    """Rows are in the order of keys; each one counts all rows of its key."""
    found, recorded = rows_after(steps, keep_newest)
    expected = {row.key: row.line for row in recorded}
    assert sorted(expected.items()) == [(row.key, row.line) for row in found]
    assert [sum(one.key == row.key for one in recorded) for row in found] == [
        row.record_count for row in found
    ]
    assert all(row.own_count == 1 for row in found)


@given(STEPS)
def test_rows_in_order_remain_from_the_last_removal_on(steps: list[Step]) -> None:
    """Every row after the removal remains, in order of arrival; the count includes every record."""
    found, recorded = rows_after(steps, keep_since_delete)
    for key in {row.key for row in recorded}:
        lines = [row.line for row in recorded if row.key == key]
        last = max((at for at, line in enumerate(lines) if not line), default=0)
        assert lines[last:] == [row.line for row in found if row.key == key]
    assert len(recorded) == sum(row.record_count for row in found)
