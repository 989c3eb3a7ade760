"""A backfill on disk: found again, claimed by one, gone when it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumer.bulk.sorted_runs import SortedRun
from consumer.errors import Fatal, Refusal
from consumer.operations.backfill.state import (
    Backfill,
    BackfillFolder,
    BackfillJob,
    BackfillPhase,
    BackfillRequest,
)
from consumer.operations.kafka.ranges import OffsetRange

if TYPE_CHECKING:
    from pathlib import Path

ASKED = BackfillRequest(topics=("t",), begin="7d")


def backfill() -> Backfill:
    made = Backfill.begun(
        ASKED, "0", (OffsetRange("t", 0, 10, 60), OffsetRange("t", 1, 5, 5)), ["o"]
    )
    made.read = [40, 5]
    made.objects["o"].sorted_runs = [SortedRun("1.rows"), SortedRun("2.rows", 1)]
    made.jobs = [BackfillJob(object="o", operation="upsert", files=["upsert-1.csv"], job_id="j")]
    made.phase = BackfillPhase.SENDING
    return made


def test_what_was_noted_is_found_again(tmp_path: Path) -> None:
    """All of it, by what was asked for; what is still to read begins where reading was."""
    with BackfillFolder(tmp_path, ASKED) as folder:
        folder.keep(backfill())
    with BackfillFolder(tmp_path, ASKED) as folder:
        found = folder.left()
    assert backfill() == found
    assert [(40, 60), (5, 5)] == [(one.begin, one.end) for one in found.unread]
    assert (30, 50) == (found.read_count, found.offset_count)


def test_another_wish_is_another_backfill(tmp_path: Path) -> None:
    """Each has a place of its own."""
    with BackfillFolder(tmp_path, ASKED) as folder:
        folder.keep(backfill())
        with BackfillFolder(tmp_path, BackfillRequest(topics=("t",))) as other:
            assert other.left() is None


def test_two_are_never_at_the_same(tmp_path: Path) -> None:
    """The second is refused while the first is at it, and has it afterwards."""
    with (
        BackfillFolder(tmp_path, ASKED),
        pytest.raises(Refusal, match="another process is at this backfill"),
    ):
        BackfillFolder(tmp_path, ASKED).__enter__()
    with BackfillFolder(tmp_path, ASKED):
        pass


def test_nothing_is_left_where_nothing_was_noted(tmp_path: Path) -> None:
    """A plan leaves no trace, and neither does one that is over."""
    with BackfillFolder(tmp_path, ASKED):
        pass
    assert [] == [*tmp_path.iterdir()]
    with BackfillFolder(tmp_path, ASKED) as folder:
        folder.keep(backfill())
        (folder.of_object("o")).mkdir()
        folder.clear()
    assert [] == [*tmp_path.iterdir()]


def test_a_place_that_cannot_be_had_is_named(tmp_path: Path) -> None:
    """With what to set."""
    (tmp_path / "file").write_text("")
    with pytest.raises(Fatal, match=r"cannot work in .*: .*; set delivery\.spool_dir"):
        BackfillFolder(tmp_path / "file", ASKED).__enter__()


def test_notes_that_cannot_be_read_are_none(tmp_path: Path) -> None:
    """It begins anew then: what is sent twice leaves the same rows."""
    with BackfillFolder(tmp_path, ASKED) as folder:
        (folder.path / "state.json").write_bytes(b'{"asked":')
        assert folder.left() is None
