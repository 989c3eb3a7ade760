"""Runs one bulk job: create, upload, close, poll until it ends. Resumes a leftover job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

import msgspec

from consumer.backoff import jittered_pause_s, probe_interval_s
from consumer.bulk.answers import Busy, Done, NotFound, Refused
from consumer.bulk.job_journal import JournalEntry
from consumer.bulk.job_state import (
    BUSY_HOLD_S,
    HUNG_AFTER_S,
    NEW_STREAM_TRIES,
    HourlyJobs,
    Job,
    JobState,
    busy_after_s,
    is_abandoned,
    new_stream_wait_s,
    poll_after_s,
)
from consumer.bulk.requests import JobStep
from consumer.bulk.step_sender import StepObserver, StepSender
from consumer.delivery.verdicts import HoldLane
from consumer.errors import HoldReason
from consumer.model import Operation, Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.auth.port import Token, Tokens
    from consumer.bulk.job_journal import JobJournal
    from consumer.bulk.requests import JobApi
    from consumer.bulk.step_sender import JobWatch, StepEnd
    from consumer.clock import Clock
    from consumer.http.client import Transport
    from consumer.http.messages import Request
    from consumer.source.lease import Gate

_CLOSE_TRIES: Final = 3
"""How often closing an open job may be refused before the job is aborted."""

_CLOCKS_DIFFER_MS: Final = 60_000
"""How far the service's clock may be behind ours."""


class JobPlan(msgspec.Struct, frozen=True):
    """One job: files of one object and one operation, complete and on disk.

    `spool` goes into the journal, for a restart that has to read the job's results.
    """

    target: Target
    operation: Operation
    files: tuple[Path, ...]
    spool: str = ""


class Finished(msgspec.Struct, frozen=True):
    """The job is complete."""

    job: Job


class Broken(msgspec.Struct, frozen=True):
    """The job failed, or its outcome is unknown: its rows need another job.

    `job` is set when the service reports the end of the job; then it may have results too.
    """

    detail: str
    job: Job | None = None


JobEnd: TypeAlias = Finished | Broken


class RunnerObserver(StepObserver, Protocol):
    """Counts requests, and logs jobs that were found."""

    def job_over(self, target: Target, job: str) -> None:
        """A job ended."""
        ...

    def job_found(self, target: Target, job: str, action: str) -> None:
        """A job without an owner was found; `action` is what is done with it."""
        ...


class JobRunner:
    """Runs jobs; those of one object one after the other.

    Keeps no state but the number of jobs.
    """

    def __init__(
        self,
        api: JobApi,
        transport: Transport,
        tokens: Tokens,
        jobs: HourlyJobs,
        *,
        clock: Clock,
        rng: Callable[[], float],
        observer: RunnerObserver,
        gate: Gate,
    ) -> None:
        self._api = api
        self._sender = StepSender(
            transport, tokens, jobs, clock=clock, rng=rng, observer=observer, gate=gate
        )
        self._jobs = jobs
        self._clock = clock
        self._rng = rng
        self._observer = observer

    async def run(self, plan: JobPlan, journal: JobJournal, watch: JobWatch) -> JobEnd:
        """Run a job, and clear its journal when it ends.

        A job that the journal has from earlier must be settled first (`settle_leftover_job`).
        Transient faults and faults of the set-up are waited out, under a hold.
        """
        end = await self.run_keeping_journal(plan, journal, watch)
        await journal.cleared(watch, self._clock)
        return end

    async def run_keeping_journal(
        self, plan: JobPlan, journal: JobJournal, watch: JobWatch
    ) -> JobEnd:
        """Run a job; once it was closed, its journal stays until its results are read."""
        job = await self._create(plan, watch)
        try:
            entry = JournalEntry(job.id, plan.operation.value, spool=plan.spool)
            await journal.written(entry, watch, self._clock)
            for at, path in enumerate(plan.files):
                watch.phase(f"uploading file {at + 1} of {len(plan.files)}", job.id)
                result = await self.step(
                    JobStep.UPLOAD, plan.target, watch, self._upload(job.id, path)
                )
                if not isinstance(result, Done):
                    await self._abort(plan.target, job.id, watch)
                    await journal.cleared(watch, self._clock)
                    # The file may be stored or not: only a new job has every row exactly once.
                    return Broken(f"{job.named} was aborted: {result.detail}")
                entry = msgspec.structs.replace(entry, uploaded=at + 1)
                await journal.written(entry, watch, self._clock)
            watch.phase("closing", job.id)
            # Noted before the request: a job that may be closed must never count as open.
            closed = msgspec.structs.replace(entry, closed=True)
            await journal.written(closed, watch, self._clock)
            await self._close(plan.target, job.id, watch)
            return await self.wait_until_over(plan.target, job.id, watch)
        finally:
            self._jobs.ended()

    async def resume(self, plan: JobPlan, journal: JobJournal, watch: JobWatch) -> JobEnd:
        """Resume the job in the journal if it was closed; otherwise run a new one.

        For rows that are still on disk unchanged. A job that was not closed is aborted, because its
        last file may or may not be stored. The journal of a complete job stays until the caller has
        noted it, so that a restart at that moment finds the job and does not run it twice.
        """
        left = journal.read()
        if left is not None and left.closed:
            end = await self.adopt(plan.target, left.job_id, watch)
        else:
            await self.settle_leftover_job(plan.target, journal, watch)
            # Noted before the creation: after a crash in between, the job is found by its time.
            begun = JournalEntry("", plan.operation.value, begun_ms=self._clock.wall_ms())
            await journal.written(begun, watch, self._clock)
            end = await self.run_keeping_journal(plan, journal, watch)
        if isinstance(end, Broken):
            await journal.cleared(watch, self._clock)
        return end

    async def settle_leftover_job(
        self, target: Target, journal: JobJournal, watch: JobWatch
    ) -> None:
        """Bring a job of an earlier run to its end.

        An open job is aborted, one under way is waited for.
        """
        left = journal.read()
        if left is None:
            return
        find_job = (
            self._get_job(target, left.job_id, watch)
            if left.job_id
            else self._find_unnamed(target, left, watch)
        )
        job = await find_job
        if job is not None and job.state is JobState.OPEN:
            self._observer.job_found(target, job.named, "aborted: an earlier run left it open")
            await self._abort(target, job.id, watch)
        elif job is not None and job.state.is_over:
            self._observer.job_found(target, job.named, "ended: its rows are sent again")
        elif job is not None:
            self._observer.job_found(target, job.named, "adopted: a new job waits for its end")
            await self.wait_until_over(target, job.id, watch)
        await journal.cleared(watch, self._clock)

    async def adopt(self, target: Target, job_id: str, watch: JobWatch) -> JobEnd:
        """Wait for a job of an earlier run whose outcome is needed, and log it."""
        self._observer.job_found(
            target, f"job {job_id}", "adopted: its outcome is that of its rows"
        )
        return await self.wait_until_over(target, job_id, watch)

    async def abort_abandoned(self, target: Target, job: Job, watch: JobWatch) -> None:
        """Abort a job that has lost its creator, and log it."""
        self._observer.job_found(target, job.named, "aborted: open and untouched for half an hour")
        await self._abort(target, job.id, watch)

    # ── the steps ────────────────────────────────────────────────────────────────────────────────

    async def _create(self, plan: JobPlan, watch: JobWatch) -> Job:
        """Create a job, as soon as the limits and other jobs allow it."""
        not_found = 0
        named = False
        busy_since_s: float | None = None
        while True:
            await self._wait_for_quota(watch)
            watch.phase("creating", None)
            result = await self.step(
                JobStep.CREATE,
                plan.target,
                watch,
                lambda token: self._api.create(token, plan.target, plan.operation),
            )
            match result:
                case Done():
                    if named:
                        watch.released()
                    self._jobs.begun(self._clock.now_s())
                    return result.jobs[0]
                case Busy():
                    now_s = self._clock.now_s()
                    busy_since_s = now_s if busy_since_s is None else busy_since_s
                    other = await self._active_job_name(plan.target, watch)
                    watch.phase(f"waiting for {other}", None)
                    if now_s - busy_since_s >= BUSY_HOLD_S:
                        named = True
                        detail = (
                            f"{other} is active on {plan.target.object}; the service runs one job"
                            " per object"
                        )
                        watch.held(HoldLane(HoldReason.SINK, detail))
                    await self._clock.sleep(jittered_pause_s(busy_after_s(), self._rng()))
                # A new data stream returns 404 for about half a minute.
                case NotFound() if not_found < NEW_STREAM_TRIES - 1:
                    not_found += 1
                    await self._clock.sleep(new_stream_wait_s())
                case _:
                    not_found += 1
                    named = True
                    detail = (
                        f"cannot create a job for {plan.target.object}: {result.detail}; check"
                        " that the object exists and that this user may start jobs on it"
                    )
                    watch.held(HoldLane(HoldReason.CONFIG, detail))
                    await self._clock.sleep(probe_interval_s(not_found))

    async def _wait_for_quota(self, watch: JobWatch) -> None:
        while (wait_s := self._jobs.wait_s(self._clock.now_s())) != 0.0:
            if wait_s is None:
                watch.phase("waiting for a job of another object to end", None)
            else:
                watch.phase("waiting for the hourly job limit of the service", None)
            await self._clock.sleep(min(wait_s or busy_after_s(), busy_after_s()))

    async def _active_job_name(self, target: Target, watch: JobWatch) -> str:
        """Return the name of the active job on an object; abort it if it is abandoned."""
        result = await self.step(JobStep.LIST, target, watch, self._api.list_jobs)
        if not isinstance(result, Done):
            return "a job that the service does not list"
        for job in result.jobs:
            if (
                job.object == target.object
                and job.source in {"", target.connector}
                and not job.state.is_over
            ):
                if is_abandoned(job, self._clock.wall_ms()):
                    await self.abort_abandoned(target, job, watch)
                return job.named
        return "a job that the service does not list"

    async def _find_unnamed(
        self, target: Target, left: JournalEntry, watch: JobWatch
    ) -> Job | None:
        """Find a job that was created just before its id could be noted.

        It is open, and has not changed since its creation began.
        """
        result = await self.step(JobStep.LIST, target, watch, self._api.list_jobs)
        since_ms = left.begun_ms - _CLOCKS_DIFFER_MS
        for job in result.jobs if isinstance(result, Done) else ():
            is_like_it = (job.object, job.operation) == (target.object, left.operation)
            is_untouched = job.state is JobState.OPEN and job.changed_ms >= since_ms
            if is_like_it and is_untouched and job.source in {"", target.connector}:
                return job
        return None

    def _upload(self, job_id: str, path: Path) -> Callable[[Token], Request]:
        return lambda token: self._api.upload(token, job_id, path)

    async def _close(self, target: Target, job_id: str, watch: JobWatch) -> Refused | None:
        """Close the job. The state of the job is read by polling, not from this response."""
        result = await self.step(
            JobStep.CLOSE, target, watch, lambda token: self._api.close(token, job_id)
        )
        return result if isinstance(result, Refused) else None

    async def _abort(self, target: Target, job_id: str, watch: JobWatch) -> None:
        """Abort the job; if that fails, the next job on the object waits for it."""
        watch.phase("aborting", job_id)
        await self.step(JobStep.ABORT, target, watch, lambda token: self._api.abort(token, job_id))

    async def _get_job(self, target: Target, job_id: str, watch: JobWatch) -> Job | None:
        result = await self.step(
            JobStep.GET, target, watch, lambda token: self._api.get_job(token, job_id)
        )
        return result.jobs[0] if isinstance(result, Done) else None

    async def wait_until_over(self, target: Target, job_id: str, watch: JobWatch) -> JobEnd:
        """Poll until the job ends; abort it when it stays open and cannot be closed."""
        began_s, polls, refusals, reason = self._clock.now_s(), 0, 0, "the service gives no reason"
        while True:
            await self._clock.sleep(poll_after_s(polls))
            # The response of the close request may be lost, so an open job is closed again below.
            polls += 1
            job = await self._get_job(target, job_id, watch)
            if job is None:
                return Broken(f"job {job_id} is no longer known to the service")
            watch.phase(str(job.state), job_id)
            if job.state.is_over:
                self._observer.job_over(target, job.named)
            if job.state is JobState.COMPLETE:
                watch.released()
                return Finished(job)
            if job.state.is_over:
                return Broken(f"{job.named}: {job.message or reason}", job)
            if (
                job.state is JobState.OPEN
                and (refused := await self._close(target, job_id, watch)) is not None
            ):
                refusals += 1
                if refusals >= _CLOSE_TRIES:
                    reason = f"closing it was refused {_CLOSE_TRIES} times: {refused.detail}"
                    await self._abort(target, job_id, watch)
            waited_s = self._clock.now_s() - began_s
            if waited_s >= HUNG_AFTER_S:
                detail = (
                    f"{job.named} has been under way for {waited_s / 3600:.0f} h; it may still be "
                    "applied, so it is not sent again"
                )
                watch.held(HoldLane(HoldReason.SINK, detail))

    async def step(
        self, step: JobStep, target: Target, watch: JobWatch, make: Callable[[Token], Request]
    ) -> StepEnd:
        """Take one step: see `StepSender.step`."""
        return await self._sender.step(step, target, watch, make)
