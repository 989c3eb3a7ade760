"""A disk that does not take writes: everything waits, and nothing is lost."""

from __future__ import annotations

import errno
import sqlite3
from typing import TYPE_CHECKING

import pytest

from consumer.bulk.crm_spool import CrmSpool
from consumer.bulk.disk import disk_error, until_written
from consumer.bulk.files import write_files
from consumer.bulk.insert_journal import InsertJournal
from consumer.bulk.job_journal import JobJournal, JournalEntry
from consumer.bulk.spool import Spool
from consumer.errors import Fatal, Hold, HoldReason
from consumer.model import Assignment, Operation
from tests.full_disk import full_disk
from tests.unit.bulk.test_crm_spool import row
from tests.unit.bulk.test_row_buffer import delete, lines, row_buffer, upsert
from tests.unit.source.stepped_clock import SteppedClock

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.delivery.verdicts import HoldLane

HEADER = b"id,n\n"


class Watch:
    """Keeps the holds of a job."""

    def __init__(self) -> None:
        self.holds: list[HoldLane] = []
        self.is_held = False

    def held(self, hold: HoldLane) -> None:
        """Note a hold."""
        self.holds.append(hold)
        self.is_held = True

    def released(self) -> None:
        """Note its end."""
        self.is_held = False


def sql_error(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("some text")
    error.sqlite_errorcode = code
    return error


def files_in(folder: Path) -> int:
    return len([*folder.glob("*.csv")])


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "no space left on the disk of"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "no space left on the disk of"),
        (OSError(errno.EROFS, "Read-only file system"), "does not take writes"),
        (OSError(errno.EIO, "Input/output error"), "does not take writes"),
        (sql_error(sqlite3.SQLITE_FULL), "no space left on the disk of"),
        (sql_error(sqlite3.SQLITE_IOERR_WRITE), "does not take writes"),
        (sql_error(sqlite3.SQLITE_READONLY), "does not take writes"),
    ],
)
def test_a_disk_that_takes_no_writes_is_a_hold(
    tmp_path: Path, error: OSError | sqlite3.Error, words: str
) -> None:
    """With the folder, and what to do."""
    found = disk_error(error, tmp_path / "1.rows")
    assert isinstance(found, Hold)
    assert HoldReason.SPOOL is found.reason
    assert all(each in found.detail for each in (words, str(tmp_path), "set delivery.spool_dir"))


@pytest.mark.parametrize("code", [sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB])
def test_a_damaged_file_ends_the_process(tmp_path: Path, code: int) -> None:
    """Its rows can only be read from Kafka again, after a restart."""
    assert isinstance(disk_error(sql_error(code), tmp_path / "1.rows"), Fatal)


@pytest.mark.parametrize("in_turn", [False, True], ids=["newest", "in-turn"])
def test_rows_that_the_disk_does_not_take_wait_in_memory(tmp_path: Path, *, in_turn: bool) -> None:
    """Intake pauses, no job begins; later every row is written once and in order."""
    assignment = Assignment("t", 0, 1, 0, None)
    one = row_buffer(tmp_path, in_turn=in_turn, flush_bytes=10_000)
    one.add([upsert(0, "a", 1), upsert(1, "b", 1)], assignment, 0.0)
    with full_disk():
        one.add([upsert(2, "a", 2), delete(3, "b")], assignment, 1.0)
        one.add([upsert(4, "c", 3)], assignment, 2.0)
        held = one.write_backlog()
        assert held is not None
        assert HoldReason.SPOOL is held.reason
        assert (True, False) == (one.is_full(), one.is_due(999.0))
    assert one.write_backlog() is None
    assert (False, True) == (one.is_full(), one.is_due(999.0))
    one.seal()
    before = [("a", b"a,1\n")] if in_turn else []
    assert [*before, ("a", b"a,2\n"), ("c", b"c,3\n")] == lines(one, Operation.UPSERT)
    assert [("b", b"")] == lines(one, Operation.DELETE)


def test_the_first_row_may_meet_a_full_disk(tmp_path: Path) -> None:
    """The table is created when there is space."""
    one = row_buffer(tmp_path)
    with full_disk():
        one.add([upsert(0, "a", 1)], Assignment("t", 0, 1, 0, None), 0.0)
        assert one.disk_hold is not None
    assert one.write_backlog() is None
    one.seal()
    assert [("a", b"a,1\n")] == lines(one, Operation.UPSERT)


def test_i3_rows_of_a_revoked_partition_are_dropped_when_the_disk_takes_it(tmp_path: Path) -> None:
    """Their next owner sends them; the others stay."""
    gone, stays = Assignment("t", 0, 1, 0, None), Assignment("t", 1, 2, 0, None)
    one = row_buffer(tmp_path)
    one.add([upsert(0, "a", 1)], gone, 0.0)
    one.add([upsert(0, "b", 1)], stays, 0.0)
    with full_disk():
        one.drop({gone})
        assert not one.is_due(999.0)
    one.write_backlog()
    one.seal()
    assert [("b", b"b,1\n")] == lines(one, Operation.UPSERT)


@pytest.mark.parametrize("for_inserts", [False, True], ids=["upsert", "insert"])
def test_an_outcome_that_the_disk_does_not_take_changes_nothing(
    tmp_path: Path, *, for_inserts: bool
) -> None:
    """It is noted again later."""
    spool = CrmSpool(tmp_path / "1.rows", for_inserts=for_inserts)
    spool.put([row("k", b"k\n"), row("l", b"l\n")])
    spool.seal()
    spool.mark_sent([("k", "k", 0), ("l", "l", 0)])
    with full_disk(), pytest.raises(Hold):
        spool.accepted_marks(["k", "l"])
    assert 2 == spool.pending_count(Operation.UPSERT)
    assert 2 == spool.accepted_marks(["k", "l"])


async def test_job_files_are_written_again_when_there_is_space(tmp_path: Path) -> None:
    """Until then none is left, so that its space is free for others."""
    spool = Spool(tmp_path / "1.rows")
    spool.put([row(f"k{at:04}", b"x" * 99 + b"\n") for at in range(1_000)])
    clock, watch = SteppedClock(), Watch()
    tries: list[int] = []

    async def write() -> tuple[Path, ...]:
        tries.append(files_in(tmp_path))
        with full_disk(50_000 if len(tries) < 3 else 10**9):
            return await write_files(
                spool,
                Operation.UPSERT,
                tmp_path,
                header=HEADER,
                file_bytes=10**6,
                deleted_at=None,
                clock=clock,
            )

    [path] = await until_written(write, watch, clock)
    assert 1_000 == path.read_bytes().count(b"x\n")
    assert ([0, 0, 0], 2, False) == (tries, len(watch.holds), watch.is_held)


async def test_the_journal_waits_for_the_disk(tmp_path: Path) -> None:
    """The entry before stays whole until then."""
    journal = JobJournal(tmp_path / "job.json")
    before, after = JournalEntry("1", "upsert"), JournalEntry("1", "upsert", uploaded=1)
    journal.write(before)
    with full_disk(), pytest.raises(Hold):
        journal.write(after)
    assert before == journal.read()
    await journal.written(after, Watch(), SteppedClock())
    assert after == journal.read()


def test_the_insert_journal_waits_for_the_disk(tmp_path: Path) -> None:
    """It is a hold: the outcomes are noted again."""
    with full_disk(), pytest.raises(Hold):
        InsertJournal(tmp_path / "inserted.book")
    InsertJournal(tmp_path / "inserted.book").close()


async def test_another_hold_is_not_repeated_here() -> None:
    """Only the disk's."""

    async def write() -> None:
        raise Hold(HoldReason.AUTH, "no token")

    with pytest.raises(Hold, match="AUTH"):
        await until_written(write, Watch(), SteppedClock())
