"""Rows gathered for an sObject to jobs of the CRM.

And every row to its outcome by the job's result files.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final, Protocol

from consumer.backoff import probe_interval_s
from consumer.bulk.answers import Done
from consumer.bulk.crm_file import write_file
from consumer.bulk.crm_requests import found_ids, job_operation, chunks_of_keys
from consumer.bulk.crm_results import dead_letter_detail
from consumer.bulk.crm_row_buffer import FILE_BYTES, JOURNAL, CrmBulkBatch, CrmRowBuffer
from consumer.bulk.crm_spool import ReopenedSpool
from consumer.bulk.insert_journal import INSERT_JOURNAL, InsertJournal
from consumer.bulk.job_state import BUSY_HOLD_S, JobState, busy_after_s, is_abandoned
from consumer.bulk.job_uploader import repeat_after_s
from consumer.bulk.requests import JobStep
from consumer.bulk.result_reader import OperationRows, ResultReader
from consumer.bulk.runner import Broken, JobPlan
from consumer.dead_letter.envelope import RecordFault
from consumer.delivery.verdicts import HoldLane
from consumer.errors import HoldReason, Reason, Transient
from consumer.model import Operation

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from consumer.auth.port import Token
    from consumer.bulk.crm_requests import CrmJobs
    from consumer.bulk.crm_spool import RefusedRow
    from consumer.bulk.job_journal import JobJournal, JournalEntry
    from consumer.bulk.job_state import Job
    from consumer.bulk.row_buffer import BulkBatch, RowBuffer
    from consumer.bulk.runner import JobEnd, JobRunner, JobWatch
    from consumer.clock import Clock
    from consumer.http.messages import Request
    from consumer.model import Assignment, PartialRecord, Record

_DEAD_LETTERS_AT_A_TIME: Final = 500
_DEAD_LETTER_WAIT_S: Final = 0.05
_ASK_AGAIN_S: Final = 30.0
_UNDER_WAY: Final = frozenset({JobState.UPLOAD_COMPLETE, JobState.IN_PROGRESS})


class DeadLetterEvents(Protocol):
    """Who sends the records of refused rows to the dead-letter topic."""

    def row_refused(
        self,
        assignment: Assignment,
        record: Record,
        fault: RecordFault,
        partial_record: PartialRecord | None,
    ) -> None:
        """The CRM refuses this row for good."""
        ...

    def dead_letters_open(self) -> int:
        """Return how many letters are under way."""
        ...


class CrmUploader:
    """Carries the gathers of sObjects, those of one after the other.

    `mass_count`: so many rows that are all refused, and none taken, are the set-up's fault.
    """

    def __init__(
        self,
        runner: JobRunner,
        api: CrmJobs,
        *,
        clock: Clock,
        events: DeadLetterEvents,
        mass_count: int,
    ) -> None:
        self._runner = runner
        self._api = api
        self._clock = clock
        self._events = events
        self._mass_count = mass_count
        self._results = ResultReader(runner, api, clock)

    async def settle_leftover_job(
        self, row_buffer: RowBuffer, journal: JobJournal, watch: JobWatch
    ) -> None:
        """See to it that a job of an earlier life is over.

        Rows of most jobs are sent again, which changes nothing. Rows that were inserted would be
        there twice: their outcome is read, and is theirs when their records are read again.
        """
        crm = _crm(row_buffer)
        left = journal.read()
        if left is None:
            return
        path = crm.folder / left.spool
        if not (
            crm.inserts and left.operation == Operation.UPSERT and left.closed and path.is_file()
        ):
            await self._runner.settle_leftover_job(crm.target, journal, watch)
            return
        spool = ReopenedSpool(path)
        op_rows = OperationRows(crm, spool, Operation.UPSERT, watch)
        end = await self._end_of_insert(
            op_rows, left, await self._runner.adopt(crm.target, left.job_id, watch)
        )
        await self._results.read(op_rows, left.job_id, path, end)
        await op_rows.note_outcomes(self._clock)
        spool.close()
        journal.clear()

    async def upload(
        self, row_buffer: RowBuffer, bulk_batch: BulkBatch, journal: JobJournal, watch: JobWatch
    ) -> None:
        """Take one gather to its end: deletes first, each operation by its own jobs."""
        crm = _crm(row_buffer)
        assert isinstance(bulk_batch, CrmBulkBatch)  # noqa: S101 - of a CRM gatherer
        if crm.inserts:
            await _apply_known_outcomes(crm, bulk_batch, self._clock)
            await self._dead_letter_refused(crm, bulk_batch)
        for operation in (Operation.DELETE, Operation.UPSERT):
            op_rows = OperationRows(crm, bulk_batch.rows, operation, watch)
            repeats = 0
            while bulk_batch.rows.pending_count(operation):
                after_s = await self._one_job(op_rows, journal, repeats)
                await self._dead_letter_refused(crm, bulk_batch)
                if after_s:
                    watch.phase(f"waiting to send what is left of {operation.value}s", None)
                    await self._clock.sleep(after_s)
                repeats = repeats + 1 if after_s else 0

    # ── one job
    # ──────────────────────────────────────────────────────────────────────────────────────────

    async def _one_job(self, op_rows: OperationRows, journal: JobJournal, repeats: int) -> float:
        """Send what has no outcome yet, or as much of it as one upload takes.

        Return the wait before the rest.
        """
        crm, spool, operation, watch = op_rows
        if operation is Operation.DELETE and crm.looks_up_ids:
            await self._look_up_ids(op_rows)
        await self._wait_for_other_jobs(op_rows)
        watch.phase(f"writing {operation.value}s", None)
        written = await write_file(crm, spool, operation, FILE_BYTES, self._clock)
        if written is None:
            return 0.0
        end = await self._runner.run_keeping_journal(
            JobPlan(crm.target, operation, (written,), spool.name), journal, watch
        )
        left = journal.read()
        if left is None:  # it was never closed, and nothing of it counts
            written.unlink()
            return _held(watch, HoldReason.SINK, _detail(end), repeats)
        if op_rows.inserts:
            end = await self._end_of_insert(op_rows, left, end)
        counts = await self._results.read(op_rows, left.job_id, written, end)
        mass = not counts.accepted and counts.refused > self._mass_count
        if mass:
            spool.withdraw_refusals(self._mass_count)
        if op_rows.inserts:
            await op_rows.note_outcomes(self._clock)
        journal.clear()
        written.unlink()
        if mass:
            detail = f"job {left.job_id}: all of {counts.refused} rows were refused, none was taken"
            return _held(watch, HoldReason.MASS_REJECT, detail, repeats)
        if isinstance(end, Broken):
            return _held(watch, HoldReason.SINK, end.detail, repeats)
        if counts.left_out:
            detail = f"job {left.job_id}: {counts.left_out}; what they leave out is sent again"
            return _held(watch, HoldReason.SINK, detail, repeats)
        watch.released()
        return repeat_after_s(repeats) if counts.retried or counts.unprocessed else 0.0

    async def _end_of_insert(self, op_rows: OperationRows, left: JournalEntry, end: JobEnd) -> JobEnd:
        """Return how a job that inserts ended.

        One that nobody knows any more is asked for again, by name.

        Whether its rows were inserted cannot be told, and twice is worse than late.
        """
        while isinstance(end, Broken) and end.job is None:
            detail = (
                f"{end.detail}: whether its rows were inserted cannot be told, so they are"
                f" not sent again; stop,"
                f" remove {op_rows.crm.folder / JOURNAL} and start to have them inserted again"
            )
            op_rows.watch.held(HoldLane(HoldReason.SINK, detail))
            await self._clock.sleep(_ASK_AGAIN_S)
            end = await self._runner.wait_until_over(op_rows.crm.target, left.job_id, op_rows.watch)
        return end

    async def _wait_for_other_jobs(self, op_rows: OperationRows) -> None:
        """Wait for jobs of this user on the object.

        Another member's, whose older rows must not come last.

        1. A member closes a job, and loses a partition whose rows are in it. 2. The next owner
        reads these rows and newer ones of their keys, and would send them. 3. The CRM runs jobs
        side by side, in any order.
        """
        named, watch = op_rows.crm.target.object, op_rows.watch
        began_s = self._clock.now_s()
        while (other := _under_way(own_jobs := await self._own_jobs(op_rows))) is not None:
            watch.phase(f"waiting for {other.named}", None)
            if self._clock.now_s() - began_s >= BUSY_HOLD_S:
                watch.held(
                    HoldLane(HoldReason.SINK, f"{other.named} of this user is active on {named}")
                )
            await self._clock.sleep(busy_after_s())
        await self._abort_abandoned(op_rows, own_jobs)

    async def _own_jobs(self, op_rows: OperationRows) -> list[Job]:
        """Return the jobs of this user on the object, of the seven days that the CRM keeps them.

        However often that has to be asked for: older rows could be in a job that is not seen.
        """
        user, rest, probes = "", "", 0
        jobs: list[Job] = []

        def get_job(token: Token) -> Request:
            nonlocal user
            user = token.user
            return self._api.list_jobs(token, rest)

        while True:
            result = await self._runner.step(JobStep.LIST, op_rows.crm.target, op_rows.watch, get_job)
            if isinstance(result, Done):
                jobs += result.jobs
                if result.rest in {"", rest}:
                    break
                rest = result.rest
            else:
                op_rows.watch.held(
                    HoldLane(HoldReason.CONFIG, f"no jobs can be listed: {result.detail}")
                )
                await self._clock.sleep(probe_interval_s(probes))
                probes += 1
                jobs, rest = [], ""
        if probes:
            op_rows.watch.released()
        return [
            job
            for job in jobs
            if user and (job.object, job.created_by) == (op_rows.crm.target.object, user)
        ]

    async def _abort_abandoned(self, op_rows: OperationRows, own_jobs: list[Job]) -> None:
        """Abort jobs of the same kind that were left open: a creation whose answer never came."""
        for job in own_jobs:
            if job.operation == job_operation(op_rows.crm.crm, op_rows.operation) and is_abandoned(
                job, self._clock.wall_ms()
            ):
                await self._runner.abort_abandoned(op_rows.crm.target, job, op_rows.watch)

    # ── letters and look-ups
    # ─────────────────────────────────────────────────────────────────────────────

    async def _dead_letter_refused(self, crm: CrmRowBuffer, bulk_batch: CrmBulkBatch) -> None:
        """Send the records of refused rows to the dead-letter topic.

        No more at a time than memory is meant for.
        """
        while True:
            while self._events.dead_letters_open() >= _DEAD_LETTERS_AT_A_TIME:
                await self._clock.sleep(_DEAD_LETTER_WAIT_S)
            # From here to the last of them nothing may come between: they are counted out as they
            # are taken.
            refused = bulk_batch.rows.take_refused(_DEAD_LETTERS_AT_A_TIME)
            if not refused:
                return
            owners = {number: assignment for assignment, number in bulk_batch.owners.items()}
            for row in refused:
                self._dead_letter(crm, bulk_batch, row, owners)

    def _dead_letter(
        self,
        crm: CrmRowBuffer,
        bulk_batch: CrmBulkBatch,
        row: RefusedRow,
        owners: dict[int, Assignment],
    ) -> None:
        detail, field = dead_letter_detail(row.error, crm.columns)
        fault = RecordFault(
            reason=Reason.SINK_REJECTED,
            detail=detail,
            field=field,
            object=crm.target.object,
            first_failed_at_ms=self._clock.wall_ms(),
        )
        for kept in row.records:
            assignment = owners.get(kept.owner)
            if assignment is None or assignment not in bulk_batch.record_counts:
                continue  # another's by now, who sends it again
            partial_record = (
                bulk_batch.indexed_partials[kept.partial_record] if kept.partial_record >= 0 else None
            )
            record = kept.record()
            bulk_batch.refuse(assignment, len(record), partial_record)
            self._events.row_refused(assignment, record, fault, partial_record)

    async def _look_up_ids(self, op_rows: OperationRows) -> None:
        """Find the ids of the records to delete; what is not there needs no delete."""
        crm, spool, operation, watch = op_rows
        into, field = crm.folder / "found.json", crm.crm.described.primary_key
        watch.phase("looking up ids", None)
        for rows in spool.pending(operation, _DEAD_LETTERS_AT_A_TIME):
            for keys in chunks_of_keys([row[0] for row in rows]):
                found = await self._query_ids(op_rows, field, keys, into)
                ids = [(found.get(key) or found.get(key.casefold()), key) for key in keys]
                spool.set_ids([(id_.encode(), key) for id_, key in ids if id_])
                spool.settle_without_sending([key for id_, key in ids if not id_])
        into.unlink(missing_ok=True)

    async def _query_ids(
        self, op_rows: OperationRows, field: str, keys: list[str], into: Path
    ) -> dict[str, str]:
        """Return ids by key, however often that has to be asked for.

        What is missed here would never be deleted.
        """
        target, probes = op_rows.crm.target, 0
        while True:
            result = await self._runner.step(
                JobStep.QUERY,
                target,
                op_rows.watch,
                lambda token: self._api.query_ids(token, target, field, keys, into),
            )
            try:
                if isinstance(result, Done):
                    found = found_ids(into, field)
                    if probes:
                        op_rows.watch.released()
                    return found
                hold = HoldLane(HoldReason.CONFIG, f"no ids can be looked up: {result.detail}")
            except Transient as fault:
                hold = HoldLane(HoldReason.SINK, f"no ids can be looked up: {fault.detail}")
            op_rows.watch.held(hold)
            await self._clock.sleep(probe_interval_s(probes))
            probes += 1


async def _apply_known_outcomes(crm: CrmRowBuffer, bulk_batch: CrmBulkBatch, clock: Clock) -> None:
    """Let rows that were inserted before have the outcome that they had."""
    lows = [(one.topic, one.partition, low.offset) for one, low in bulk_batch.lows.items()]
    with closing(InsertJournal(crm.folder / INSERT_JOURNAL)) as insert_journal:
        insert_journal.forget_before(lows)
        if not insert_journal.knows_any([low[:2] for low in lows]):
            return
        for piece in bulk_batch.rows.pending(Operation.UPSERT, _DEAD_LETTERS_AT_A_TIME):
            known = [(insert_journal.outcome(record), key, turn) for key, turn, _, record in piece]
            bulk_batch.rows.settle_turns(
                [(found[0], key, turn) for found, key, turn in known if found is not None]
            )
            await clock.sleep(0)


def _under_way(jobs: Iterable[Job]) -> Job | None:
    return next((job for job in jobs if job.state in _UNDER_WAY), None)


def _held(watch: JobWatch, reason: HoldReason, detail: str, repeats: int) -> float:
    watch.held(HoldLane(reason, detail))
    return repeat_after_s(repeats)


def _crm(row_buffer: RowBuffer) -> CrmRowBuffer:
    assert isinstance(row_buffer, CrmRowBuffer)  # noqa: S101 - the composition root pairs them
    return row_buffer


def _detail(end: JobEnd) -> str:
    return end.detail if isinstance(end, Broken) else "the job came to no end"
