"""Buffers the changes of one sObject on disk, with their records, until a CRM job sends them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consumer.bulk.crm_results import Marking
from consumer.bulk.crm_spool import CrmSpool
from consumer.bulk.disk import remove
from consumer.bulk.job_journal import JobJournal
from consumer.bulk.kept_records import keep
from consumer.bulk.row_buffer import BulkBatch, RowBuffer
from consumer.mapping.settings import CRM_ID, PLACE_KEY
from consumer.model import Operation

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.bulk.csv import CsvRows
    from consumer.mapping.settings import CrmTarget, FlushSettings
    from consumer.model import Change, PartialRecord, Record, Target

FILE_BYTES: Final = 100_000_000
"""Largest upload. Source: Bulk API 2.0 limits, 150 MB after base64 encoding."""

JOURNAL: Final = "job.json"


class CrmBulkBatch(BulkBatch):
    """A batch for the CRM.

    `indexed_partials`: the partial records; a kept record names one by its index in this list.
    """

    def __init__(self, spool: CrmSpool, opened_s: float) -> None:
        super().__init__(spool, opened_s)
        self.rows = spool
        self.indexed_partials: list[PartialRecord] = []


class CrmRowBuffer(RowBuffer):
    """Takes the changes of one sObject.

    `crm` is the operation and object of the route, `columns` are those of the CSV.
    """

    def __init__(
        self,
        target: Target,
        rows: CsvRows,
        flush: FlushSettings,
        folder: Path,
        *,
        crm: CrmTarget,
        columns: tuple[str, ...],
    ) -> None:
        self.crm = crm
        self.columns = columns
        self._part = 0
        self._last_record: Record | None = None
        self.inserts = crm.operation == "insert"
        super().__init__(
            target,
            rows,
            flush,
            folder,
            in_turn=crm.described.primary_key == PLACE_KEY,
            dated_deletes=False,
        )
        self._skip_leftover_files()

    @property
    def looks_up_ids(self) -> bool:
        """Whether the key of a delete is not the id, so that ids have to be looked up."""
        return self.crm.described.primary_key != CRM_ID

    def marking(self, operation: Operation) -> Marking:
        """Return how the results identify the rows of an operation."""
        if operation is Operation.DELETE:
            return Marking((CRM_ID,), CRM_ID)
        key = self.crm.described.primary_key
        return Marking(self.columns, None if key == PLACE_KEY else key)

    def seal(self) -> BulkBatch:
        """Close the open batch and return it; it is under way from now on."""
        bulk_batch = super().seal()
        assert isinstance(bulk_batch, CrmBulkBatch)  # noqa: S101 - made below
        bulk_batch.rows.seal()
        return bulk_batch

    def close(self) -> None:
        """Close everything; the file of an insert job that is closed stays for the next run."""
        bulk_batch = self.under_way
        entry = JobJournal(self.folder / JOURNAL).read()
        if (
            isinstance(bulk_batch, CrmBulkBatch)
            and self.inserts
            and entry is not None
            and entry.closed
        ):
            bulk_batch.rows.leave()
            self.under_way = None
        super().close()

    def _skip_leftover_files(self) -> None:
        """Delete the files of an earlier run that are not needed, and reuse no file name."""
        entry = JobJournal(self.folder / JOURNAL).read()
        left = entry.spool if self.inserts and entry is not None and entry.closed else ""
        for path in self.folder.glob("*.rows*"):
            number = path.name.partition(".")[0]
            if number.isdecimal():
                self._batch_count = max(self._batch_count, int(number))
            # Only the rows of a closed insert job are needed: their outcomes still have to be read.
            if not left or not path.name.startswith(left):
                remove(path)

    def _new_batch(self, path: Path, now_s: float) -> BulkBatch:
        self._last_record = None
        return CrmBulkBatch(CrmSpool(path, for_inserts=self.inserts), now_s)

    def _kept(self, bulk_batch: BulkBatch, change: Change, owner: int) -> bytes:
        """Pack the record; when the CRM refuses the row, it becomes the dead letter."""
        assert isinstance(bulk_batch, CrmBulkBatch)  # noqa: S101 - made above
        # One record can become several rows; the insert journal tells them apart by this number.
        self._part = self._part + 1 if change.record is self._last_record else 0
        self._last_record = change.record
        partial_record = -1
        if change.partial_record is not None:
            partial_record = len(bulk_batch.indexed_partials)
            bulk_batch.indexed_partials.append(change.partial_record)
        return keep(change.record, owner, partial_record, self._part)
