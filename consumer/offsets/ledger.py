"""Counts every record once when it is polled and once when it is settled.

Polled = accepted + conflated + filtered + dead-lettered + released + open.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final, Protocol

from consumer.model import RecordCount, RecordOutcome
from consumer.offsets.accounts import Account

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from consumer.model import Assignment, Change, PartialRecord

RECORD_BYTES: Final = 1_000
"""Memory of an open record beside its value and its encoded row: the client's message, the change
and its key.

Source: resident memory of a process with 45,000 open records of 460 bytes and rows of 350,
divided by the number of records."""

PARTIAL_RECORD_BYTES: Final = 400
"""Memory of a record that became several changes, when all of them are on disk."""

_WEIGHT: Final = {outcome: weight for weight, outcome in enumerate(RecordOutcome)}


class LedgerObserver(Protocol):
    """Receives every booking of the ledger, for the metrics."""

    def polled(self, topic: str, count: int) -> None:
        """Note that this many records of the topic were polled."""
        ...

    def settled(self, topic: str, outcome: RecordOutcome, count: int) -> None:
        """Note that this many records of the topic were settled with this outcome."""
        ...


class Ledger:
    """Counts of polled, settled and open records, and the bytes that open records hold."""

    def __init__(self, observer: LedgerObserver) -> None:
        self.polled_count = 0
        self.settled_counts = dict.fromkeys(RecordOutcome, 0)
        self.held_bytes = 0
        self.by_partition: defaultdict[tuple[str, int], Account] = defaultdict(Account)
        self._observer = observer

    @property
    def open_count(self) -> int:
        """The number of records that were polled and are not settled."""
        return self.polled_count - sum(self.settled_counts.values())

    def polled(self, assignment: Assignment, count: int, value_bytes: int) -> None:
        """Count records that were polled."""
        held_bytes = value_bytes + RECORD_BYTES * count
        self.polled_count += count
        self.held_bytes += held_bytes
        assignment.open_count += count
        assignment.held_bytes += held_bytes
        self.by_partition[assignment.topic, assignment.partition].came_in_count += count
        self._observer.polled(assignment.topic, count)

    def settled(
        self, assignment: Assignment, outcome: RecordOutcome, count: int, value_bytes: int
    ) -> None:
        """Count records that were settled with one outcome."""
        if not count:
            return
        held_bytes = value_bytes + RECORD_BYTES * count
        self.settled_counts[outcome] += count
        self.held_bytes -= held_bytes
        assignment.open_count -= count
        assignment.held_bytes -= held_bytes
        self.by_partition[assignment.topic, assignment.partition].settled_counts[outcome] += count
        self._observer.settled(assignment.topic, outcome, count)

    def spooled(self, assignment: Assignment, count: int, value_bytes: int) -> None:
        """Count open records as moved from memory to disk: they stay open and hold no memory."""
        held_bytes = value_bytes + RECORD_BYTES * count
        self.held_bytes -= held_bytes
        assignment.held_bytes -= held_bytes

    def partial_record_spooled(self, partial_record: PartialRecord) -> None:
        """Count a record of several parts as moved to disk, when all of its open parts are there.

        Its `PartialRecord` stays in memory.
        """
        self.spooled(
            partial_record.assignment, 1, partial_record.value_bytes - PARTIAL_RECORD_BYTES
        )
        # `settled` later adds RECORD_BYTES, so that exactly PARTIAL_RECORD_BYTES are freed then.
        partial_record.value_bytes = PARTIAL_RECORD_BYTES - RECORD_BYTES

    def spooled_settled(
        self, assignment: Assignment, outcome: RecordOutcome, count: int, value_bytes: int
    ) -> None:
        """Count records as settled whose rows are on disk."""
        # Count them as held again first, because `settled` frees what is held.
        self.spooled(assignment, -count, -value_bytes)
        self.settled(assignment, outcome, count, value_bytes)

    def part_settled(self, partial_record: PartialRecord, outcome: RecordOutcome) -> None:
        """Settle one part of a record, and the record itself with its last part."""
        partial_record.outcomes.add(outcome)
        partial_record.parts_open -= 1
        if partial_record.parts_open == 0:
            weightiest = min(partial_record.outcomes, key=_WEIGHT.__getitem__)
            self.settled(partial_record.assignment, weightiest, 1, partial_record.value_bytes)

    def batch_settled(
        self,
        record_counts: Mapping[Assignment, RecordCount],
        linked_changes: Collection[Change],
        outcome: RecordOutcome,
    ) -> int:
        """Settle the records of a batch with one outcome, and the records conflated into them.

        Returns: the number of changes that were conflated.
        Shape: `record_counts` counts the records that became exactly one change. `linked_changes`
        has the changes that are one part of several, or that superseded older ones. The records
        themselves are not read: there are many, and their memory is no longer in the CPU cache.
        """
        for assignment, record_count in record_counts.items():
            self.settled(assignment, outcome, record_count.count, record_count.value_bytes)
        for change in linked_changes:
            if change.partial_record is not None:
                self.part_settled(change.partial_record, outcome)
        return self.superseded_settled(linked_changes)

    def superseded_settled(self, changes: Iterable[Change]) -> int:
        """Settle the records that were conflated into these changes.

        Returns: the number of changes that were conflated.
        """
        conflated_count = 0
        record_counts: defaultdict[Assignment, RecordCount] = defaultdict(RecordCount)
        for change in changes:
            for entry in change.superseded or ():
                # Records that became dead letters with a rejected change were removed from `kept`
                # before.
                for record, partial_record in entry.kept:
                    entry.take(record, partial_record)
                entry.kept.clear()
                record_counts[entry.assignment].add(entry.bare_count, entry.bare_bytes)
                conflated_count += entry.bare_count + len(entry.partial_records)
                for partial_record in entry.partial_records:
                    self.part_settled(partial_record, RecordOutcome.CONFLATED)
        for assignment, record_count in record_counts.items():
            self.settled(
                assignment, RecordOutcome.CONFLATED, record_count.count, record_count.value_bytes
            )
        return conflated_count

    def released(self, assignment: Assignment) -> None:
        """Settle all open records of a partition as released, because it goes to another owner."""
        count = assignment.open_count
        if count:
            # `held_bytes` includes the fixed cost per record, which `settled` adds again.
            value_bytes = assignment.held_bytes - RECORD_BYTES * count
            self.settled(assignment, RecordOutcome.RELEASED, count, value_bytes)
