"""Buffers the changes of one bulk target on disk: one open batch, and one under way."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from consumer.batching.batch import low_of
from consumer.bulk.spool import Spool, SpooledRow
from consumer.errors import Hold, Reason, RecordError
from consumer.model import RecordCount, Upsert

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from consumer.bulk.csv import CsvRows
    from consumer.mapping.settings import FlushSettings
    from consumer.model import (
        Assignment,
        Change,
        Low,
        PartialRecord,
        Target,
    )


class BulkBatch:
    """The rows of one job, and what is settled with it.

    `record_counts` count the records that are settled with the batch and became exactly one change.
    `lows` are the positions that it holds. `partial_records` belong to records with other parts, by
    the place of their row; those in `conflated` belong to replaced rows. `pressed`: memory is full,
    so the batch does not wait for `flush.every`. `backlog`: writes that the disk does not take yet,
    in order; their rows are in memory.
    """

    def __init__(self, spool: Spool, opened_s: float) -> None:
        self.spool = spool
        self.backlog: deque[Callable[[], None]] = deque()
        self.opened_s = opened_s
        self.line_bytes = 0
        self.row_count = 0
        self.owners: dict[Assignment, int] = {}
        self.record_counts: dict[Assignment, RecordCount] = {}
        self.lows: dict[Assignment, Low] = {}
        self.partial_records: dict[tuple[str, int], PartialRecord] = {}
        self.conflated: list[PartialRecord] = []
        self.pressed = False

    @property
    def change_count(self) -> int:
        """How many changes are settled with the batch, replaced ones included."""
        bare_count = sum(record_count.count for record_count in self.record_counts.values())
        return bare_count + len(self.partial_records) + len(self.conflated)

    def owner(self, assignment: Assignment) -> int:
        """Return the number of an assignment in this batch."""
        return self.owners.setdefault(assignment, len(self.owners))

    def accepted(self) -> dict[Assignment, RecordCount]:
        """Return by assignment the records whose rows are in the job.

        The other records of the batch are conflated.
        """
        # A record whose row was replaced has no row in the spool any more.
        found = self.spool.record_counts()
        return {
            one: found[owner]
            for one, owner in self.owners.items()
            if one in self.record_counts and owner in found
        }

    def write_backlog(self) -> None:
        """Write what is in memory, in order; nothing is written twice.

        Raises: `Hold(SPOOL)` when the disk does not take it; the rest stays in memory.
        """
        while self.backlog:
            self.backlog[0]()
            self.backlog.popleft()

    def refuse(
        self, assignment: Assignment, value_bytes: int, partial_record: PartialRecord | None
    ) -> None:
        """Count one record out of the batch: its dead letter settles it."""
        if partial_record is None:
            self.record_counts[assignment].add(-1, -value_bytes)
            return
        self.partial_records = {
            at: one for at, one in self.partial_records.items() if one is not partial_record
        }
        self.conflated = [one for one in self.conflated if one is not partial_record]

    def forget(self, gone: Collection[Assignment]) -> None:
        """Drop the rows and positions of revoked assignments."""
        owners = [self.owners[one] for one in gone if one in self.owners]
        if owners:
            self.backlog.append(partial(self.spool.drop_owners, owners))
            with suppress(Hold):
                self.write_backlog()
        for assignment in gone:
            self.record_counts.pop(assignment, None)
            self.lows.pop(assignment, None)
        self.partial_records = {
            at: one for at, one in self.partial_records.items() if one.assignment not in gone
        }
        self.conflated = [one for one in self.conflated if one.assignment not in gone]


class RowBuffer:
    """Takes the changes of one target.

    `under_way` is the batch whose job runs, until `settle`. `in_turn` keeps every change of a key
    in order; otherwise the newest replaces the older ones. `dated_deletes`: deletes have a time.
    `disk_hold`: the disk does not take the rows of the open batch.
    """

    def __init__(
        self,
        target: Target,
        rows: CsvRows,
        flush: FlushSettings,
        folder: Path,
        *,
        in_turn: bool,
        dated_deletes: bool,
    ) -> None:
        self.target = target
        self.csv = rows
        self.flush = flush
        self.folder = folder
        self.dated_deletes = dated_deletes
        self.under_way: BulkBatch | None = None
        self.disk_hold: Hold | None = None
        self._open: BulkBatch | None = None
        self._in_turn = in_turn
        self._turn = 0
        self._batch_count = 0

    def add(
        self, changes: Sequence[Change], assignment: Assignment, now_s: float
    ) -> list[tuple[Change, RecordError]]:
        """Add the changes of one chunk, in offset order.

        Returns: the changes that a CSV line cannot carry, each with its fault; they are not
        buffered.
        """
        bulk_batch = self._bulk_batch(now_s)
        owner = bulk_batch.owner(assignment)
        rows: list[SpooledRow] = []
        faults: list[tuple[Change, RecordError]] = []
        record_count = bulk_batch.record_counts.setdefault(assignment, RecordCount())
        for change in changes:
            try:
                line = self._line(change)
            except RecordError as error:
                faults.append((change, error))
                continue
            partial_record = change.partial_record
            if partial_record is None:
                record_count.add(1, len(change.record))
            if self._in_turn:
                self._turn += 1
                if not isinstance(change, Upsert):
                    # A delete removes the earlier events of its key: they must be in the spool.
                    bulk_batch.backlog.append(partial(bulk_batch.spool.put, rows))
                    rows = []
                    bulk_batch.backlog.append(partial(bulk_batch.spool.drop_key, change.key))
            rows.append(
                SpooledRow(
                    change.key,
                    self._turn,
                    0 if isinstance(change, Upsert) else 1,
                    owner,
                    len(change.record) if partial_record is None else -1,
                    line,
                    self._kept(bulk_batch, change, owner),
                )
            )
            # The row may replace one whose record has other parts; that part is then conflated.
            if partial_record is not None or bulk_batch.partial_records:
                self._note_partial_record(bulk_batch, change.key, partial_record)
            bulk_batch.line_bytes += len(line)
            if (
                assignment not in bulk_batch.lows
                or change.record.offset() < bulk_batch.lows[assignment].offset
            ):
                bulk_batch.lows[assignment] = low_of(change.record)
        bulk_batch.backlog.append(partial(bulk_batch.spool.put, rows))
        bulk_batch.row_count += len(rows)
        # While the disk does not take writes, intake is paused: a few chunks stay in memory.
        if self.disk_hold is None:
            self.write_backlog()
        return faults

    def write_backlog(self) -> Hold | None:
        """Write the rows that the disk did not take; return the hold if it still does not."""
        self.disk_hold = None
        try:
            if self._open is not None:
                self._open.write_backlog()
        except Hold as hold:
            self.disk_hold = hold
        return self.disk_hold

    def is_due(self, now_s: float) -> bool:
        """Whether the open batch should become a job now."""
        bulk_batch = self._open
        if bulk_batch is None or self.under_way is not None or not bulk_batch.lows:
            return False
        if bulk_batch.backlog:
            return False
        return (
            bulk_batch.pressed
            or now_s - bulk_batch.opened_s >= self.flush.every_s
            or self._has_enough(bulk_batch)
        )

    def is_full(self) -> bool:
        """Whether intake must pause.

        The next job has enough and the last one still runs, or the disk does not take rows.
        """
        if self.disk_hold is not None:
            return True
        return (
            self._open is not None and self.under_way is not None and self._has_enough(self._open)
        )

    def press(self) -> None:
        """Send the open batch early, because memory is full.

        Only a batch that holds partial records uses memory; any other batch waits on.
        """
        if self._open is not None and (self._open.partial_records or self._open.conflated):
            self._open.pressed = True

    def seal(self) -> BulkBatch:
        """Close the open batch and return it; it is under way from now on."""
        bulk_batch, self._open = self._open, None
        assert bulk_batch is not None  # noqa: S101 - called only when a batch is due
        self.under_way = bulk_batch
        return bulk_batch

    def settle(self) -> None:
        """Drop the batch whose job has ended."""
        if self.under_way is not None:
            self.under_way.spool.close()
            self.under_way = None

    def drop(self, gone: Collection[Assignment]) -> None:
        """Drop the rows of revoked assignments from both batches."""
        for bulk_batch in self.bulk_batches():
            bulk_batch.forget(gone)
        if self._open is not None and self._open.backlog:
            self.write_backlog()

    def lows(self) -> Iterator[tuple[Assignment, Low]]:
        """Yield the lowest offset per partition of each batch."""
        for bulk_batch in self.bulk_batches():
            yield from bulk_batch.lows.items()

    def buffered(self, assignment: Assignment) -> tuple[int, set[PartialRecord]]:
        """Return what the open batch has of a partition: the number of its records.

        And the partial records, which belong to records with other parts.
        """
        bulk_batch = self._open
        if bulk_batch is None or assignment not in bulk_batch.record_counts:
            return 0, set()
        partial_records = {*bulk_batch.partial_records.values(), *bulk_batch.conflated}
        return bulk_batch.record_counts[assignment].count, {
            one for one in partial_records if one.assignment is assignment
        }

    def figures(self) -> tuple[int, int]:
        """Return rows and bytes of the open batch."""
        return (0, 0) if self._open is None else (self._open.row_count, self._open.line_bytes)

    def close(self) -> None:
        """Drop everything: it is read from Kafka again."""
        for bulk_batch in self.bulk_batches():
            bulk_batch.spool.close()
        self._open = self.under_way = None
        self.disk_hold = None

    def bulk_batches(self) -> list[BulkBatch]:
        """Return the batch under way and the open one, where they exist."""
        return [bulk_batch for bulk_batch in (self.under_way, self._open) if bulk_batch is not None]

    def _bulk_batch(self, now_s: float) -> BulkBatch:
        if self._open is None:
            self._batch_count += 1
            self._open = self._new_batch(self.folder / f"{self._batch_count}.rows", now_s)
        # The age counts from the oldest row; a batch emptied by a revocation starts again.
        if not self._open.lows:
            self._open.opened_s = now_s
        return self._open

    def _new_batch(self, path: Path, now_s: float) -> BulkBatch:
        """Return a new open batch."""
        return BulkBatch(Spool(path), now_s)

    def _kept(self, bulk_batch: BulkBatch, change: Change, owner: int) -> bytes:
        """Return the packed record of a row; empty, for this API never refuses single rows."""
        del bulk_batch, change, owner
        return b""

    def _line(self, change: Change) -> bytes:
        """Return the CSV line of an upsert; a delete has its line written with the job."""
        if not isinstance(change, Upsert):
            return b""
        line = self.csv.line(change.encoded)
        if len(line) + len(self.csv.header) > self.flush.bytes:
            detail = (
                f"expected at most {self.flush.bytes} bytes of CSV in a row and its header, got "
                f"{len(line) + len(self.csv.header)}; raise flush.bytes or map fewer fields"
            )
            raise RecordError(Reason.RECORD_SIZE, detail)
        return line

    def _has_enough(self, bulk_batch: BulkBatch) -> bool:
        """Whether the batch has reached `flush.bytes`.

        Replaced rows are subtracted only when the limit seems to be reached, because that reads the
        disk.
        """
        if bulk_batch.line_bytes >= self.flush.bytes:
            bulk_batch.line_bytes = bulk_batch.spool.line_bytes()
        return bulk_batch.line_bytes >= self.flush.bytes

    def _note_partial_record(
        self, bulk_batch: BulkBatch, key: str, partial_record: PartialRecord | None
    ) -> None:
        place = (key, self._turn)
        if (older := bulk_batch.partial_records.pop(place, None)) is not None:
            bulk_batch.conflated.append(older)
        if partial_record is not None:
            bulk_batch.partial_records[place] = partial_record
