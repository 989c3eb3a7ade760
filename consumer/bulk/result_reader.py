"""A job of the CRM is over: its result files are fetched and told to the spool.

Until every row is told of.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final, NamedTuple

from consumer.bulk.answers import Done
from consumer.bulk.crm_results import Counts, note_accepted, note_refused, note_unprocessed
from consumer.bulk.crm_row_buffer import JOURNAL
from consumer.bulk.insert_journal import INSERT_JOURNAL, InsertJournal
from consumer.bulk.job_state import JobState
from consumer.bulk.requests import JobStep
from consumer.delivery.verdicts import HoldLane
from consumer.errors import Fatal, HoldReason, Transient
from consumer.model import Operation

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.auth.port import Token
    from consumer.bulk.crm_requests import CrmJobs
    from consumer.bulk.crm_row_buffer import CrmRowBuffer
    from consumer.bulk.crm_spool import CrmSpool
    from consumer.bulk.job_state import Job
    from consumer.bulk.runner import JobEnd, JobRunner, JobWatch
    from consumer.clock import Clock
    from consumer.http.messages import Request

_READ_TRIES: Final = 3
"""How often results are read that do not tell of every row, before what they leave out is sent
again."""

_READ_AGAIN_S: Final = 30.0


class OperationRows(NamedTuple):
    """What the jobs of one operation carry, and who is told how they fare."""

    crm: CrmRowBuffer
    spool: CrmSpool
    operation: Operation
    watch: JobWatch

    @property
    def inserts(self) -> bool:
        """Whether sending a row twice makes two of it."""
        return self.crm.inserts and self.operation is Operation.UPSERT

    async def note_outcomes(self, clock: Clock) -> None:
        """Note in the book what became of rows that were inserted."""
        with closing(InsertJournal(self.crm.folder / INSERT_JOURNAL)) as insert_journal:
            await insert_journal.note(self.spool, clock)

    @property
    def deletes(self) -> bool:
        """Whether the rows name what is to be deleted."""
        return self.operation is Operation.DELETE or self.crm.crm.operation in {
            "delete",
            "hardDelete",
        }


class ResultReader:
    """Reads results as often as it takes; keeps nothing between jobs."""

    def __init__(self, runner: JobRunner, api: CrmJobs, clock: Clock) -> None:
        self._runner = runner
        self._api = api
        self._clock = clock

    async def read(self, op_rows: OperationRows, job_id: str, sent: Path, end: JobEnd) -> Counts:
        """Read the results of a job. `sent` is about as large as they are.

        Of a job that nobody knows there are none. What a job that failed or was aborted does not
        tell of, it did not come to. Rows of a complete job that repeated readings leave out are
        sent again, but never inserted.
        """
        counts = Counts()
        if end.job is None:
            return counts
        readings = 0
        while True:
            counts.left_out = await self._read_once(op_rows, end.job, job_id, sent, counts)
            readings += 1
            if not counts.left_out or (readings >= _READ_TRIES and not op_rows.inserts):
                return counts
            if readings >= _READ_TRIES:
                await op_rows.note_outcomes(self._clock)
                detail = (
                    f"job {job_id}: {counts.left_out}; nothing is inserted again: stop, remove"
                    f" {op_rows.crm.folder / JOURNAL} and start to have what they leave out"
                    f" inserted again"
                )
                op_rows.watch.held(HoldLane(HoldReason.SINK, detail))
            await self._clock.sleep(_READ_AGAIN_S)

    async def _read_once(
        self, op_rows: OperationRows, job: Job, job_id: str, sent: Path, counts: Counts
    ) -> str:
        """Read all result files, and say what they leave out.

        Nothing, when they tell of every row.
        """
        marking, spool, clock = op_rows.crm.marking(op_rows.operation), op_rows.spool, self._clock
        into = op_rows.crm.folder / "results.csv"
        told_before = counts.processed
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
            into.unlink(missing_ok=True)
        if job.state is JobState.COMPLETE:
            missing = spool.unmentioned_count()
        else:
            missing = job.processed_count - (counts.processed - told_before)
        return f"its results tell nothing of {missing} rows" if missing > 0 else ""

    async def _fetch(
        self, op_rows: OperationRows, job_id: str, part: str, sent: Path, into: Path
    ) -> None:
        """Fetch one result file. Raises: `Transient` when the service has none."""

        def get_job(token: Token) -> Request:
            _empty(into)  # an answer of nothing at all writes nothing: there are no such rows
            return self._api.results(token, job_id, part, sent, into)

        result = await self._runner.step(JobStep.RESULTS, op_rows.crm.target, op_rows.watch, get_job)
        if not isinstance(result, Done):
            detail = f"{part}: {result.detail}"
            raise Transient(detail)


def _empty(path: Path) -> None:
    try:
        path.write_bytes(b"")
    except OSError as error:
        detail = f"cannot write {path}: {error.strerror}; its rows are read from Kafka again"
        raise Fatal(detail) from error
