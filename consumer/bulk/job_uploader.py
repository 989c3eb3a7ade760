"""Uploads bulk batches as jobs: the uploader protocol, and the Bulk Ingestion API."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from consumer.bulk.disk import remove, until_written
from consumer.bulk.files import write_files
from consumer.bulk.job_state import FILE_BYTES
from consumer.bulk.runner import Broken, JobPlan
from consumer.delivery.verdicts import HoldLane
from consumer.errors import HoldReason
from consumer.mapping.times import moment_text
from consumer.model import Operation

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.bulk.job_journal import JobJournal
    from consumer.bulk.row_buffer import BulkBatch, RowBuffer
    from consumer.bulk.runner import JobRunner
    from consumer.bulk.step_sender import JobWatch
    from consumer.clock import Clock

_FIRST_REPEAT_S: Final = 60.0
_LONGEST_REPEAT_S: Final = 600.0
"""Wait between two jobs of the same rows: each uses up one of the hourly or daily limit."""


class JobUploader(Protocol):
    """Brings bulk batches to their end, one after the other."""

    async def settle_leftover_job(
        self, row_buffer: RowBuffer, journal: JobJournal, watch: JobWatch
    ) -> None:
        """Bring a job of an earlier run to its end."""
        ...

    async def upload(
        self, row_buffer: RowBuffer, bulk_batch: BulkBatch, journal: JobJournal, watch: JobWatch
    ) -> None:
        """Return when every row of the batch has its outcome, however long that takes."""
        ...


def repeat_after_s(repeats: int) -> float:
    """Return the wait before the same rows go into another job."""
    return min(_LONGEST_REPEAT_S, _FIRST_REPEAT_S * 2.0 ** min(repeats, 8))


class IngestionUploader:
    """Uploads batches to the Bulk Ingestion API: first a job of deletes, then one of upserts."""

    def __init__(self, runner: JobRunner, clock: Clock) -> None:
        self._runner = runner
        self._clock = clock

    async def settle_leftover_job(
        self, row_buffer: RowBuffer, journal: JobJournal, watch: JobWatch
    ) -> None:
        """Bring a job of an earlier run to its end: see `JobUploader`."""
        await self._runner.settle_leftover_job(row_buffer.target, journal, watch)

    async def upload(
        self, row_buffer: RowBuffer, bulk_batch: BulkBatch, journal: JobJournal, watch: JobWatch
    ) -> None:
        """Send one batch: see `JobUploader`."""
        for operation in (Operation.DELETE, Operation.UPSERT):
            if bulk_batch.spool.count(operation):
                await self._upload_operation(row_buffer, bulk_batch, operation, journal, watch)

    async def _upload_operation(
        self,
        row_buffer: RowBuffer,
        bulk_batch: BulkBatch,
        operation: Operation,
        journal: JobJournal,
        watch: JobWatch,
    ) -> None:
        repeats = 0
        while True:
            watch.phase(f"writing {operation.value}s", None)
            # Written again for each job: the rows of a partition revoked meanwhile must not go out,
            # for its new owner may have sent newer ones.
            files = await until_written(
                partial(self._write_files, row_buffer, bulk_batch, operation), watch, self._clock
            )
            plan = JobPlan(row_buffer.target, operation, files)
            end = await self._runner.run(plan, journal, watch) if files else None
            for path in files:
                remove(path)
            if not isinstance(end, Broken):
                return
            watch.held(HoldLane(HoldReason.SINK, end.detail))
            await self._clock.sleep(repeat_after_s(repeats))
            repeats += 1

    async def _write_files(
        self, row_buffer: RowBuffer, bulk_batch: BulkBatch, operation: Operation
    ) -> tuple[Path, ...]:
        bulk_batch.write_backlog()
        return await write_files(
            bulk_batch.spool,
            operation,
            row_buffer.folder,
            header=row_buffer.csv.header,
            file_bytes=FILE_BYTES,
            deleted_at=self._now_text if row_buffer.dated_deletes else None,
            clock=self._clock,
        )

    def _now_text(self) -> str:
        return moment_text(self._clock.wall_ms())
