"""The book of a replay: which changes are the newest, how far it is.

And what an end at any moment leaves of it.
"""

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


def test_the_newest_change_of_a_row_is_wanted(checkpoint: Checkpoint) -> None:
    """Older ones are not, wherever the step of the reading ends."""
    checkpoint.add_step(ReadStep(inside=[row("a", 1), row("b", 2), row("a", 3)]), {0: 4})
    checkpoint.add_step(ReadStep(inside=[row("b", 7)]), {0: 8})
    assert ([3, 7], True, False) == (
        checkpoint.selected_offsets(0, 0, 100, 10),
        checkpoint.is_newest("o", "b", 0, 7),
        checkpoint.is_newest("o", "b", 0, 2),
    )


def test_in_another_partition_the_time_decides(checkpoint: Checkpoint) -> None:
    """Offsets of two partitions say nothing of one another."""
    checkpoint.add_step(ReadStep(inside=[row("a", 50, at_ms=9)]), {})
    checkpoint.add_step(
        ReadStep(inside=[row("a", 3, number=1, at_ms=5), row("b", 4, number=1, at_ms=5)]), {}
    )
    checkpoint.add_step(ReadStep(inside=[row("b", 60, at_ms=5)]), {})
    assert ([50, 60], []) == (checkpoint.selected_offsets(0, 0, 100, 10), checkpoint.selected_offsets(1, 0, 100, 10))


def test_a_later_change_counts_for_rows_of_the_range_alone(checkpoint: Checkpoint) -> None:
    """What is read behind the range is of others mostly."""
    checkpoint.add_step(
        ReadStep(inside=[row("a", 1)], beyond=[row("a", 120), row("stranger", 121)]), {}
    )
    assert [120] == checkpoint.selected_offsets(0, 0, 200, 10)


def test_a_dated_row_is_moved_only_where_the_range_deletes_it(checkpoint: Checkpoint) -> None:
    """The tenant judges by version, and a delete has none.

    That it was one is remembered when it lives again.
    """
    inside = [row("kept", 1), row("gone", 2, deleted=True), row("gone", 3)]
    beyond = [row("kept", 120) | {"undated": False}, row("gone", 121) | {"undated": False}]
    checkpoint.add_step(ReadStep(inside=inside, beyond=beyond), {})
    assert ([1, 121], RowCounts(2, 0, 1, 1, 1, 1)) == (
        checkpoint.selected_offsets(0, 0, 200, 10),
        checkpoint.row_counts("o"),
    )


def test_pages_of_what_is_wanted(checkpoint: Checkpoint) -> None:
    """Rows, and records that are sent for another reason, in one order and each once."""
    checkpoint.add_step(ReadStep(inside=[row("a", 5), row("b", 9)], also=[(0, 7), (0, 9), (1, 1)]), {})
    assert ([5, 7], [9], 4) == (
        checkpoint.selected_offsets(0, 0, 100, 2),
        checkpoint.selected_offsets(0, 8, 100, 2),
        checkpoint.selected_count(),
    )


def test_a_second_look_forgets_what_is_done(checkpoint: Checkpoint) -> None:
    """What did not change is done.

    What changed behind the window is the group's; what is left is sent.
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


def test_it_is_found_again_as_it_was(tmp_path: Path) -> None:
    """An end at any moment leaves whole steps: rows, counts, positions."""
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
def test_what_was_only_planned_leaves_nothing(tmp_path: Path, phase: ReplayPhase | None) -> None:
    """Nor does what is over."""
    with Checkpoint(tmp_path / "a.book") as checkpoint:
        checkpoint.begin(ABOUT, [part()])
        if phase is None:
            checkpoint.discard()
        else:
            checkpoint.enter(phase)
    assert [] == [*tmp_path.iterdir()]


def test_one_process_at_a_time(tmp_path: Path) -> None:
    """Two would each forget what the other has done."""
    with (
        Checkpoint(tmp_path / "a.book") as checkpoint,
        pytest.raises(Refusal, match="another process is at this replay"),
        Checkpoint(checkpoint.path),
    ):
        pass


def test_what_is_no_book_is_told_by_name(tmp_path: Path) -> None:
    """Somebody else's file is not written over."""
    path = tmp_path / "notes.txt"
    path.write_text("not a database at all, only a few notes of somebody")
    with pytest.raises(Fatal, match=r"notes\.txt"), Checkpoint(path):
        pass
    assert path.read_text().startswith("not a database")


def test_a_stop_never_goes_back(checkpoint: Checkpoint) -> None:
    """The group's position may be asked of a broker that lags."""
    checkpoint.read_on({0: 130, 1: 100})
    checkpoint.read_on({0: 120, 1: 110})
    assert [130, 110] == [one.stop for one in checkpoint.parts]
