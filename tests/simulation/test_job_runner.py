"""One bulk job on virtual time: run, resumed after a crash, and kept within the limits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from consumer.bulk.job_journal import JobJournal, JournalEntry
from consumer.bulk.job_state import HourlyJobs, JobState
from consumer.bulk.requests import IngestionJobs
from consumer.bulk.runner import Broken, Finished, JobPlan, JobRunner
from consumer.errors import HoldReason
from consumer.model import Operation, Target
from consumer.sandbox.in_process import InProcessTransport
from consumer.sandbox.wire import Endpoint
from consumer.source.lease import NoGate
from tests.simulation.scenarios import scenario
from tests.simulation.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.delivery.verdicts import HoldLane

TARGET = Target("events", "customers")
FILE = b"id,email,age,updated_at\n1,a@x.io,3,2025-01-02T00:00:00.000Z\n"


class RecordingWatch:
    """Records what a job reports, as its watch and as its observer."""

    def __init__(self) -> None:
        self.phases: list[str] = []
        self.found: list[str] = []
        self.holds: list[str] = []
        self.reasons: list[HoldReason] = []

    def phase(self, phase: str, job_id: str | None) -> None:
        """Record the phase."""
        del job_id
        self.phases.append(phase)

    def held(self, hold: HoldLane) -> None:
        """Record a hold."""
        self.holds.append(hold.detail)
        self.reasons.append(hold.reason)

    def released(self) -> None:
        """Record the end of a hold."""
        self.holds.clear()

    def job_answered(self, target: Target, step: str, result: str, elapsed_s: float) -> None:
        """Record the end of a request."""
        del target, step, result, elapsed_s

    def job_over(self, target: Target, job: str) -> None:
        """Record the end of a job."""
        del target, job

    def job_found(self, target: Target, job: str, action: str) -> None:
        """Record a job that was found."""
        del target, job
        self.found.append(action)


class ApiUser:
    """A runner, a plan of two files, and its journal."""

    def __init__(self, folder: Path, jobs: HourlyJobs | None = None) -> None:
        self.world = World()
        self.steps = RecordingWatch()
        member = self.world.member()
        transport = InProcessTransport(self.world.tenant, self.world.clock, latency_s=0.05)
        self.runner = JobRunner(
            IngestionJobs(20.0),
            transport,
            member.daemon._ports.tokens,
            jobs or HourlyJobs(),
            clock=self.world.clock,
            rng=lambda: 0.0,
            observer=self.steps,
            gate=NoGate(),
        )
        self.files = (folder / "1.csv", folder / "2.csv")
        self.files[0].write_bytes(FILE)
        self.files[1].write_bytes(FILE.replace(b"\n1,", b"\n2,"))
        self.plan = JobPlan(TARGET, Operation.UPSERT, self.files)
        self.journal = JobJournal(folder / "job.json")

    def states(self) -> list[str]:
        """Return the final state of every job, in order."""
        return [job.state for job in self.world.tenant.bulk.jobs.values()]

    def rows(self) -> list[str]:
        """Return the keys at the tenant."""
        return [*self.world.tenant.rows("customers")]

    async def cut_at(self, endpoint: Endpoint, count: int) -> None:
        """Run until so many requests of a kind were answered, then stop as a crash would."""
        task = asyncio.create_task(self.runner.run(self.plan, self.journal, self.steps))
        await self.world.until(
            lambda: sum(line.endpoint is endpoint for line in self.world.tenant.requests) >= count
        )
        task.cancel()
        await asyncio.wait([task])


@scenario
async def test_every_file_is_uploaded_and_the_journal_is_empty(tmp_path: Path) -> None:
    """The rows of both files arrive, and the outcome names the job."""
    api = ApiUser(tmp_path)
    end = await api.runner.run(api.plan, api.journal, api.steps)
    assert isinstance(end, Finished)
    assert JobState.COMPLETE is end.job.state
    assert (["1", "2"], None) == (api.rows(), api.journal.read())


@pytest.mark.parametrize(
    ("endpoint", "count", "states"),
    [
        (Endpoint.UPLOAD, 1, ["Aborted", "JobComplete"]),
        (Endpoint.UPLOAD, 2, ["JobComplete"]),
        (Endpoint.CLOSE_JOB, 1, ["JobComplete"]),
    ],
)
@scenario
async def test_a_job_is_resumed_where_it_was(
    tmp_path: Path, endpoint: Endpoint, count: int, states: list[str]
) -> None:
    """A job with all its files is closed and waited for; another is aborted and replaced."""
    api = ApiUser(tmp_path)
    await api.cut_at(endpoint, count)
    assert isinstance(await api.runner.resume(api.plan, api.journal, api.steps), Finished)
    assert (states, ["1", "2"]) == (api.states(), api.rows())


@scenario
async def test_a_job_that_completed_with_the_process_is_not_repeated(tmp_path: Path) -> None:
    """It is complete, and its end was not noted: no second job with the same rows."""
    api = ApiUser(tmp_path)
    first = await api.runner.resume(api.plan, api.journal, api.steps)
    assert [] == api.steps.found
    assert first == await api.runner.resume(api.plan, api.journal, api.steps)
    assert ["adopted: its outcome is that of its rows"] == api.steps.found
    assert ["JobComplete"] == api.states()


@scenario
async def test_a_job_whose_id_was_never_noted_is_found_and_aborted(tmp_path: Path) -> None:
    """It was created as the process ended, and is recognised by its creation time."""
    api = ApiUser(tmp_path)
    await api.cut_at(Endpoint.CREATE_JOB, 1)
    api.journal.write(JournalEntry("", "upsert", begun_ms=api.world.clock.wall_ms() - 1_000))
    assert isinstance(await api.runner.resume(api.plan, api.journal, api.steps), Finished)
    assert ["Aborted", "JobComplete"] == api.states()
    assert ["aborted: an earlier run left it open"] == api.steps.found


@scenario
async def test_resuming_without_a_journal_is_a_new_run(tmp_path: Path) -> None:
    """So is resuming with a journal that cannot be read."""
    api = ApiUser(tmp_path)
    (tmp_path / "job.json").write_bytes(b'{"job_id":')
    assert isinstance(await api.runner.resume(api.plan, api.journal, api.steps), Finished)
    assert ["JobComplete"] == api.states()


@scenario
async def test_a_job_that_is_gone_is_broken_when_resumed(tmp_path: Path) -> None:
    """Whether its rows arrived is unknown, so the caller sends them again."""
    api = ApiUser(tmp_path)
    api.journal.write(JournalEntry("no-such-job", "upsert", uploaded=2, closed=True))
    end = await api.runner.resume(api.plan, api.journal, api.steps)
    assert isinstance(end, Broken)
    assert "no-such-job" in end.detail
    assert api.journal.read() is None


@scenario
async def test_the_limit_of_an_hour_is_waited_for(tmp_path: Path) -> None:
    """The second job begins when the first is an hour old, and the wait is shown."""
    api = ApiUser(tmp_path, HourlyJobs(per_hour=1))
    await api.runner.run(api.plan, api.journal, api.steps)
    await api.runner.run(api.plan, api.journal, api.steps)
    first, second = (job.created_ms for job in api.world.tenant.bulk.jobs.values())
    assert 3_600_000 <= second - first < 3_700_000
    assert "waiting for the hourly job limit of the service" in api.steps.phases
    assert [] == api.steps.holds


@scenario
async def test_a_job_that_fails_no_longer_counts_as_running(tmp_path: Path) -> None:
    """Failed or interrupted, it makes place for another."""
    jobs = HourlyJobs(at_a_time=1)
    api = ApiUser(tmp_path, jobs)
    api.world.faults("close-job fail-job")
    assert isinstance(await api.runner.run(api.plan, api.journal, api.steps), Broken)
    await api.cut_at(Endpoint.UPLOAD, 3)
    assert 0 == jobs.running


@pytest.mark.holds("I14")
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("step", ["create-job", "upload", "close-job", "job"])
@scenario
async def test_a_pause_that_the_service_asks_for_is_kept(
    tmp_path: Path, step: str, status: int
) -> None:
    """No request of any job comes before Retry-After, and the wait is a RATE hold."""
    api = ApiUser(tmp_path)
    api.world.faults(f"{step} nth=1 status={status} retry-after=400")
    await api.runner.run(api.plan, api.journal, api.steps)
    lines = [
        line
        for line in api.world.tenant.requests
        if line.endpoint not in (Endpoint.TOKEN, Endpoint.EXCHANGE)
    ]
    [refused] = [at for at, line in enumerate(lines) if line.status == status]
    assert 400.0 <= lines[refused + 1].now_s - lines[refused].now_s <= 445.0
    assert [HoldReason.RATE] == api.steps.reasons
    assert [] == api.steps.holds
    assert ["1", "2"] == api.rows()
