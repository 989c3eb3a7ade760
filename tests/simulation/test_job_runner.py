"""One job of files on disk, on virtual time: run, taken up again after a crash, and kept within the limits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from consumer.bulk.job_journal import JobJournal, JournalEntry
from consumer.bulk.job_state import HourlyJobs, JobState
from consumer.bulk.requests import IngestionJobs
from consumer.bulk.runner import Broken, Finished, JobPlan, JobRunner
from consumer.model import Operation, Target
from consumer.sandbox.in_process import InProcessTransport
from consumer.sandbox.wire import Endpoint
from tests.simulation.stories import story
from tests.simulation.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.delivery.verdicts import HoldLane

TARGET = Target("events", "customers")
FILE = b"id,email,age,updated_at\n1,a@x.io,3,2025-01-02T00:00:00.000Z\n"


class Told:
    """Watch and observer in one; keeps what it is told."""

    def __init__(self) -> None:
        self.phases: list[str] = []
        self.found: list[str] = []
        self.holds: list[str] = []

    def phase(self, phase: str, job_id: str | None) -> None:
        """A phase begins."""
        del job_id
        self.phases.append(phase)

    def held(self, hold: HoldLane) -> None:
        """A hold."""
        self.holds.append(hold.detail)

    def released(self) -> None:
        """Its end."""
        self.holds.clear()

    def job_answered(self, target: Target, step: str, result: str, elapsed_s: float) -> None:
        """A request ended."""
        del target, step, result, elapsed_s

    def job_over(self, target: Target, job: str) -> None:
        """A job ended."""
        del target, job

    def job_found(self, target: Target, job: str, action: str) -> None:
        """A job was found."""
        del target, job
        self.found.append(action)


class Desk:
    """A runner, a plan of two files, and its journal."""

    def __init__(self, folder: Path, jobs: HourlyJobs | None = None) -> None:
        self.world = World()
        self.told = Told()
        member = self.world.member()
        transport = InProcessTransport(self.world.tenant, self.world.clock, latency_s=0.05)
        self.runner = JobRunner(
            IngestionJobs(20.0),
            transport,
            member.daemon._ports.tokens,
            jobs or HourlyJobs(),
            clock=self.world.clock,
            rng=lambda: 0.0,
            observer=self.told,
        )
        self.files = (folder / "1.csv", folder / "2.csv")
        self.files[0].write_bytes(FILE)
        self.files[1].write_bytes(FILE.replace(b"\n1,", b"\n2,"))
        self.plan = JobPlan(TARGET, Operation.UPSERT, self.files)
        self.journal = JobJournal(folder / "job.json")

    def states(self) -> list[str]:
        """What became of every job, in order."""
        return [job.state for job in self.world.tenant.bulk.jobs.values()]

    def rows(self) -> list[str]:
        """The keys at the tenant."""
        return [*self.world.tenant.rows("customers")]

    async def cut_at(self, endpoint: Endpoint, count: int) -> None:
        """Run until so many requests of a kind were answered, and stop there as a crash would."""
        task = asyncio.create_task(self.runner.run(self.plan, self.journal, self.told))
        await self.world.until(
            lambda: sum(line.endpoint is endpoint for line in self.world.tenant.requests) >= count
        )
        task.cancel()
        await asyncio.wait([task])


@story
async def test_every_file_is_uploaded_and_the_journal_is_empty(tmp_path: Path) -> None:
    """Both files' rows arrive, the outcome names the job."""
    desk = Desk(tmp_path)
    end = await desk.runner.run(desk.plan, desk.journal, desk.told)
    assert isinstance(end, Finished)
    assert JobState.COMPLETE is end.job.state
    assert (["1", "2"], None) == (desk.rows(), desk.journal.read())


@pytest.mark.parametrize(
    ("endpoint", "count", "states"),
    [
        (Endpoint.UPLOAD, 1, ["Aborted", "JobComplete"]),
        (Endpoint.UPLOAD, 2, ["JobComplete"]),
        (Endpoint.CLOSE_JOB, 1, ["JobComplete"]),
    ],
)
@story
async def test_a_job_is_taken_up_where_it_was(
    tmp_path: Path, endpoint: Endpoint, count: int, states: list[str]
) -> None:
    """One whose files are all there is closed and waited for; another is aborted, its files go into a new one."""
    desk = Desk(tmp_path)
    await desk.cut_at(endpoint, count)
    assert isinstance(await desk.runner.resume(desk.plan, desk.journal, desk.told), Finished)
    assert (states, ["1", "2"]) == (desk.states(), desk.rows())


@story
async def test_a_job_that_ended_with_us_is_heard_of_again(tmp_path: Path) -> None:
    """Complete, and the process ended before that was noted: no second job of the same rows."""
    desk = Desk(tmp_path)
    first = await desk.runner.resume(desk.plan, desk.journal, desk.told)
    assert [] == desk.told.found
    assert first == await desk.runner.resume(desk.plan, desk.journal, desk.told)
    assert ["adopted: its outcome decides over its rows"] == desk.told.found
    assert ["JobComplete"] == desk.states()


@story
async def test_a_job_whose_id_was_never_noted_is_found_and_aborted(tmp_path: Path) -> None:
    """Created as the process ended: it is known by when it was to be."""
    desk = Desk(tmp_path)
    await desk.cut_at(Endpoint.CREATE_JOB, 1)
    desk.journal.write(JournalEntry("", "upsert", begun_ms=desk.world.clock.wall_ms() - 1_000))
    assert isinstance(await desk.runner.resume(desk.plan, desk.journal, desk.told), Finished)
    assert ["Aborted", "JobComplete"] == desk.states()
    assert ["aborted: it was left open by an earlier run"] == desk.told.found


@story
async def test_nothing_left_is_begun_anew(tmp_path: Path) -> None:
    """Resuming without a journal is running; so it is with one that cannot be read."""
    desk = Desk(tmp_path)
    (tmp_path / "job.json").write_bytes(b'{"job_id":')
    assert isinstance(await desk.runner.resume(desk.plan, desk.journal, desk.told), Finished)
    assert ["JobComplete"] == desk.states()


@story
async def test_a_job_that_is_gone_is_broken_when_taken_up(tmp_path: Path) -> None:
    """Whether its rows arrived nobody knows: the caller sends them again."""
    desk = Desk(tmp_path)
    desk.journal.write(JournalEntry("no-such-job", "upsert", uploaded=2, closed=True))
    end = await desk.runner.resume(desk.plan, desk.journal, desk.told)
    assert isinstance(end, Broken)
    assert "no-such-job" in end.detail
    assert desk.journal.read() is None


@story
async def test_the_limit_of_an_hour_is_waited_for(tmp_path: Path) -> None:
    """The second job begins when the first is an hour old, and says what it waits for."""
    desk = Desk(tmp_path, HourlyJobs(per_hour=1))
    await desk.runner.run(desk.plan, desk.journal, desk.told)
    await desk.runner.run(desk.plan, desk.journal, desk.told)
    first, second = (job.created_ms for job in desk.world.tenant.bulk.jobs.values())
    assert 3_600_000 <= second - first < 3_700_000
    assert "waiting for the service's limit of jobs in an hour" in desk.told.phases
    assert [] == desk.told.holds


@story
async def test_a_job_that_ends_badly_leaves_its_place_to_another(tmp_path: Path) -> None:
    """Broken or cut, it counts as running no longer."""
    jobs = HourlyJobs(at_a_time=1)
    desk = Desk(tmp_path, jobs)
    desk.world.faults("close-job fail-job")
    assert isinstance(await desk.runner.run(desk.plan, desk.journal, desk.told), Broken)
    await desk.cut_at(Endpoint.UPLOAD, 3)
    assert 0 == jobs.running
