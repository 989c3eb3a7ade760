"""One job from its creation to its outcome.

Create, upload, close, ask until it is over; nothing is left unsaid.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

import msgspec

from consumer.backoff import full_jitter_s, polite_s, probe_interval_s
from consumer.bulk.answers import RetryLater, Busy, Done, NotFound, Refused, Uncertain, read_outcome
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
    poll_after_s,
    new_stream_wait_s,
)
from consumer.bulk.requests import JobStep
from consumer.delivery.verdicts import HoldLane, RefreshToken
from consumer.errors import Hold, HoldReason, Transient
from consumer.http.messages import NoAnswer
from consumer.model import Operation, Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.auth.port import Token, Tokens
    from consumer.bulk.job_journal import JobJournal
    from consumer.bulk.requests import JobApi
    from consumer.clock import Clock
    from consumer.http.client import Transport
    from consumer.http.messages import HttpOutcome, Request

_HOLD_AFTER_RETRIES: Final = 6
"""A moment's fault that lasts longer is named as a hold."""

_CLOSE_TRIES: Final = 3
"""How often closing an open job may be refused before it is given up."""

_TOKEN_WAIT_S: Final = 1.0

_CLOCKS_DIFFER_MS: Final = 60_000
"""How far the service's clock may be behind ours."""


class JobPlan(msgspec.Struct, frozen=True):
    """What one job carries: files of one object and one operation, whole and on disk.

    `spool` is noted in the journal, for whoever has to read the job's results.
    """

    target: Target
    operation: Operation
    files: tuple[Path, ...]
    spool: str = ""


class Finished(msgspec.Struct, frozen=True):
    """The job is complete."""

    job: Job


class Broken(msgspec.Struct, frozen=True):
    """The job came to nothing, or nobody knows to what: its rows need another.

    `job` is there when the service tells of its end: then it may tell of its rows too.
    """

    detail: str
    job: Job | None = None


JobEnd: TypeAlias = Finished | Broken


class JobWatch(Protocol):
    """Who is told how one job fares."""

    def phase(self, phase: str, job_id: str | None) -> None:
        """The job goes on to this."""
        ...

    def held(self, hold: HoldLane) -> None:
        """The job waits by name; told again and again while it does."""
        ...

    def released(self) -> None:
        """It goes on."""
        ...


class RunnerObserver(Protocol):
    """Who counts requests and logs what was found."""

    def job_answered(self, target: Target, step: str, result: str, elapsed_s: float) -> None:
        """A request ended: `result` is the status, or the kind of failure."""
        ...

    def job_over(self, target: Target, job: str) -> None:
        """A job came to its end."""
        ...

    def job_found(self, target: Target, job: str, action: str) -> None:
        """A job that nobody was waiting for was found, and what is done with it."""
        ...


class JobRunner:
    """Runs jobs, each object's one after the other.

    Keeps nothing of them but how many there were.
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
    ) -> None:
        self._api = api
        self._transport = transport
        self._tokens = tokens
        self._jobs = jobs
        self._clock = clock
        self._rng = rng
        self._observer = observer

    async def run(self, plan: JobPlan, journal: JobJournal, watch: JobWatch) -> JobEnd:
        """Run a job from the beginning.

        What the journal knows from earlier must be settled (`settle_leftover_job`).

        Waits for as long as it takes for whatever is the moment's or the set-up's fault, naming it.
        """
        end = await self.run_keeping_journal(plan, journal, watch)
        journal.clear()
        return end

    async def run_keeping_journal(self, plan: JobPlan, journal: JobJournal, watch: JobWatch) -> JobEnd:
        """Run a job as `run` does; one that was closed stays in the journal.

        For whoever reads its results.
        """
        job = await self._create(plan, watch)
        try:
            entry = JournalEntry(job.id, plan.operation.value, spool=plan.spool)
            journal.write(entry)
            for at, path in enumerate(plan.files):
                watch.phase(f"uploading file {at + 1} of {len(plan.files)}", job.id)
                result = await self.step(
                    JobStep.UPLOAD, plan.target, watch, self._upload(job.id, path)
                )
                if not isinstance(result, Done):
                    await self._abort(plan.target, job.id, watch)
                    journal.clear()
                    return Broken(f"{job.named} was aborted: {result.detail}")
                entry = msgspec.structs.replace(entry, uploaded=at + 1)
                journal.write(entry)
            watch.phase("closing", job.id)
            journal.write(msgspec.structs.replace(entry, closed=True))
            await self._close(plan.target, job.id, watch)
            return await self.wait_until_over(plan.target, job.id, watch)
        finally:
            self._jobs.ended()

    async def resume(self, plan: JobPlan, journal: JobJournal, watch: JobWatch) -> JobEnd:
        """Go on with the job that the journal knows, if it was closed; else begin anew.

        For rows that are still on disk as they were: a job that is not closed is aborted, for
        nobody knows whether its last file counts. What is complete stays in the journal until the
        caller has noted it, so that a job which ended together with us is heard of again, and not
        run twice.
        """
        left = journal.read()
        if left is not None and left.closed:
            end = await self.adopt(plan.target, left.job_id, watch)
        else:
            await self.settle_leftover_job(plan.target, journal, watch)
            journal.write(JournalEntry("", plan.operation.value, begun_ms=self._clock.wall_ms()))
            end = await self.run_keeping_journal(plan, journal, watch)
        if isinstance(end, Broken):
            journal.clear()
        return end

    async def settle_leftover_job(self, target: Target, journal: JobJournal, watch: JobWatch) -> None:
        """See to it that a job of an earlier life is over.

        An open one is aborted, one under way waited for.
        """
        left = journal.read()
        if left is None:
            return
        asked = (
            self._get_job(target, left.job_id, watch)
            if left.job_id
            else self._find_unnamed(target, left, watch)
        )
        job = await asked
        if job is not None and job.state is JobState.OPEN:
            self._observer.job_found(
                target, job.named, "aborted: it was left open by an earlier run"
            )
            await self._abort(target, job.id, watch)
        elif job is not None and not job.state.is_over:
            self._observer.job_found(
                target, job.named, "adopted: waited for before a new one is made"
            )
            await self.wait_until_over(target, job.id, watch)
        journal.clear()

    async def adopt(self, target: Target, job_id: str, watch: JobWatch) -> JobEnd:
        """Wait for a job of an earlier life whose outcome is wanted, and say so."""
        self._observer.job_found(
            target, f"job {job_id}", "adopted: its outcome decides over its rows"
        )
        return await self.wait_until_over(target, job_id, watch)

    async def abort_abandoned(self, target: Target, job: Job, watch: JobWatch) -> None:
        """Abort a job that has lost its maker, and say so."""
        self._observer.job_found(target, job.named, "aborted: open and untouched for half an hour")
        await self._abort(target, job.id, watch)

    # ── the steps
    # ────────────────────────────────────────────────────────────────────────────────────────

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
                        watch.held(HoldLane(HoldReason.SINK, f"{other} is active on the object"))
                    await self._clock.sleep(polite_s(busy_after_s(), self._rng()))
                case NotFound() if not_found < NEW_STREAM_TRIES - 1:
                    not_found += 1
                    await self._clock.sleep(new_stream_wait_s())
                case _:
                    not_found += 1
                    named = True
                    watch.held(
                        HoldLane(HoldReason.CONFIG, f"no job can be created: {result.detail}")
                    )
                    await self._clock.sleep(probe_interval_s(not_found))

    async def _wait_for_quota(self, watch: JobWatch) -> None:
        while (wait_s := self._jobs.wait_s(self._clock.now_s())) != 0.0:
            if wait_s is None:
                watch.phase("waiting for a job of another object to end", None)
            else:
                watch.phase("waiting for the service's limit of jobs in an hour", None)
            await self._clock.sleep(min(wait_s or busy_after_s(), busy_after_s()))

    async def _active_job_name(self, target: Target, watch: JobWatch) -> str:
        """Name the job that is active on an object; one that has lost its maker is aborted."""
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

    async def _find_unnamed(self, target: Target, left: JournalEntry, watch: JobWatch) -> Job | None:
        """Find the job that was created as we ended, before its id was noted.

        Open, and untouched before that.
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
        """Say that all is uploaded. What the job makes of it is seen when it is asked."""
        result = await self.step(
            JobStep.CLOSE, target, watch, lambda token: self._api.close(token, job_id)
        )
        return result if isinstance(result, Refused) else None

    async def _abort(self, target: Target, job_id: str, watch: JobWatch) -> None:
        """Have the job thrown away; one that cannot be aborted is waited for when the next meets it."""
        watch.phase("aborting", job_id)
        await self.step(JobStep.ABORT, target, watch, lambda token: self._api.abort(token, job_id))

    async def _get_job(self, target: Target, job_id: str, watch: JobWatch) -> Job | None:
        result = await self.step(
            JobStep.GET, target, watch, lambda token: self._api.get_job(token, job_id)
        )
        return result.jobs[0] if isinstance(result, Done) else None

    async def wait_until_over(self, target: Target, job_id: str, watch: JobWatch) -> JobEnd:
        """Ask until the job is over.

        One that stays open and lets itself not be closed is aborted.
        """
        began_s, polls, refusals, reason = self._clock.now_s(), 0, 0, "no reason is given"
        while True:
            await self._clock.sleep(poll_after_s(polls))
            polls += 1
            job = await self._get_job(target, job_id, watch)
            if job is None:
                return Broken(f"job {job_id} is not known to the service any more")
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
                    reason = f"it cannot be closed: {refused.detail}"
                    await self._abort(target, job_id, watch)
            waited_s = self._clock.now_s() - began_s
            if waited_s >= HUNG_AFTER_S:
                detail = (
                    f"{job.named} has been under way for {waited_s / 3600:.0f} h; it may still"
                    f" be applied"
                )
                watch.held(HoldLane(HoldReason.SINK, detail))

    # ── one request
    # ──────────────────────────────────────────────────────────────────────────────────────

    async def step(
        self, step: JobStep, target: Target, watch: JobWatch, make: Callable[[Token], Request]
    ) -> Done | NotFound | Refused | Busy | Uncertain:
        """Take one step, however often it has to be asked for."""
        refused: Token | None = None
        retries = probes = 0
        while True:
            result, token = await self._send_step(step, target, make, refused)
            match result:
                case RefreshToken() if token is not None and self._tokens.refused(token):
                    refused = token
                case RefreshToken():
                    watch.held(
                        HoldLane(HoldReason.AUTH, "tokens are refused as soon as they are made")
                    )
                    await self._clock.sleep(probe_interval_s(probes))
                    probes += 1
                case HoldLane():
                    watch.held(result)
                    await self._clock.sleep(probe_interval_s(probes))
                    probes += 1
                    refused = None  # by now a token that is refused is an old one, and is replaced
                case RetryLater():
                    retries += 1
                    if retries >= _HOLD_AFTER_RETRIES:
                        detail = (
                            f"{step.value.replace('_', ' ')}: {result.cause}, {retries} times in"
                            f" a row"
                        )
                        watch.held(HoldLane(HoldReason.SINK, detail))
                    wait_s = full_jitter_s(retries, self._rng())
                    await self._clock.sleep(
                        max(wait_s, polite_s(result.after_s or 0.0, self._rng()))
                    )
                case _:
                    if retries >= _HOLD_AFTER_RETRIES or probes:
                        watch.released()
                    return result

    async def _send_step(
        self, step: JobStep, target: Target, make: Callable[[Token], Request], refused: Token | None
    ) -> tuple[
        Done | NotFound | Refused | Busy | Uncertain | RetryLater | RefreshToken | HoldLane, Token | None
    ]:
        try:
            token = await self._tokens.current()
            outcome = await self._transport.send(make(token))
        except Hold as hold:
            return HoldLane(hold.reason, hold.detail), None
        except Transient as fault:
            return RetryLater("no token", max(fault.after_s or 0.0, _TOKEN_WAIT_S)), None
        self._observer.job_answered(target, step.value, _result(outcome), outcome.elapsed_s)
        fresh_token = refused is not None and refused.serial != token.serial
        result = read_outcome(step, outcome, fresh_token=fresh_token, wall_ms=self._clock.wall_ms())
        if isinstance(result, Done):
            self._tokens.accepted(token)
        return result, token


def _result(outcome: HttpOutcome) -> str:
    return outcome.failure.value if isinstance(outcome, NoAnswer) else str(outcome.status)
