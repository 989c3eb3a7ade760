"""What is open, counted where it lies.

The other side of the ledger, which only counts comings and goings.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from consumer.dead_letter.outbox import Outbox
    from consumer.engine.state import EngineState
    from consumer.model import Assignment, Change, PartialRecord, PartitionKey


class OpenCounts:
    """Counts open records by partition, and open changes by object.

    A record of several parts is one record.
    """

    def __init__(self) -> None:
        self.records: Counter[PartitionKey] = Counter()
        self.changes: Counter[str] = Counter()
        self._partial_records: set[PartialRecord] = set()

    def found(
        self, name: str | None, assignment: Assignment | None, partial_record: PartialRecord | None
    ) -> None:
        """Count one change that lies somewhere."""
        if name is not None:
            self.changes[name] += 1
        if partial_record is not None:
            self._found_part(partial_record)
        elif assignment is not None:
            self.records[_place(assignment)] += 1

    def add_with_superseded(self, name: str, change: Change) -> None:
        """Count a change, and the older ones that it stands for."""
        self.found(name, change.assignment, change.partial_record)
        self.add_superseded(name, change)

    def add_superseded(self, name: str | None, change: Change) -> None:
        """Count the older changes that one stands for."""
        for entry in change.superseded or ():
            for _, partial_record in entry.kept:
                self.found(name, entry.assignment, partial_record)
            for partial_record in entry.partial_records:
                self.found(name, entry.assignment, partial_record)
            self.add_count(name, entry.assignment, entry.bare_count)

    def add_count(self, name: str | None, assignment: Assignment, count: int) -> None:
        """Count changes that are all that their records became."""
        if name is not None:
            self.changes[name] += count
        self.records[_place(assignment)] += count

    def _found_part(self, partial_record: PartialRecord) -> None:
        if partial_record not in self._partial_records:
            self._partial_records.add(partial_record)
            self.records[_place(partial_record.assignment)] += 1


def count_open(state: EngineState, outbox: Outbox | None) -> OpenCounts:
    """Look into every room that holds records, and count what is there."""
    open_counts = OpenCounts()
    for target, batcher in state.batchers.items():
        for change in batcher.changes():
            open_counts.add_with_superseded(target.object, change)
    for target, row_buffer in state.row_buffers.items():
        for bulk_batch in row_buffer.bulk_batches():
            for assignment, record_count in bulk_batch.record_counts.items():
                open_counts.add_count(target.object, assignment, record_count.count)
            for partial_record in (*bulk_batch.partial_records.values(), *bulk_batch.conflated):
                open_counts.found(target.object, None, partial_record)
    for posted in outbox.posted() if outbox is not None else ():
        open_counts.found(posted.object, posted.assignment, posted.partial_record)
        if posted.change is not None:
            open_counts.add_superseded(posted.object, posted.change)
    for assignment in state.progress.owned:
        open_counts.add_count(
            None, assignment, state.parking.count(assignment) + state.waiting.count(assignment)
        )
    return open_counts


def _place(assignment: Assignment) -> PartitionKey:
    return assignment.topic, assignment.partition
