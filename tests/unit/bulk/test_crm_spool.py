"""Spool of CRM rows: merged changes, outcomes row by row, complete records."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumer.bulk.crm_spool import TRIES, CrmSpool, ReopenedSpool
from consumer.bulk.kept_records import keep, kept_records
from consumer.bulk.spool import SpooledRow
from consumer.errors import Fatal
from consumer.model import Operation, PlainRecord

if TYPE_CHECKING:
    from pathlib import Path


def row(
    key: str,
    line: bytes,
    *,
    offset: int = 0,
    operation: Operation = Operation.UPSERT,
    owner: int = 0,
    turn: int = 0,
) -> SpooledRow:
    record = PlainRecord(
        "t", 1, offset, key=b"k", value=b"value", headers=[("h", None)], timestamp_ms=5
    )
    number = 0 if operation is Operation.UPSERT else 1
    return SpooledRow(key, turn, number, owner, 5, line, keep(record, owner, -1, 0))


@pytest.fixture
def spool(tmp_path: Path) -> CrmSpool:
    return CrmSpool(tmp_path / "1.rows", for_inserts=False)


def lines(spool: CrmSpool, operation: Operation = Operation.UPSERT) -> dict[str, bytes]:
    return {key: line for piece in spool.pending(operation, 2) for key, _, line, _ in piece}


def send(spool: CrmSpool) -> None:
    """Mark every pending row as sent, identified by its key."""
    spool.clear_sent()
    for operation in Operation:
        for piece in spool.pending(operation, 10):
            spool.mark_sent([(key, key, turn) for key, turn, _, _ in piece])


@pytest.mark.parametrize(
    ("older", "newer", "joined"),
    [
        (b"k,a,b\n", b"k,c,d\n", b"k,c,d\n"),
        (b"k,a,b\n", b"k,,d\n", b"k,a,d\n"),
        (b"k,a,b\n", b"k,c,\n", b"k,c,b\n"),
        (b"k,a,\n", b"k,,d\n", b"k,a,d\n"),
        (b"k,#N/A,b\n", b"k,,#N/A\n", b"k,#N/A,#N/A\n"),
        (b'k,"a ""x"", y\nz",b\n', b"k,,d\n", b'k,"a ""x"", y\nz",d\n'),
        (b"k,a,b\n", b'k,"c,,",d\n', b'k,"c,,",d\n'),
    ],
)
def test_a_newer_change_lies_over_the_older(
    spool: CrmSpool, older: bytes, newer: bytes, joined: bytes
) -> None:
    """A column that it does not have keeps its older value; null is a value."""
    spool.put([row("k", older), row("k", newer)])
    assert {"k": joined} == lines(spool)


def test_after_a_delete_a_row_is_a_new_one(spool: CrmSpool) -> None:
    """A column that it does not have is null: no value of the deleted row is left."""
    spool.put(
        [row("k", b"k,a,b\n"), row("k", b"", operation=Operation.DELETE), row("k", b"k,c,\n")]
    )
    assert ({"k": b"k,c,#N/A\n"}, {}) == (lines(spool), lines(spool, Operation.DELETE))


def test_a_delete_replaces_earlier_changes(spool: CrmSpool) -> None:
    """Only its own record is kept."""
    spool.put([row("k", b"k,a,b\n", offset=1), row("k", b"", offset=2, operation=Operation.DELETE)])
    ((_, _, line, record),) = next(spool.pending(Operation.DELETE, 10))
    assert (b"", [2]) == (line, [kept.offset for kept in kept_records(record)])


def test_records_are_kept_as_they_came(spool: CrmSpool) -> None:
    """Key, value, headers, timestamp and place.

    Records of older changes are kept only where a value of them is left.
    """
    spool.put(
        [
            row("k", b"k,a,b\n", offset=1),
            row("k", b"k,,d\n", offset=2),
            row("l", b"l,a,b\n"),
            row("l", b"l,c,d\n"),
        ]
    )
    kept = {
        key: kept_records(record)
        for piece in spool.pending(Operation.UPSERT, 9)
        for key, _, _, record in piece
    }
    assert ([1, 2], 1) == ([one.offset for one in kept["k"]], len(kept["l"]))
    found = kept["k"][1].record()
    assert ("t", 1, 2, b"k", b"value", (("h", None),), (1, 5)) == (
        found.topic(),
        found.partition(),
        found.offset(),
        found.key(),
        found.value(),
        found.headers(),
        found.timestamp(),
    )


def test_outcomes(spool: CrmSpool) -> None:
    """Accepted, refused, not processed and busy rows; the last two are sent again."""
    spool.put([row(key, key.encode()) for key in ("a", "b", "c", "d", "e")])
    send(spool)
    assert (1, 1, 1, 1) == (
        spool.accepted_marks(["a", "unknown"]),
        spool.refused_marks([("b", "BAD:it is:--")]),
        spool.unprocessed_marks(["c"]),
        spool.busy_marks([("d", "UNABLE_TO_LOCK_ROW:busy:--")]),
    )
    assert (1, 3) == (spool.unmentioned_count(), spool.pending_count(Operation.UPSERT))
    assert {"c", "d", "e"} == {*lines(spool)}
    (refused,) = spool.take_refused(10)
    assert ("BAD:it is:--", [0]) == (refused.error, [kept.offset for kept in refused.records])
    assert [] == spool.take_refused(10)
    assert 4 == spool.count(Operation.UPSERT)
    assert 4 == spool.record_counts()[0].count


def test_a_mark_names_one_row_at_a_time(spool: CrmSpool) -> None:
    """Equal rows get one outcome each."""
    spool.put([row("k", b"same\n", turn=turn) for turn in (1, 2, 3)])
    send(spool)
    assert (1, 2) == (spool.refused_marks([("k", "BAD")]), spool.accepted_marks(["k", "k", "k"]))


def test_a_row_that_is_busy_too_often_is_refused(spool: CrmSpool) -> None:
    """With the last error."""
    spool.put([row("k", b"k\n")])
    for turn in range(TRIES):
        send(spool)
        spool.busy_marks([("k", f"UNABLE_TO_LOCK_ROW:{turn}:--")])
    assert ["UNABLE_TO_LOCK_ROW:4:--"] == [refused.error for refused in spool.take_refused(10)]


def test_refusals_are_withdrawn_but_for_some(spool: CrmSpool) -> None:
    """A refusal that is reported already stays."""
    spool.put([row(f"{at}", b"x\n") for at in range(6)])
    send(spool)
    spool.refused_marks([("0", "BAD")])
    spool.take_refused(10)
    spool.refused_marks([(f"{at}", "BAD") for at in range(1, 6)])
    spool.withdraw_refusals(2)
    assert (3, 2) == (spool.pending_count(Operation.UPSERT), len(spool.take_refused(10)))


def test_rows_of_revoked_assignments_are_dropped(spool: CrmSpool) -> None:
    """Also after the rows were sealed: their new owner sends them."""
    spool.put([row("k", b"k\n", owner=0), row("l", b"l\n", owner=1)])
    spool.seal()
    spool.drop_owners([1])
    assert {"k"} == {*lines(spool)}


def test_inserts_of_revoked_assignments_that_may_be_sent_are_kept(tmp_path: Path) -> None:
    """They are not sent again, their outcome is still noted, and no refusal is reported."""
    spool = CrmSpool(tmp_path / "1.rows", for_inserts=True)
    spool.put([row("k", b"k\n", owner=0), row("l", b"l\n", owner=1), row("m", b"m\n", owner=1)])
    send(spool)
    spool.seal()
    spool.drop_owners([1])
    assert {"k"} == {*lines(spool)}
    assert (1, 1) == (spool.accepted_marks(["l"]), spool.refused_marks([("m", "BAD")]))
    assert [] == spool.take_refused(10)
    assert [None, "BAD"] == [error for piece in spool.outcomes(10) for _, error in piece]


def test_a_spool_of_an_earlier_run_is_reopened(tmp_path: Path) -> None:
    """As they were; a file that is not a spool is named in the error."""
    spool = CrmSpool(tmp_path / "1.rows", for_inserts=True)
    spool.put([row("k", b"k\n")])
    send(spool)
    spool.leave()
    left = ReopenedSpool(tmp_path / "1.rows")
    assert 1 == left.accepted_marks(["k"])
    left.close()
    (tmp_path / "2.rows").write_bytes(b"not a spool")
    with pytest.raises(Fatal, match=r"2\.rows"):
        ReopenedSpool(tmp_path / "2.rows")
