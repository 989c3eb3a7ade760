"""Outcomes of inserted rows, kept over a restart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.bulk.crm_spool import CrmSpool
from consumer.bulk.insert_journal import InsertJournal
from consumer.bulk.kept_records import keep
from consumer.bulk.spool import SpooledRow
from consumer.clock import SystemClock
from consumer.model import PlainRecord

if TYPE_CHECKING:
    from pathlib import Path


def packed(offset: int, part: int = 0, partition: int = 0) -> bytes:
    return keep(PlainRecord("t", partition, offset, value=b"v"), 0, -1, part)


async def test_outcomes_are_known_again_by_place(tmp_path: Path) -> None:
    """Accepted or refused; each row of a record has one; noting twice changes nothing."""
    spool = CrmSpool(tmp_path / "1.rows", for_inserts=True)
    spool.put([SpooledRow(f"k{at}", at, 0, 0, 1, b"x\n", packed(7, at)) for at in range(3)])
    spool.mark_sent([(f"k{at}", f"k{at}", at) for at in range(3)])
    spool.accepted_marks(["k0"])
    spool.refused_marks([("k1", "BAD")])
    for _ in range(2):
        insert_journal = InsertJournal(tmp_path / "inserted.book")
        await insert_journal.note(spool, SystemClock())
        insert_journal.close()
    insert_journal = InsertJournal(tmp_path / "inserted.book")
    assert [(None,), ("BAD",), None] == [
        insert_journal.outcome(packed(7, part)) for part in range(3)
    ]
    assert (True, False) == (
        insert_journal.knows_any([("t", 0)]),
        insert_journal.knows_any([("t", 1)]),
    )


async def test_committed_outcomes_are_dropped(tmp_path: Path) -> None:
    """A partition of which only later records are read is dropped; others are kept."""
    spool = CrmSpool(tmp_path / "1.rows", for_inserts=True)
    spool.put([SpooledRow(f"k{at}", at, 0, 0, 1, b"x\n", packed(7, 0, at)) for at in range(2)])
    spool.mark_sent([(f"k{at}", f"k{at}", at) for at in range(2)])
    spool.accepted_marks(["k0", "k1"])
    insert_journal = InsertJournal(tmp_path / "inserted.book")
    await insert_journal.note(spool, SystemClock())
    insert_journal.forget_before([("t", 0, 8), ("t", 1, 7)])
    assert (False, True) == (
        insert_journal.knows_any([("t", 0)]),
        insert_journal.knows_any([("t", 1)]),
    )
