"""Counts unsettled records by looking into every place that holds them.

The ledger only counts records that arrive and records that settle. The two results must agree.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from consumer.dead_letter.outbox import Outbox
    from consumer.engine.state import EngineState
    from consumer.model import Assignment, Change, PartialRecord, PartitionKey


class OpenCounts:
    """Counts unsettled records by partition, and unsettled changes by object.

    A record that became several changes counts once.
    """

    def __init__(self) -> None:
        self.records: Counter[PartitionKey] = Counter()
        self.changes: Counter[str] = Counter()
        self._partial_records: set[PartialRecord] = set()

    def add(
        self, name: str | None, assignment: Assignment | None, partial_record: PartialRecord | None
    ) -> None:
        """Count one change. `name` is its object, `None` when it has none yet."""
        if name is not None:
            self.changes[name] += 1
        # One record may have parts in several places: it is counted at the first one.
        if partial_record is not None:
            self._add_part(partial_record)
        elif assignment is not None:
            self.records[_partition_key(assignment)] += 1

    def add_with_superseded(self, name: str, change: Change) -> None:
        """Count a change and the older changes that it supersedes."""
        self.add(name, change.assignment, change.partial_record)
        self.add_superseded(name, change)

    def add_superseded(self, name: str | None, change: Change) -> None:
        """Count the older changes that a change supersedes."""
        for entry in change.superseded or ():
            for _, partial_record in entry.kept:
                self.add(name, entry.assignment, partial_record)
            for partial_record in entry.partial_records:
                self.add(name, entry.assignment, partial_record)
            self.add_count(name, entry.assignment, entry.bare_count)

    def add_count(self, name: str | None, assignment: Assignment, count: int) -> None:
        """Count changes that are the only change of their record."""
        if name is not None:
            self.changes[name] += count
        self.records[_partition_key(assignment)] += count

    def _add_part(self, partial_record: PartialRecord) -> None:
        if partial_record not in self._partial_records:
            self._partial_records.add(partial_record)
            self.records[_partition_key(partial_record.assignment)] += 1


def count_open(state: EngineState, outbox: Outbox | None) -> OpenCounts:
    """Return the counts over batchers, row buffers, outbox, parked and schema-waiting records."""
    open_counts = OpenCounts()
    for target, batcher in state.batchers.items():
        for change in batcher.changes():
            open_counts.add_with_superseded(target.object, change)
    for target, row_buffer in state.row_buffers.items():
        for bulk_batch in row_buffer.bulk_batches():
            for assignment, record_count in bulk_batch.record_counts.items():
                open_counts.add_count(target.object, assignment, record_count.count)
            for partial_record in (*bulk_batch.partial_records.values(), *bulk_batch.conflated):
                open_counts.add(target.object, None, partial_record)
    for posted in outbox.posted() if outbox is not None else ():
        open_counts.add(posted.object, posted.assignment, posted.partial_record)
        if posted.change is not None:
            open_counts.add_superseded(posted.object, posted.change)
    for assignment in state.progress.owned:
        open_counts.add_count(
            None, assignment, state.parking.count(assignment) + state.waiting.count(assignment)
        )
    return open_counts


def _partition_key(assignment: Assignment) -> PartitionKey:
    return assignment.topic, assignment.partition
