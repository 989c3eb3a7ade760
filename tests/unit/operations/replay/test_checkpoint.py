"""Checkpoint of a replay: newest changes, progress, and the state after any end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumer.errors import Fatal, Refusal
from consumer.operations.replay.checkpoint import Checkpoint
from consumer.operations.replay.state import (
    CheckpointHeader,
    CheckpointRow,
    ReadStep,
    ReplayPartition,
    ReplayPhase,
    ReplayRequest,
    RowCounts,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ABOUT = CheckpointHeader(
    request=ReplayRequest(topics=("t",)), mapping_sha256="ab", phase=ReplayPhase.READING
)


def part(number: int = 0, *, end: int = 100, stop: int = 100) -> ReplayPartition:
    return ReplayPartition(
        number=number,
        topic="t",
        partition=number,
        begin=0,
        end=end,
        stop=stop,
        window=0,
        scanned=0,
        sent=0,
    )


def row(
    key: str, offset: int, *, number: int = 0, deleted: bool = False, at_ms: int = 0
) -> CheckpointRow:
    return {
        "object": "o",
        "key": key,
        "part": number,
        "offset": offset,
        "timestamp_ms": at_ms,
        "is_delete": deleted,
        "undated": True,
    }


@pytest.fixture
def checkpoint(tmp_path: Path) -> Iterator[Checkpoint]:
    with Checkpoint(tmp_path / "a.book") as made:
        made.begin(ABOUT, [part(), part(1)])
        yield made


def test_the_newest_change_of_a_row_is_selected(checkpoint: Checkpoint) -> None:
    """Older changes are not selected, in whichever read step they come."""
    checkpoint.add_step(ReadStep(inside=[row("a", 1), row("b", 2), row("a", 3)]), {0: 4})
    checkpoint.add_step(ReadStep(inside=[row("b", 7)]), {0: 8})
    assert ([3, 7], True, False) == (
        checkpoint.selected_offsets(0, 0, 100, 10),
        checkpoint.is_newest("o", "b", 0, 7),
        checkpoint.is_newest("o", "b", 0, 2),
    )


def test_across_partitions_the_timestamp_decides(checkpoint: Checkpoint) -> None:
    """Offsets of two partitions cannot be compared."""
    checkpoint.add_step(ReadStep(inside=[row("a", 50, at_ms=9)]), {})
    checkpoint.add_step(
        ReadStep(inside=[row("a", 3, number=1, at_ms=5), row("b", 4, number=1, at_ms=5)]), {}
    )
    checkpoint.add_step(ReadStep(inside=[row("b", 60, at_ms=5)]), {})
    assert ([50, 60], []) == (
        checkpoint.selected_offsets(0, 0, 100, 10),
        checkpoint.selected_offsets(1, 0, 100, 10),
    )


def test_a_later_change_counts_only_for_rows_of_the_range(checkpoint: Checkpoint) -> None:
    """Most records after the range belong to other rows."""
    checkpoint.add_step(
        ReadStep(inside=[row("a", 1)], beyond=[row("a", 120), row("stranger", 121)]), {}
    )
    assert [120] == checkpoint.selected_offsets(0, 0, 200, 10)


def test_a_dated_row_is_moved_only_where_the_range_deletes_it(checkpoint: Checkpoint) -> None:
    """The tenant compares versions, and a delete has none.

    The delete is remembered when the row is written again.
    """
    inside = [row("kept", 1), row("gone", 2, deleted=True), row("gone", 3)]
    beyond = [row("kept", 120) | {"undated": False}, row("gone", 121) | {"undated": False}]
    checkpoint.add_step(ReadStep(inside=inside, beyond=beyond), {})
    assert ([1, 121], RowCounts(2, 0, 1, 1, 1, 1)) == (
        checkpoint.selected_offsets(0, 0, 200, 10),
        checkpoint.row_counts("o"),
    )


def test_selected_offsets_come_in_pages(checkpoint: Checkpoint) -> None:
    """Rows, and offsets selected for another reason, in one order and each once."""
    checkpoint.add_step(
        ReadStep(inside=[row("a", 5), row("b", 9)], also=[(0, 7), (0, 9), (1, 1)]), {}
    )
    assert ([5, 7], [9], 4) == (
        checkpoint.selected_offsets(0, 0, 100, 2),
        checkpoint.selected_offsets(0, 8, 100, 2),
        checkpoint.selected_count(),
    )


def test_a_recheck_selects_only_rows_that_changed(checkpoint: Checkpoint) -> None:
    """A row without a new change is done.

    A change after the window is left to the group; the others are sent.
    """
    checkpoint.add_step(ReadStep(inside=[row("still", 1), row("changed", 2), row("hot", 3)]), {})
    checkpoint.enter(ReplayPhase.SENDING)
    checkpoint.begin_recheck({0: 150, 1: 100})
    checkpoint.add_step(
        ReadStep(beyond=[row("changed", 120), row("hot", 121), row("hot", 160)]), {0: 170}
    )
    assert (True, [120], 1, ReplayPhase.SENDING) == (
        checkpoint.finish_recheck(),
        checkpoint.selected_offsets(0, 0, 200, 10),
        checkpoint.selected_count(),
        checkpoint.phase,
    )
    assert (100, 150, 100, 1) == (
        checkpoint.parts[0].window,
        checkpoint.parts[0].stop,
        checkpoint.parts[0].sent,
        checkpoint.header.look_count if checkpoint.header else 0,
    )


def test_a_checkpoint_is_found_again(tmp_path: Path) -> None:
    """Whole steps are kept: rows, counters, positions."""
    with Checkpoint(tmp_path / "a.book") as checkpoint:
        checkpoint.begin(ABOUT, [part()])
        checkpoint.add_step(ReadStep(inside=[row("a", 1)], counts={"sent": 1}), {0: 2})
        checkpoint.add_step(ReadStep(counts={"sent": 2}), {0: 40})
        checkpoint.sent({0: 1})
    with Checkpoint(tmp_path / "a.book") as again:
        assert (ABOUT, 40, 1, {"sent": 3}, [1]) == (
            again.header,
            again.parts[0].scanned,
            again.parts[0].sent,
            again.counts(),
            again.selected_offsets(0, 0, 9, 9),
        )


@pytest.mark.parametrize("phase", [None, ReplayPhase.PLANNING])
def test_a_plan_leaves_no_file(tmp_path: Path, phase: ReplayPhase | None) -> None:
    """A plan leaves no file, nor does a finished replay."""
    with Checkpoint(tmp_path / "a.book") as checkpoint:
        checkpoint.begin(ABOUT, [part()])
        if phase is None:
            checkpoint.discard()
        else:
            checkpoint.enter(phase)
    assert [] == [*tmp_path.iterdir()]


def test_one_process_at_a_time(tmp_path: Path) -> None:
    """Two processes would discard the progress of each other."""
    with (
        Checkpoint(tmp_path / "a.book") as checkpoint,
        pytest.raises(Refusal, match="another process is running this replay"),
        Checkpoint(checkpoint.path),
    ):
        pass


def test_a_file_that_is_not_a_checkpoint_is_refused(tmp_path: Path) -> None:
    """A file that is not a checkpoint is named and not overwritten."""
    path = tmp_path / "notes.txt"
    path.write_text("not a database at all, only a few notes")
    with pytest.raises(Fatal, match=r"notes\.txt"), Checkpoint(path):
        pass
    assert path.read_text().startswith("not a database")


def test_a_stop_never_goes_back(checkpoint: Checkpoint) -> None:
    """The position may come from a broker that lags behind."""
    checkpoint.read_on({0: 130, 1: 100})
    checkpoint.read_on({0: 120, 1: 110})
    assert [130, 110] == [one.stop for one in checkpoint.parts]
