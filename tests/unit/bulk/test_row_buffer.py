"""Rows buffered on disk for one job."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumer.bulk.csv import INGESTION, CsvRows
from consumer.bulk.row_buffer import RowBuffer
from consumer.errors import Reason
from consumer.mapping.settings import FieldType, FlushSettings
from consumer.model import (
    Assignment,
    Change,
    Delete,
    Operation,
    PartialRecord,
    PlainRecord,
    Target,
    Upsert,
)

if TYPE_CHECKING:
    from pathlib import Path

FIELDS = {"id": FieldType.TEXT, "n": FieldType.NUMBER}


def upsert(offset: int, key: str, n: int, partial_record: PartialRecord | None = None) -> Change:
    record = PlainRecord("t", 0, offset, value=b"12345", timestamp_ms=offset)
    return Upsert(key, f'{{"id":"{key}","n":{n}}}'.encode(), record, partial_record=partial_record)


def delete(offset: int, key: str) -> Change:
    return Delete(key, f'"{key}"'.encode(), PlainRecord("t", 0, offset, value=b"123"))


def row_buffer(folder: Path, *, in_turn: bool = False, flush_bytes: int = 1_000) -> RowBuffer:
    return RowBuffer(
        Target("c", "o"),
        CsvRows(FIELDS, INGESTION),
        FlushSettings(every_s=60.0, bytes=flush_bytes),
        folder,
        in_turn=in_turn,
        dated_deletes=False,
    )


@pytest.fixture
def assignment() -> Assignment:
    return Assignment("t", 0, 1, 0, None)


def lines(bulk_batch: RowBuffer, operation: Operation) -> list[tuple[str, bytes]]:
    assert bulk_batch.under_way is not None
    return [row for piece in bulk_batch.under_way.spool.lines(operation, 2) for row in piece]


def test_the_newest_change_of_a_key_counts(tmp_path: Path, assignment: Assignment) -> None:
    """Within a chunk, over chunks, and over upserts and deletes alike."""
    one = row_buffer(tmp_path)
    one.add([upsert(0, "a", 1), upsert(1, "b", 1), upsert(2, "a", 2)], assignment, 0.0)
    one.add([delete(3, "b"), delete(4, "c"), upsert(5, "c", 3)], assignment, 0.0)
    one.seal()
    assert [("a", b"a,2\n"), ("c", b"c,3\n")] == lines(one, Operation.UPSERT)
    assert [("b", b"")] == lines(one, Operation.DELETE)


def test_engagement_keeps_every_event(tmp_path: Path, assignment: Assignment) -> None:
    """In their order; a delete removes all earlier ones of its key."""
    one = row_buffer(tmp_path, in_turn=True)
    one.add(
        [upsert(0, "a", 1), upsert(1, "a", 2), upsert(2, "b", 1), delete(3, "b")], assignment, 0.0
    )
    one.seal()
    assert [("a", b"a,1\n"), ("a", b"a,2\n")] == lines(one, Operation.UPSERT)
    assert [("b", b"")] == lines(one, Operation.DELETE)


def test_replaced_records_are_counted_as_conflated(tmp_path: Path, assignment: Assignment) -> None:
    """Records with a row are accepted, all others of the batch conflated; bytes too."""
    one = row_buffer(tmp_path)
    one.add([upsert(0, "a", 1), upsert(1, "b", 1), upsert(2, "a", 2)], assignment, 0.0)
    bulk_batch = one.seal()
    accepted = bulk_batch.accepted()[assignment]
    assert (3, 2, 15, 10) == (
        bulk_batch.record_counts[assignment].count,
        accepted.count,
        bulk_batch.record_counts[assignment].value_bytes,
        accepted.value_bytes,
    )


def test_the_partial_record_of_a_replaced_row_is_conflated(
    tmp_path: Path, assignment: Assignment
) -> None:
    """A record of several parts is counted as a partial record, not by its row."""
    first, second = PartialRecord(assignment, 2, 5), PartialRecord(assignment, 2, 5)
    one = row_buffer(tmp_path)
    one.add([upsert(0, "a", 1, first), upsert(1, "a", 2, second)], assignment, 0.0)
    assert (0, {first, second}) == one.buffered(assignment)
    bulk_batch = one.seal()
    assert ([first], [second], {}) == (
        bulk_batch.conflated,
        [*bulk_batch.partial_records.values()],
        bulk_batch.accepted(),
    )


def test_a_revoked_assignment_loses_its_rows_and_positions(
    tmp_path: Path, assignment: Assignment
) -> None:
    """In both batches; rows of other assignments stay."""
    other = Assignment("t", 1, 1, 0, None)
    one = row_buffer(tmp_path)
    one.add([upsert(5, "a", 1)], assignment, 0.0)
    one.add([upsert(7, "b", 1)], other, 0.0)
    one.seal()
    one.add([upsert(6, "c", 1)], assignment, 0.0)
    one.drop({assignment})
    assert [("b", b"b,1\n")] == lines(one, Operation.UPSERT)
    assert [(other, 7)] == [(whose, low.offset) for whose, low in one.lows()]


def test_due_by_age_or_by_bytes_and_one_job_at_a_time(
    tmp_path: Path, assignment: Assignment
) -> None:
    """Bytes count after replacing.

    The second batch is full while the first is under way.
    """
    one = row_buffer(tmp_path, flush_bytes=20)
    one.add([upsert(at, "a", at) for at in range(10)], assignment, 100.0)
    assert (False, True) == (one.is_due(159.0), one.is_due(160.0))
    one.add([upsert(at, str(at), at) for at in range(10, 15)], assignment, 101.0)
    assert one.is_due(101.0)
    one.seal()
    one.add([upsert(at, str(at), at) for at in range(20, 30)], assignment, 101.0)
    assert (False, True) == (one.is_due(999.0), one.is_full())
    one.settle()
    assert (True, False) == (one.is_due(101.0), one.is_full())


def test_a_row_over_the_limit_is_given_back(tmp_path: Path, assignment: Assignment) -> None:
    """Nothing of it is buffered."""
    one = row_buffer(tmp_path, flush_bytes=20)
    ((change, fault),) = one.add([upsert(0, "a" * 30, 1)], assignment, 0.0)
    assert ("a" * 30, Reason.RECORD_SIZE, []) == (change.key, fault.reason, [*one.lows()])


def test_full_memory_sends_a_batch_with_partial_records_early(
    tmp_path: Path, assignment: Assignment
) -> None:
    """Partial records stay in memory.

    A batch without any uses no memory, and waits on.
    """
    one = row_buffer(tmp_path)
    one.add([upsert(0, "a", 1)], assignment, 0.0)
    one.press()
    assert not one.is_due(1.0)
    one.add([upsert(1, "b", 1, PartialRecord(assignment, 2, 5))], assignment, 0.0)
    one.press()
    assert one.is_due(1.0)
