"""Object changes of one bulk target, gathered on disk until they are a job.

One gather open, one under way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.batching.batch import low_of
from consumer.bulk.spool import Spool, SpooledRow
from consumer.errors import Reason, RecordError
from consumer.model import RecordCount, Upsert

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
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
    """The rows of one job to be, and what is settled with it.

    `record_counts` count every record that is settled with it and became one change alone; `lows`
    are the positions that are held. `partial_records` are of the records that have other parts, by
    the place of their row; those in `conflated` belong to rows that were replaced. `pressed` says
    that memory is wanted back.
    """

    def __init__(self, spool: Spool, opened_s: float) -> None:
        self.spool = spool
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
        """How many changes are settled with it, those that were replaced included."""
        bare_count = sum(record_count.count for record_count in self.record_counts.values())
        return bare_count + len(self.partial_records) + len(self.conflated)

    def owner(self, assignment: Assignment) -> int:
        """Return the number of an assignment here."""
        return self.owners.setdefault(assignment, len(self.owners))

    def accepted(self) -> dict[Assignment, RecordCount]:
        """Return how many records there are by assignment whose rows are in the job.

        The others were conflated.
        """
        found = self.spool.record_counts()
        return {
            one: found[owner]
            for one, owner in self.owners.items()
            if one in self.record_counts and owner in found
        }

    def refuse(
        self, assignment: Assignment, value_bytes: int, partial_record: PartialRecord | None
    ) -> None:
        """Count one record out: it is accounted by its letter."""
        if partial_record is None:
            self.record_counts[assignment].add(-1, -value_bytes)
            return
        self.partial_records = {
            at: one for at, one in self.partial_records.items() if one is not partial_record
        }
        self.conflated = [one for one in self.conflated if one is not partial_record]

    def forget(self, gone: Collection[Assignment]) -> None:
        """Drop what belongs to assignments that are not ours any more."""
        self.spool.drop_owners([self.owners[one] for one in gone if one in self.owners])
        for assignment in gone:
            self.record_counts.pop(assignment, None)
            self.lows.pop(assignment, None)
        self.partial_records = {
            at: one for at, one in self.partial_records.items() if one.assignment not in gone
        }
        self.conflated = [one for one in self.conflated if one.assignment not in gone]


class RowBuffer:
    """Takes the changes of one target; `under_way` is the gather whose job runs, until `settle`."""

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
        self._open: BulkBatch | None = None
        self._in_turn = in_turn
        self._turn = 0
        self._batch_count = 0

    def add(
        self, changes: Sequence[Change], assignment: Assignment, now_s: float
    ) -> list[tuple[Change, RecordError]]:
        """Take the changes of one chunk, in offset order.

        Returns: the changes that no line of CSV can carry, each with its fault; they are held by
        nothing here.
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
                    bulk_batch.spool.put(rows)
                    rows.clear()
                    bulk_batch.spool.drop_key(change.key)
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
            if partial_record is not None or bulk_batch.partial_records:
                self._note_partial_record(bulk_batch, change.key, partial_record)
            bulk_batch.line_bytes += len(line)
            if (
                assignment not in bulk_batch.lows
                or change.record.offset() < bulk_batch.lows[assignment].offset
            ):
                bulk_batch.lows[assignment] = low_of(change.record)
        bulk_batch.spool.put(rows)
        bulk_batch.row_count += len(rows)
        return faults

    def is_due(self, now_s: float) -> bool:
        """Tell whether what is gathered is to become a job now."""
        bulk_batch = self._open
        if bulk_batch is None or self.under_way is not None or not bulk_batch.lows:
            return False
        return (
            bulk_batch.pressed
            or now_s - bulk_batch.opened_s >= self.flush.every_s
            or self._has_enough(bulk_batch)
        )

    def is_full(self) -> bool:
        """Tell whether nothing more is wanted.

        The next job has enough, and the one before is not over.
        """
        return (
            self._open is not None and self.under_way is not None and self._has_enough(self._open)
        )

    def press(self) -> None:
        """Memory is full: what holds some of it, because its records have parts elsewhere.

        Does not wait longer.
        """
        if self._open is not None and (self._open.partial_records or self._open.conflated):
            self._open.pressed = True

    def seal(self) -> BulkBatch:
        """Close what is gathered: it is under way from now on."""
        bulk_batch, self._open = self._open, None
        assert bulk_batch is not None  # noqa: S101 - only asked for when it is due
        self.under_way = bulk_batch
        return bulk_batch

    def settle(self) -> None:
        """Forget the gather whose job is over."""
        if self.under_way is not None:
            self.under_way.spool.close()
            self.under_way = None

    def drop(self, gone: Collection[Assignment]) -> None:
        """Forget the rows of assignments that are not ours any more, wherever they are."""
        for bulk_batch in self.bulk_batches():
            bulk_batch.forget(gone)

    def lows(self) -> Iterator[tuple[Assignment, Low]]:
        """Yield the lowest offset per partition of everything that is held here."""
        for bulk_batch in self.bulk_batches():
            yield from bulk_batch.lows.items()

    def buffered(self, assignment: Assignment) -> tuple[int, set[PartialRecord]]:
        """Return how many records of a partition wait for a job that has not begun.

        And the tickets of others.
        """
        bulk_batch = self._open
        if bulk_batch is None or assignment not in bulk_batch.record_counts:
            return 0, set()
        partial_records = {*bulk_batch.partial_records.values(), *bulk_batch.conflated}
        return bulk_batch.record_counts[assignment].count, {
            one for one in partial_records if one.assignment is assignment
        }

    def figures(self) -> tuple[int, int]:
        """Return rows and bytes of what is being gathered."""
        return (0, 0) if self._open is None else (self._open.row_count, self._open.line_bytes)

    def close(self) -> None:
        """Let go of everything: it is read from Kafka again."""
        for bulk_batch in self.bulk_batches():
            bulk_batch.spool.close()
        self._open = self.under_way = None

    def bulk_batches(self) -> list[BulkBatch]:
        """Return what is held here: the gather whose job runs, and the one that is open."""
        return [bulk_batch for bulk_batch in (self.under_way, self._open) if bulk_batch is not None]

    def _bulk_batch(self, now_s: float) -> BulkBatch:
        if self._open is None:
            self._batch_count += 1
            self._open = self._new_batch(self.folder / f"{self._batch_count}.rows", now_s)
        if not self._open.lows:
            self._open.opened_s = now_s
        return self._open

    def _new_batch(self, path: Path, now_s: float) -> BulkBatch:
        """Open what takes the rows of one job to be."""
        return BulkBatch(Spool(path), now_s)

    def _kept(self, bulk_batch: BulkBatch, change: Change, owner: int) -> bytes:
        """Return what is kept of a change's record beside its row.

        Nothing, where no row is refused alone.
        """
        del bulk_batch, change, owner
        return b""

    def _line(self, change: Change) -> bytes:
        """Return what is spooled of a change.

        An upsert's line; a delete's is written when the job is.
        """
        if not isinstance(change, Upsert):
            return b""
        line = self.csv.line(change.encoded)
        if len(line) + len(self.csv.header) > self.flush.bytes:
            detail = f"the row has {len(line)} bytes of CSV, more than one file carries"
            raise RecordError(Reason.RECORD_SIZE, detail)
        return line

    def _has_enough(self, bulk_batch: BulkBatch) -> bool:
        """Compare with `flush.bytes`.

        Rows that were replaced are counted out when it seems to be reached.
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
