"""Fetches the result files of an ended CRM job until every sent row has its outcome."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from consumer.bulk.answers import Done
from consumer.bulk.crm_results import Counts, note_accepted, note_refused, note_unprocessed
from consumer.bulk.crm_row_buffer import JOURNAL
from consumer.bulk.disk import disk_error, remove, until_written
from consumer.bulk.insert_journal import INSERT_JOURNAL, InsertJournal
from consumer.bulk.job_state import JobState
from consumer.bulk.requests import JobStep
from consumer.delivery.verdicts import HoldLane
from consumer.errors import HoldReason, Transient
from consumer.model import Operation

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.auth.port import Token
    from consumer.bulk.crm_requests import CrmJobs
    from consumer.bulk.crm_row_buffer import CrmRowBuffer
    from consumer.bulk.crm_spool import CrmSpool
    from consumer.bulk.job_state import Job
    from consumer.bulk.runner import JobEnd, JobRunner
    from consumer.bulk.step_sender import JobWatch
    from consumer.clock import Clock
    from consumer.http.messages import Request

_READ_TRIES: Final = 3
"""How often incomplete results are read before the rows that they leave out are sent again."""

_READ_AGAIN_S: Final = 30.0


class OperationRows(NamedTuple):
    """The rows of one operation of a batch, and the watch of its jobs."""

    crm: CrmRowBuffer
    spool: CrmSpool
    operation: Operation
    watch: JobWatch

    @property
    def inserts(self) -> bool:
        """Whether sending a row twice would create two records."""
        return self.crm.inserts and self.operation is Operation.UPSERT

    async def note_outcomes(self, clock: Clock) -> None:
        """Note the outcomes of inserted rows in the insert journal."""

        async def note() -> None:
            with closing(InsertJournal(self.crm.folder / INSERT_JOURNAL)) as insert_journal:
                await insert_journal.note(self.spool, clock)

        await until_written(note, self.watch, clock)

    @property
    def deletes(self) -> bool:
        """Whether the rows are deletes."""
        return self.operation is Operation.DELETE or self.crm.crm.operation in {
            "delete",
            "hardDelete",
        }


class ResultReader:
    """Reads results as often as needed; keeps no state between jobs."""

    def __init__(self, runner: JobRunner, api: CrmJobs, clock: Clock) -> None:
        self._runner = runner
        self._api = api
        self._clock = clock

    async def read(self, op_rows: OperationRows, job_id: str, sent: Path, end: JobEnd) -> Counts:
        """Read the results of a job. `sent` is a file of about their size.

        A job that the service does not know has none. Rows that the results of a failed or aborted
        job do not mention were not processed. Rows of a complete job that repeated reads leave out
        are sent again, except inserts.
        """
        counts = Counts()
        if end.job is None:
            return counts
        readings = 0
        while True:
            # After a full disk it is read again: rows that have an outcome keep it.
            counts.left_out = await until_written(
                partial(self._read_once, op_rows, end.job, job_id, sent, counts),
                op_rows.watch,
                self._clock,
            )
            readings += 1
            if not counts.left_out or (readings >= _READ_TRIES and not op_rows.inserts):
                return counts
            if readings >= _READ_TRIES:
                await op_rows.note_outcomes(self._clock)
                detail = (
                    f"job {job_id}: {counts.left_out}; its rows may be inserted already, so they "
                    "are not sent again; to insert them again, stop, remove "
                    f"{op_rows.crm.folder / JOURNAL} and start"
                )
                op_rows.watch.held(HoldLane(HoldReason.SINK, detail))
            await self._clock.sleep(_READ_AGAIN_S)

    async def _read_once(
        self, op_rows: OperationRows, job: Job, job_id: str, sent: Path, counts: Counts
    ) -> str:
        """Read all result files; return why rows have no outcome, empty when all have one."""
        marking, spool, clock = op_rows.crm.marking(op_rows.operation), op_rows.spool, self._clock
        into = op_rows.crm.folder / "results.csv"
        processed_before = counts.processed
        op_rows.watch.phase("reading results", job_id)
        try:
            await self._fetch(op_rows, job_id, "successfulResults", sent, into)
            await note_accepted(into, marking, spool, counts, clock)
            await self._fetch(op_rows, job_id, "failedResults", sent, into)
            await note_refused(into, marking, spool, counts, clock, deletes=op_rows.deletes)
            await self._fetch(op_rows, job_id, "unprocessedrecords", sent, into)
            await note_unprocessed(into, marking, spool, counts, clock)
        except Transient as error:
            return error.detail
        finally:
            remove(into)
        # A complete job must mention every row that was sent. A failed one only those it processed.
        if job.state is JobState.COMPLETE:
            missing = spool.unmentioned_count()
        else:
            missing = job.processed_count - (counts.processed - processed_before)
        rows = "row" if missing == 1 else "rows"
        return f"its results do not mention {missing} {rows}" if missing > 0 else ""

    async def _fetch(
        self, op_rows: OperationRows, job_id: str, part: str, sent: Path, into: Path
    ) -> None:
        """Fetch one result file. Raises: `Transient` when the service refuses it."""

        def get_result(token: Token) -> Request:
            _empty(into)  # an empty response writes no file, and means no rows
            return self._api.results(token, job_id, part, sent, into)

        result = await self._runner.step(
            JobStep.RESULTS, op_rows.crm.target, op_rows.watch, get_result
        )
        if not isinstance(result, Done):
            detail = f"{part}: {result.detail}"
            raise Transient(detail)


def _empty(path: Path) -> None:
    try:
        path.write_bytes(b"")
    except OSError as error:
        raise disk_error(error, path) from error
