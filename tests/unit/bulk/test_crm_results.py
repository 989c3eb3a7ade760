"""Result files of a job, read as a stream and matched by content."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from consumer.bulk.crm_results import (
    Counts,
    Marking,
    dead_letter_detail,
    note_accepted,
    note_refused,
    note_unprocessed,
)
from consumer.bulk.crm_spool import CrmSpool
from consumer.bulk.kept_records import keep
from consumer.bulk.spool import SpooledRow
from consumer.clock import SystemClock
from consumer.errors import Transient
from consumer.model import Operation, PlainRecord

if TYPE_CHECKING:
    from pathlib import Path

CLOCK = SystemClock()
KEYED = Marking(("Key__c", "Name"), "Key__c")
WHOLE = Marking(("Key__c", "Name"), None)


def spooled(folder: Path, marking: Marking, *lines: bytes) -> CrmSpool:
    """Return a spool whose rows are marked as sent."""
    spool = CrmSpool(folder / "1.rows", for_inserts=False)
    record = keep(PlainRecord("t", value=b"v"), 0, -1, 0)
    spool.put([SpooledRow(f"k{at}", 0, 0, 0, 1, line, record) for at, line in enumerate(lines)])
    for piece in spool.pending(Operation.UPSERT, 10):
        marks = [
            (marking.mark_of_line(line) if marking is WHOLE else key, key, turn)
            for key, turn, line, _ in piece
        ]
        spool.mark_sent(marks)
    return spool


async def accepted(folder: Path, marking: Marking, spool: CrmSpool, content: str) -> Counts:
    counts = Counts()
    path = folder / "results.csv"
    path.write_text(content, newline="")
    await note_accepted(path, marking, spool, counts, CLOCK)
    return counts


async def test_rows_are_matched_by_their_key(tmp_path: Path) -> None:
    """In any order of rows and columns, and any case of the header."""
    spool = spooled(tmp_path, KEYED, b"k0,a\n", b"k1,b\n", b"k2,c\n")
    content = (
        '"sf__Id","sf__Created",NAME,KEY__C\n'
        '"1","true","c","k2"\n"2","true","a","k0"\n"3","true","?","k9"\n'
    )
    counts = await accepted(tmp_path, KEYED, spool, content)
    assert (2, 1, 1) == (counts.accepted, counts.unknown, spool.unmentioned_count())


async def test_rows_without_a_key_are_matched_by_all_columns(tmp_path: Path) -> None:
    """The service may write quotes and line ends differently.

    Two equal rows are two rows.
    """
    spool = spooled(tmp_path, WHOLE, b'k0,"a ""x""\r\ny"\n', b"k1,#N/A\n", b"k1,#N/A\n")
    content = (
        '"sf__Id","sf__Created","Key__c","Name"\r\n"1","true","k1","#N/A"\r\n"2","true","k0","a'
        ' ""x""\ny"\r\n'
    )
    counts = await accepted(tmp_path, WHOLE, spool, content)
    assert (2, 0, 1) == (counts.accepted, counts.unknown, spool.unmentioned_count())


async def test_a_field_at_the_limit_is_read(tmp_path: Path) -> None:
    """131,072 characters."""
    spool = spooled(tmp_path, KEYED, b"k0,a\n")
    counts = await accepted(
        tmp_path, KEYED, spool, f'"sf__Id","sf__Created",Key__c,Name\n1,true,k0,"{"x" * 131_072}"\n'
    )
    assert 1 == counts.accepted


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<html>login</html>", "no column Key__c"),
        ("sf__Id,sf__Created\n1,true\n", "no column Key__c"),
        ('sf__Id,sf__Created,Key__c,Name\n1,true,"k0\n', "not valid CSV"),
        ("sf__Id,sf__Created,Key__c,Name\n1,true\n", "expected 4 columns .* got 2"),
        ("sf__Id,sf__Created,Key__c,Name\n1,true,k0\n", "got 3"),
        ("sf__Id,sf__Created,Key__c,Name\n1,true,k0,a,b\n", "got 5"),
    ],
)
async def test_a_file_that_is_not_a_result_file(tmp_path: Path, content: str, message: str) -> None:
    """The file is read again later; no row gets an outcome from it."""
    spool = spooled(tmp_path, KEYED, b"k0,a\n")
    with pytest.raises(Transient, match=message):
        await accepted(tmp_path, KEYED, spool, content)
    assert 1 == spool.unmentioned_count()


@pytest.mark.parametrize("quote", ["", '"'])
async def test_a_file_that_is_cut_anywhere_takes_no_row_for_another(
    tmp_path: Path, quote: str
) -> None:
    """CRM20: k1 is a prefix of k10, and the file only has k10."""
    row = ",".join(f"{quote}{text}{quote}" for text in ("1", "true", "k10", "a"))
    content = f"sf__Id,sf__Created,Key__c,Name\n{row}"
    for end in range(len(content)):
        spool = spooled(tmp_path, KEYED, *[b"k,a\n"] * 11)
        with suppress(Transient):
            await accepted(tmp_path, KEYED, spool, content[:end])
        assert "k1" in {
            key for piece in spool.pending(Operation.UPSERT, 20) for key, _, _, _ in piece
        }
        spool.close()


@pytest.mark.parametrize("content", ["", '"sf__Id","sf__Created"\n'])
async def test_an_empty_file_has_no_rows(tmp_path: Path, content: str) -> None:
    """Some responses say "no rows" with an empty body, others with only a header."""
    assert (
        0
        == (await accepted(tmp_path, KEYED, spooled(tmp_path, KEYED, b"k0,a\n"), content)).accepted
    )


@pytest.mark.parametrize(
    ("error", "deletes", "counted"),
    [
        ("REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --", False, (0, 1, 0)),
        ("UNABLE_TO_LOCK_ROW:unable to obtain exclusive access:--", False, (0, 0, 1)),
        ("ENTITY_IS_DELETED:entity is deleted:--", True, (1, 0, 0)),
        ("ENTITY_IS_DELETED:entity is deleted:--", False, (0, 1, 0)),
    ],
)
async def test_refusals(
    tmp_path: Path,
    error: str,
    deletes: bool,  # noqa: FBT001 - a case
    counted: tuple[int, int, int],
) -> None:
    """Refused, to be retried, or accepted because the record is already deleted."""
    spool = spooled(tmp_path, KEYED, b"k0,a\n")
    path = tmp_path / "failed.csv"
    path.write_text(f'"sf__Id","sf__Error",Key__c,Name\n"","{error}",k0,a\n')
    counts = Counts()
    await note_refused(path, KEYED, spool, counts, CLOCK, deletes=deletes)
    assert counted == (counts.accepted, counts.refused, counts.retried)


@pytest.mark.parametrize(
    ("value", "error", "kept"),
    [
        (
            "not an address",
            "INVALID_EMAIL_ADDRESS:Email: invalid address: NOT an address:Name --",
            "Name --",
        ),
        (
            "see: below",
            "FIELD_INTEGRITY_EXCEPTION:bad value for Name: see: below",
            "bad value for Name: ***",
        ),
        (
            "A",
            "STRING_TOO_LONG:Account: data value too large: A (max length=0):Name --",
            "Account: data value",
        ),
        ("x", "SOMETHING_ELSE", "SOMETHING_ELSE"),
    ],
)
async def test_a_message_does_not_repeat_the_rows_values(
    tmp_path: Path, value: str, error: str, kept: str
) -> None:
    """I17: plain words have no pattern to mask them by, but the row has the values."""
    spool = spooled(tmp_path, KEYED, f"k0,{value}\n".encode())
    path = tmp_path / "failed.csv"
    path.write_text(f'"sf__Id","sf__Error",Key__c,Name\n"","{error}",k0,"{value}"\n')
    await note_refused(path, KEYED, spool, Counts(), CLOCK, deletes=False)
    (row,) = spool.take_refused(10)
    assert kept in row.error
    assert not re.search(rf"(?<!\w){value}(?!\w)", row.error, re.IGNORECASE)


async def test_unprocessed_rows(tmp_path: Path) -> None:
    """They wait for the next job."""
    spool = spooled(tmp_path, KEYED, b"k0,a\n", b"k1,b\n")
    path = tmp_path / "unprocessed.csv"
    path.write_text("Key__c,Name\nk1,b\n")
    counts = Counts()
    await note_unprocessed(path, KEYED, spool, counts, CLOCK)
    assert (1, 1, 2) == (
        counts.unprocessed,
        spool.unmentioned_count(),
        spool.pending_count(Operation.UPSERT),
    )


@pytest.mark.holds("I17")
@pytest.mark.parametrize(
    ("error", "message", "field"),
    [
        (
            "REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --",
            "REQUIRED_FIELD_MISSING: Required fields are missing: ***",
            "LastName",
        ),
        (
            "INVALID_EMAIL_ADDRESS:Email: invalid email address: ada@nowhere:Email --",
            "INVALID_EMAIL_ADDRESS: Email: invalid email address: ***",
            "Email",
        ),
        (
            (
                "DUPLICATE_VALUE:duplicate value found: Key__c duplicates value on record with"
                " id: 0035g01:Key__c --"
            ),
            "DUPLICATE_VALUE: duplicate value found: *** duplicates value *** record with id: ***",
            None,
        ),
        ("ENTITY_IS_DELETED:entity is deleted:--", "ENTITY_IS_DELETED: entity is deleted", None),
        ("something 4711 else", "something *** else", None),
        ("4711:no known code:--", "*** known code:--", None),
    ],
)
def test_detail_of_a_refusal(error: str, message: str, field: str | None) -> None:
    """Code and text stay, values are masked, and the field is named if it is a column."""
    assert (message, field) == dead_letter_detail(error, ("LastName", "Email"))
