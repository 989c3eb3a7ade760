"""Checkpoint of a backfill on disk: resumed, locked, and deleted at the end."""

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


def test_a_checkpoint_is_found_again(tmp_path: Path) -> None:
    """The whole state, found by its request; reading resumes where it stopped."""
    with BackfillFolder(tmp_path, ASKED) as folder:
        folder.keep(backfill())
    with BackfillFolder(tmp_path, ASKED) as folder:
        found = folder.left()
    assert backfill() == found
    assert [(40, 60), (5, 5)] == [(one.begin, one.end) for one in found.unread]
    assert (30, 50) == (found.read_count, found.offset_count)


def test_another_request_is_another_backfill(tmp_path: Path) -> None:
    """Each request has its own folder."""
    with BackfillFolder(tmp_path, ASKED) as folder:
        folder.keep(backfill())
        with BackfillFolder(tmp_path, BackfillRequest(topics=("t",))) as other:
            assert other.left() is None


def test_two_processes_never_share_a_backfill(tmp_path: Path) -> None:
    """The second process is refused while the first has the folder."""
    with (
        BackfillFolder(tmp_path, ASKED),
        pytest.raises(Refusal, match="another process is running this backfill"),
    ):
        BackfillFolder(tmp_path, ASKED).__enter__()
    with BackfillFolder(tmp_path, ASKED):
        pass


def test_a_plan_and_a_finished_backfill_leave_no_files(tmp_path: Path) -> None:
    """A plan leaves nothing on disk, nor does a finished backfill."""
    with BackfillFolder(tmp_path, ASKED):
        pass
    assert [] == [*tmp_path.iterdir()]
    with BackfillFolder(tmp_path, ASKED) as folder:
        folder.keep(backfill())
        (folder.of_object("o")).mkdir()
        folder.clear()
    assert [] == [*tmp_path.iterdir()]


def test_a_folder_that_cannot_be_created_is_named(tmp_path: Path) -> None:
    """The message names the folder and the key to set."""
    (tmp_path / "file").write_text("")
    with pytest.raises(Fatal, match=r"cannot work in .*: .*; set delivery\.spool_dir"):
        BackfillFolder(tmp_path / "file", ASKED).__enter__()


def test_an_unreadable_checkpoint_is_ignored(tmp_path: Path) -> None:
    """The backfill starts over: rows that are sent twice stay the same."""
    with BackfillFolder(tmp_path, ASKED) as folder:
        (folder.path / "state.json").write_bytes(b'{"asked":')
        assert folder.left() is None
