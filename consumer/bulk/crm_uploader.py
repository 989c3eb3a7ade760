"""Uploads the batches of sObjects as CRM jobs and gives every row its outcome."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from consumer.backoff import probe_interval_s
from consumer.bulk.answers import Done
from consumer.bulk.crm_file import write_file
from consumer.bulk.crm_requests import chunks_of_keys, found_ids, job_operation
from consumer.bulk.crm_results import dead_letter_detail
from consumer.bulk.crm_row_buffer import FILE_BYTES, JOURNAL, CrmBulkBatch, CrmRowBuffer
from consumer.bulk.crm_spool import ReopenedSpool
from consumer.bulk.disk import remove, until_written
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
    from consumer.bulk.crm_spool import CrmSpool, RefusedRow
    from consumer.bulk.job_journal import JobJournal, JournalEntry
    from consumer.bulk.job_state import Job
    from consumer.bulk.row_buffer import BulkBatch, RowBuffer
    from consumer.bulk.runner import JobEnd, JobRunner
    from consumer.bulk.step_sender import JobWatch
    from consumer.clock import Clock
    from consumer.http.messages import Request
    from consumer.model import Assignment, PartialRecord, Record

_DEAD_LETTERS_AT_A_TIME: Final = 500
_DEAD_LETTER_WAIT_S: Final = 0.05
_ASK_AGAIN_S: Final = 30.0
_UNDER_WAY: Final = frozenset({JobState.UPLOAD_COMPLETE, JobState.IN_PROGRESS})


class DeadLetterEvents(Protocol):
    """Receives the records of refused rows and sends them to the dead-letter topic."""

    def row_refused(
        self,
        assignment: Assignment,
        record: Record,
        fault: RecordFault,
        partial_record: PartialRecord | None,
    ) -> None:
        """Send the record of a row that the CRM refused."""
        ...

    def dead_letters_open(self) -> int:
        """Return how many dead letters are not confirmed yet."""
        ...


class CrmUploader:
    """Uploads the batches of sObjects; those of one sObject run one after the other.

    `mass_count`: when more rows than this are refused and none is accepted, the set-up is at fault.
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
        """Bring a job of an earlier run to its end.

        Rows of most jobs are sent again, which changes nothing. Inserted rows would exist twice:
        their results are read and noted, and decide when their records are read from Kafka again.
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
        # A closed insert job: only its results say which rows exist already.
        spool = await until_written(partial(_reopened, path), watch, self._clock)
        op_rows = OperationRows(crm, spool, Operation.UPSERT, watch)
        end = await self._end_of_insert(
            op_rows, left, await self._runner.adopt(crm.target, left.job_id, watch)
        )
        await self._results.read(op_rows, left.job_id, path, end)
        await op_rows.note_outcomes(self._clock)
        spool.close()
        await journal.cleared(watch, self._clock)

    async def upload(
        self, row_buffer: RowBuffer, bulk_batch: BulkBatch, journal: JobJournal, watch: JobWatch
    ) -> None:
        """Send one batch: deletes first, each operation in its own jobs."""
        crm = _crm(row_buffer)
        assert isinstance(bulk_batch, CrmBulkBatch)  # noqa: S101 - made by a CRM row buffer
        if crm.inserts:
            await until_written(
                partial(_apply_known_outcomes, crm, bulk_batch, self._clock), watch, self._clock
            )
            await self._dead_letter_refused(crm, bulk_batch, watch)
        for operation in (Operation.DELETE, Operation.UPSERT):
            op_rows = OperationRows(crm, bulk_batch.rows, operation, watch)
            repeats = 0
            while bulk_batch.rows.pending_count(operation):
                after_s = await self._one_job(op_rows, bulk_batch, journal, repeats)
                await self._dead_letter_refused(crm, bulk_batch, watch)
                if after_s:
                    watch.phase(f"waiting to send the remaining {operation.value}s", None)
                    await self._clock.sleep(after_s)
                # The wait grows only while jobs in a row leave rows behind.
                repeats = repeats + 1 if after_s else 0

    # ── one job ──────────────────────────────────────────────────────────────────────────────────

    async def _one_job(
        self,
        op_rows: OperationRows,
        bulk_batch: CrmBulkBatch,
        journal: JobJournal,
        repeats: int,
    ) -> float:
        """Send the rows without an outcome, as many as one upload takes.

        Returns: seconds to wait before the next job of this operation.
        """
        crm, spool, operation, watch = op_rows
        # A delete job needs the record id; the source only has the external id.
        if operation is Operation.DELETE and crm.looks_up_ids:
            await until_written(partial(self._look_up_ids, op_rows), watch, self._clock)
        await self._wait_for_other_jobs(op_rows)
        watch.phase(f"writing {operation.value}s", None)
        written = await until_written(
            partial(self._write_file, op_rows, bulk_batch), watch, self._clock
        )
        if written is None:
            return 0.0
        end = await self._runner.run_keeping_journal(
            JobPlan(crm.target, operation, (written,), spool.name), journal, watch
        )
        left = journal.read()
        # A closed job is left in the journal until its results are read.
        if left is None:  # aborted before it was closed: no row counts
            remove(written)
            return _held(watch, HoldReason.SINK, _detail(end), repeats)
        if op_rows.inserts:
            end = await self._end_of_insert(op_rows, left, end)
        counts = await self._results.read(op_rows, left.job_id, written, end)
        # If everything is refused, the set-up is at fault: a few rows become dead letters, the
        # others are held.
        mass = not counts.accepted and counts.refused > self._mass_count
        if mass:
            await until_written(partial(self._withdraw_refusals, spool), watch, self._clock)
        if op_rows.inserts:
            await op_rows.note_outcomes(self._clock)
        await journal.cleared(watch, self._clock)
        remove(written)
        if mass:
            detail = (
                f"job {left.job_id}: all {counts.refused} rows were refused and none was accepted; "
                "check the field mapping and the permissions of this user"
            )
            return _held(watch, HoldReason.MASS_REJECT, detail, repeats)
        if isinstance(end, Broken):
            return _held(watch, HoldReason.SINK, end.detail, repeats)
        if counts.left_out:
            detail = f"job {left.job_id}: {counts.left_out}; rows without an outcome are sent again"
            return _held(watch, HoldReason.SINK, detail, repeats)
        watch.released()
        return repeat_after_s(repeats) if counts.retried or counts.unprocessed else 0.0

    async def _write_file(self, op_rows: OperationRows, bulk_batch: CrmBulkBatch) -> Path | None:
        # Rows of partitions that were revoked while the disk took no writes must not go out.
        bulk_batch.write_backlog()
        crm, spool, operation, _ = op_rows
        return await write_file(crm, spool, operation, FILE_BYTES, self._clock)

    async def _withdraw_refusals(self, spool: CrmSpool) -> None:
        spool.withdraw_refusals(self._mass_count)

    async def _end_of_insert(
        self, op_rows: OperationRows, left: JournalEntry, end: JobEnd
    ) -> JobEnd:
        """Return how an insert job ended; ask on while the CRM does not know the job.

        Its rows may or may not be inserted, and inserting them late is better than twice.
        """
        while isinstance(end, Broken) and end.job is None:
            detail = (
                f"{end.detail}: its rows may be inserted already, so they are not sent again; to "
                f"insert them again, stop, remove {op_rows.crm.folder / JOURNAL} and start"
            )
            op_rows.watch.held(HoldLane(HoldReason.SINK, detail))
            await self._clock.sleep(_ASK_AGAIN_S)
            end = await self._runner.wait_until_over(op_rows.crm.target, left.job_id, op_rows.watch)
        return end

    async def _wait_for_other_jobs(self, op_rows: OperationRows) -> None:
        """Wait until no job of this user is active on the object.

        1. Another member closes a job, then loses a partition whose rows are in it.
        2. The next owner reads these rows, and newer ones of the same keys, and would send them.
        3. The CRM runs jobs in parallel and in any order, so the older rows could win.
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
        """Return the jobs of this user on the object, of the seven days that the CRM keeps.

        The list is asked for until it is complete: a job that is not seen could have older rows.
        """
        user, rest, probes = "", "", 0
        jobs: list[Job] = []

        def list_page(token: Token) -> Request:
            nonlocal user
            user = token.user
            return self._api.list_jobs(token, rest)

        while True:
            result = await self._runner.step(
                JobStep.LIST, op_rows.crm.target, op_rows.watch, list_page
            )
            if isinstance(result, Done):
                jobs += result.jobs
                # A locator that repeats would loop without end.
                if result.rest in {"", rest}:
                    break
                rest = result.rest
            else:
                op_rows.watch.held(
                    HoldLane(
                        HoldReason.CONFIG,
                        f"cannot list the ingest jobs: {result.detail}; give this user access to"
                        " the Bulk API",
                    )
                )
                await self._clock.sleep(probe_interval_s(probes))
                probes += 1
                jobs, rest = [], ""
        if probes:
            op_rows.watch.released()
        return [
            job
            for job in jobs
            # Without a user id, no job is known to be ours.
            if user and (job.object, job.created_by) == (op_rows.crm.target.object, user)
        ]

    async def _abort_abandoned(self, op_rows: OperationRows, own_jobs: list[Job]) -> None:
        """Abort jobs of this operation that were created without a response and stayed open."""
        for job in own_jobs:
            if job.operation == job_operation(op_rows.crm.crm, op_rows.operation) and is_abandoned(
                job, self._clock.wall_ms()
            ):
                await self._runner.abort_abandoned(op_rows.crm.target, job, op_rows.watch)

    # ── dead letters and look-ups ────────────────────────────────────────────────────────────────

    async def _dead_letter_refused(
        self, crm: CrmRowBuffer, bulk_batch: CrmBulkBatch, watch: JobWatch
    ) -> None:
        """Send the records of refused rows to the dead-letter topic, 500 at a time."""

        async def take() -> list[RefusedRow]:
            return bulk_batch.rows.take_refused(_DEAD_LETTERS_AT_A_TIME)

        while True:
            while self._events.dead_letters_open() >= _DEAD_LETTERS_AT_A_TIME:
                await self._clock.sleep(_DEAD_LETTER_WAIT_S)
            # No pause between taking and sending: a row that is taken counts as reported.
            refused = await until_written(take, watch, self._clock)
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
                continue  # revoked: the new owner sends it again
            partial_record = (
                bulk_batch.indexed_partials[kept.partial_record]
                if kept.partial_record >= 0
                else None
            )
            record = kept.record()
            # Count the record out of the batch: it is settled by its dead letter, not by the job.
            bulk_batch.refuse(assignment, len(record), partial_record)
            self._events.row_refused(assignment, record, fault, partial_record)

    async def _look_up_ids(self, op_rows: OperationRows) -> None:
        """Look up the ids of the records to delete; a missing record needs no delete."""
        crm, spool, operation, watch = op_rows
        into, field = crm.folder / "found.json", crm.crm.described.primary_key
        watch.phase("looking up ids", None)
        for rows in spool.pending(operation, _DEAD_LETTERS_AT_A_TIME):
            for keys in chunks_of_keys([row[0] for row in rows]):
                found = await self._query_ids(op_rows, field, keys, into)
                # The exact key first: the CRM compares without case, so both spellings can be
                # found.
                ids = [(found.get(key) or found.get(key.casefold()), key) for key in keys]
                spool.set_ids([(id_.encode(), key) for id_, key in ids if id_])
                spool.settle_without_sending([key for id_, key in ids if not id_])
        remove(into)

    async def _query_ids(
        self, op_rows: OperationRows, field: str, keys: list[str], into: Path
    ) -> dict[str, str]:
        """Return ids by key; the query is repeated until it succeeds.

        A key that is missed here would never be deleted.
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
                hold = HoldLane(
                    HoldReason.CONFIG, f"cannot look up ids of {target.object}: {result.detail}"
                )
            except Transient as fault:
                hold = HoldLane(
                    HoldReason.SINK, f"cannot look up ids of {target.object}: {fault.detail}"
                )
            op_rows.watch.held(hold)
            await self._clock.sleep(probe_interval_s(probes))
            probes += 1


async def _apply_known_outcomes(crm: CrmRowBuffer, bulk_batch: CrmBulkBatch, clock: Clock) -> None:
    """Give rows that an earlier run inserted the outcome that they had."""
    lows = [(one.topic, one.partition, low.offset) for one, low in bulk_batch.lows.items()]
    with closing(InsertJournal(crm.folder / INSERT_JOURNAL)) as insert_journal:
        # Offsets below these are committed, so their outcomes are not needed again.
        insert_journal.forget_before(lows)
        if not insert_journal.knows_any([low[:2] for low in lows]):
            return
        for piece in bulk_batch.rows.pending(Operation.UPSERT, _DEAD_LETTERS_AT_A_TIME):
            known = [(insert_journal.outcome(record), key, turn) for key, turn, _, record in piece]
            bulk_batch.rows.settle_turns(
                [(found[0], key, turn) for found, key, turn in known if found is not None]
            )
            await clock.sleep(0)


async def _reopened(path: Path) -> ReopenedSpool:
    return ReopenedSpool(path)


def _under_way(jobs: Iterable[Job]) -> Job | None:
    return next((job for job in jobs if job.state in _UNDER_WAY), None)


def _held(watch: JobWatch, reason: HoldReason, detail: str, repeats: int) -> float:
    watch.held(HoldLane(reason, detail))
    return repeat_after_s(repeats)


def _crm(row_buffer: RowBuffer) -> CrmRowBuffer:
    assert isinstance(row_buffer, CrmRowBuffer)  # noqa: S101 - the composition root pairs them
    return row_buffer


def _detail(end: JobEnd) -> str:
    return end.detail if isinstance(end, Broken) else "the job did not end"
