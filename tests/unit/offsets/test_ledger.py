"""The account of every record, for each outcome."""

from __future__ import annotations

from consumer.batching.batch import Batch
from consumer.batching.conflation import merge, replace, supersede
from consumer.model import (
    Assignment,
    Delete,
    Low,
    Operation,
    PartialRecord,
    PlainRecord,
    RecordOutcome,
    Superseded,
    Target,
    Upsert,
)
from consumer.offsets.ledger import RECORD_BYTES, Ledger


class RecordingObserver:
    """Records the bookings of the ledger."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, str, int]] = []

    def polled(self, topic: str, count: int) -> None:
        """Record polled records."""
        self.entries.append((topic, "polled", count))

    def settled(self, topic: str, outcome: RecordOutcome, count: int) -> None:
        """Record settled records."""
        self.entries.append((topic, str(outcome), count))


def upsert(
    assignment: Assignment, offset: int, encoded: bytes = b'{"a":1}', value: bytes = b"12345"
) -> Upsert:
    return Upsert("k", encoded, PlainRecord(assignment.topic, 0, offset, value=value), assignment)


def settled(ledger: Ledger, *changes: Upsert) -> None:
    """Have a batch of these changes accepted."""
    batch = Batch(Target("c", "o"), Operation.UPSERT)
    for number, change in enumerate(changes):
        change.key = str(number)
        assert change.assignment is not None
        batch.append(change, change.assignment)
    ledger.batch_settled(batch.record_counts, batch.linked_changes.values(), RecordOutcome.ACCEPTED)


def assignment(topic: str = "t") -> Assignment:
    return Assignment(topic, 0, 1, 0, None)


def test_accepted_changes_are_counted_by_topic() -> None:
    """One booking per topic; all bytes are freed."""
    observer = RecordingObserver()
    ledger = Ledger(observer)
    one, two = assignment("one"), assignment("two")
    ledger.polled(one, 2, 10)
    ledger.polled(two, 1, 5)
    settled(ledger, upsert(one, 0), upsert(two, 0), upsert(one, 1))
    assert [("one", "accepted", 2), ("two", "accepted", 1)] == observer.entries[2:]
    assert (0, 0) == (ledger.open_count, ledger.held_bytes)
    assert (0, 0) == (one.open_count, one.held_bytes)


def test_superseded_records_settle_with_the_newer_change() -> None:
    """The older record of a key settles with the newer one, as conflated."""
    ledger = Ledger(RecordingObserver())
    source = assignment()
    ledger.polled(source, 2, 10)
    older, newer = upsert(source, 0), upsert(source, 1)
    supersede(newer, older, replace(older, newer))
    settled(ledger, newer)
    assert 1 == ledger.settled_counts[RecordOutcome.ACCEPTED]
    assert 1 == ledger.settled_counts[RecordOutcome.CONFLATED]
    assert (0, 0) == (ledger.open_count, ledger.held_bytes)


def test_kept_records_of_a_merged_change_are_conflated_when_it_is_accepted() -> None:
    """Partial mode keeps the older record for a rejection; after a success it is not needed."""
    ledger = Ledger(RecordingObserver())
    source = assignment()
    ledger.polled(source, 2, 10)
    older, newer = upsert(source, 0), upsert(source, 1, b'{"b":2}')
    encoded = merge(older, newer)
    assert encoded is not None
    supersede(newer, older, encoded)
    assert newer.superseded is not None
    assert [older.record] == [record for record, _ in newer.superseded[0].kept]
    settled(ledger, newer)
    assert 0 == ledger.open_count


def test_a_record_of_several_parts_is_counted_once_with_the_first_outcome() -> None:
    """The order is dead-lettered, accepted, conflated, filtered."""
    source = assignment()
    for outcomes, expected in (
        ([RecordOutcome.FILTERED, RecordOutcome.ACCEPTED], RecordOutcome.ACCEPTED),
        ([RecordOutcome.ACCEPTED, RecordOutcome.DEAD_LETTERED], RecordOutcome.DEAD_LETTERED),
        ([RecordOutcome.CONFLATED, RecordOutcome.FILTERED], RecordOutcome.CONFLATED),
    ):
        ledger = Ledger(RecordingObserver())
        ledger.polled(source, 1, 5)
        partial_record = PartialRecord(source, 2, 5)
        ledger.part_settled(partial_record, outcomes[0])
        assert 1 == ledger.open_count
        ledger.part_settled(partial_record, outcomes[1])
        assert 0 == ledger.open_count
        assert 1 == ledger.settled_counts[expected]


def test_a_superseded_part_of_a_record_is_conflated() -> None:
    """A part that a newer change replaced counts as conflated."""
    ledger = Ledger(RecordingObserver())
    source = assignment()
    ledger.polled(source, 2, 10)
    partial_record = PartialRecord(source, 1, 5)
    newer = upsert(source, 1)
    entry = Superseded(source, Low(0, 0))
    entry.take(PlainRecord("t", 0, 0, value=b"12345"), partial_record)
    newer.superseded = [entry]
    settled(ledger, newer)
    assert 1 == ledger.settled_counts[RecordOutcome.CONFLATED]


def test_a_released_partition_closes_its_open_records() -> None:
    """Released records are not open here any more, whatever their size was."""
    ledger = Ledger(RecordingObserver())
    source, other = assignment(), assignment("other")
    ledger.polled(source, 3, 1_000)
    ledger.polled(other, 1, 5)
    ledger.released(source)
    assert 3 == ledger.settled_counts[RecordOutcome.RELEASED]
    assert (1, RECORD_BYTES + 5) == (ledger.open_count, ledger.held_bytes)
    ledger.released(source)
    assert 3 == ledger.settled_counts[RecordOutcome.RELEASED]


def test_a_delete_after_a_merge_does_not_keep_the_older_records() -> None:
    """Their fields are in nothing that is sent."""
    source = assignment()
    first, second = upsert(source, 0), upsert(source, 1, b'{"b":2}')
    encoded = merge(first, second)
    assert encoded is not None
    supersede(second, first, encoded)
    last = Delete("k", b'"k"', PlainRecord("t", 0, 2), source)
    supersede(last, second, merge(second, last) or b"")
    assert last.superseded is not None
    assert [] == last.superseded[0].kept
    assert 2 == last.superseded[0].bare_count
