"""The jobs of a backfill on virtual time: written, run, interrupted at every step, resumed."""

from __future__ import annotations

import asyncio
import csv
from io import StringIO
from typing import TYPE_CHECKING

import pytest

from consumer.bulk.job_state import HourlyJobs
from consumer.bulk.requests import IngestionJobs
from consumer.bulk.runner import JobRunner
from consumer.bulk.sorted_runs import KeptRow
from consumer.errors import Fatal
from consumer.operations.backfill.reading import sorted_runs_of
from consumer.operations.backfill.sending import JobFileWriter, JobSender
from consumer.operations.backfill.state import (
    Backfill,
    BackfillFolder,
    BackfillPhase,
    BackfillRequest,
)
from consumer.sandbox.in_process import InProcessTransport
from consumer.sandbox.virtual_time import VirtualLoop
from consumer.source.lease import NoGate
from tests.simulation.replaying import left_in
from tests.simulation.scenarios import scenario
from tests.simulation.test_job_runner import RecordingWatch
from tests.simulation.world import TOPIC, World

if TYPE_CHECKING:
    from pathlib import Path

UPSERTS = {
    f"u{at:02}": f"u{at:02},a@x.io,{at},2025-01-02T00:00:00.000Z\n".encode() for at in range(12)
}
DELETES = [f"d{at}" for at in range(5)]
FILE_BYTES = 120
"""Two rows, with their header."""


class Shown:
    """Keeps the last progress of each phase."""

    def __init__(self) -> None:
        self.steps: dict[str, tuple[int, int]] = {}
        self.reasons: list[str] = []

    def step(self, name: str, done: int, total: int, note: str = "") -> None:
        """Keep a step."""
        del note
        self.steps[name] = (done, total)

    def waits(self, reason: str) -> None:
        """Keep a wait."""
        self.reasons.append(reason)


class ApiUser:
    """A working folder whose rows have been read, and a tenant with the rows to delete."""

    def __init__(self, folder: Path) -> None:
        self.world = World()
        self.shown = Shown()
        self.folder = BackfillFolder(folder, BackfillRequest(topics=(TOPIC,)))
        self.runner = JobRunner(
            IngestionJobs(20.0),
            InProcessTransport(self.world.tenant, self.world.clock, latency_s=0.05),
            self.world.member().daemon._ports.tokens,
            HourlyJobs(),
            clock=self.world.clock,
            rng=lambda: 0.0,
            observer=RecordingWatch(),
            gate=NoGate(),
        )

    def read(self) -> Backfill:
        """Write rows as reading would: every key twice, the older first."""
        backfill = Backfill.begun(BackfillRequest(topics=(TOPIC,)), "0", (), ["customers"])
        (layers,) = sorted_runs_of(self.world.settings, self.folder, backfill).values()
        for rows in (
            dict.fromkeys([*UPSERTS, *DELETES], b"older\n"),
            UPSERTS | dict.fromkeys(DELETES, b""),
        ):
            for key, line in rows.items():
                layers.put(KeptRow(key, 1, 1, line))
            layers.flush()
        progress = backfill.objects["customers"]
        progress.record_count, progress.sorted_runs = (
            2 * (len(UPSERTS) + len(DELETES)) + 3,
            layers.listed,
        )
        progress.filtered_count, progress.dead_lettered_count = 2, 1
        backfill.phase = BackfillPhase.WRITING
        self.folder.keep(backfill)
        return backfill

    async def resume(self) -> Backfill:
        """Run what is left, as a new process."""
        left = self.folder.left()
        assert left is not None
        clock, settings = self.world.clock, self.world.settings
        if left.phase is BackfillPhase.WRITING:
            limits = {"file_bytes": FILE_BYTES, "files_per_job": 2}
            await JobFileWriter(
                settings, self.folder, clock=clock, display=self.shown, **limits
            ).write(left)
        if left.phase is BackfillPhase.SENDING:
            await JobSender(
                settings, self.folder, self.runner, clock=clock, display=self.shown
            ).send(left)
        return left

    async def cut_at(self, requests: int) -> None:
        """Resume until the tenant has had so many requests, then stop as a kill would."""
        task = asyncio.create_task(self.resume())
        await self.world.until(
            lambda: len([*self.world.tenant.requests]) >= requests or task.done()
        )
        task.cancel()
        await asyncio.wait([task])

    def completed(self) -> list[str]:
        """Return the operations of the completed jobs, in order."""
        jobs = self.world.tenant.bulk.jobs.values()
        return [job.operation for job in jobs if job.state == "JobComplete"]


@scenario
async def test_every_key_is_in_one_job_with_its_newest_row(tmp_path: Path) -> None:
    """Deletes come first, files stay within the limit, the counts add up, the disk is empty."""
    api = ApiUser(tmp_path)
    with api.folder:
        api.read()
        over = await api.resume()
        assert BackfillPhase.OVER is over.phase
        assert {BackfillPhase.WRITING: (34, 34), BackfillPhase.SENDING: (4, 4)} == api.shown.steps
        assert {*UPSERTS} == {*api.world.tenant.rows("customers")}
        assert ["delete", "upsert", "upsert", "upsert"] == [job.operation for job in over.jobs]
        assert [5, 4, 4, 4] == [job.row_count for job in over.jobs]
        assert [10, 8, 8, 8] == [job.record_count for job in over.jobs]
        assert [5, 4, 4, 4] == [job.conflated_count for job in over.jobs]
        api.folder.clear()
    assert [] == left_in(tmp_path)


def test_files_hold_what_the_service_reads(tmp_path: Path) -> None:
    """Upserts have the header in every file; deletes have none, and a Record Modified if any."""

    async def steps() -> None:
        api = ApiUser(tmp_path)
        with api.folder:
            backfill = api.read()
            writing = JobFileWriter(
                api.world.settings,
                api.folder,
                clock=api.world.clock,
                display=api.shown,
                file_bytes=FILE_BYTES,
            )
            await writing.write(backfill)
            files.update((path.name, path.read_text()) for path in _csv_files(tmp_path))

    files: dict[str, str] = {}
    VirtualLoop.run(steps())
    assert all(len(content) <= FILE_BYTES for content in files.values())
    removals = [*csv.reader(StringIO(files.pop("delete-1.csv") + files.pop("delete-2.csv")))]
    assert DELETES == [key for key, _ in removals]
    assert all(moment.endswith("Z") for _, moment in removals)
    assert all(content.startswith("id,email,age,updated_at\n") for content in files.values())
    written = (
        files[f"upsert-{number}.csv"].partition("\n")[2] for number in range(1, len(files) + 1)
    )
    assert b"".join(UPSERTS.values()).decode() == "".join(written)


def _csv_files(folder: Path) -> list[Path]:
    return [*folder.rglob("*.csv")]


@pytest.mark.parametrize("requests", range(1, 23))
@scenario
async def test_it_resumes_from_every_step_and_no_job_runs_twice(
    tmp_path: Path, requests: int
) -> None:
    """Interrupted after each request of a run: completed jobs stay, the rest is sent once."""
    api = ApiUser(tmp_path)
    with api.folder:
        api.read()
        await api.cut_at(requests)
        over = await api.resume()
        assert BackfillPhase.OVER is over.phase
        assert {*UPSERTS} == {*api.world.tenant.rows("customers")}
        assert ["delete", "upsert", "upsert", "upsert"] == api.completed()
        assert all(job.job_id for job in over.jobs)


@pytest.mark.parametrize(
    "script", ["close-job nth=2 fail-job", "upload nth=2 reset after", "close-job nth=2 vanish-job"]
)
@scenario
async def test_a_failed_job_is_a_hold_and_its_rows_go_into_another(
    tmp_path: Path, script: str
) -> None:
    """It waits with a hold and resumes by itself."""
    api = ApiUser(tmp_path)
    api.world.faults(script)
    with api.folder:
        api.read()
        await api.resume()
    assert {*UPSERTS} == {*api.world.tenant.rows("customers")}
    assert any(reason.startswith("SINK: job ") for reason in api.shown.reasons)
    assert "" == api.shown.reasons[-1]


@scenario
async def test_records_that_are_missing_in_the_jobs_end_it(tmp_path: Path) -> None:
    """A record that was read and is neither in a job, filtered nor dead-lettered is fatal."""
    api = ApiUser(tmp_path)
    with api.folder:
        api.read().objects["customers"].record_count += 1
        left = api.folder.left()
        assert left is not None
        left.objects["customers"].record_count += 1
        api.folder.keep(left)
        with pytest.raises(Fatal, match="customers: expected 35 records in its job files, got 34"):
            await api.resume()


@scenario
async def test_a_job_left_open_is_aborted(tmp_path: Path) -> None:
    """With `--afresh` the open job of an earlier run is aborted, so that it blocks nothing."""
    api = ApiUser(tmp_path)
    api.world.faults("upload nth=1 delay=10s")
    with api.folder:
        api.read()
        await api.cut_at(5)
        left = api.folder.left()
        assert left is not None
        sending = JobSender(
            api.world.settings,
            api.folder,
            api.runner,
            clock=api.world.clock,
            display=api.shown,
        )
        await sending.settle_open_job(left)
    assert {"Aborted"} == {job.state for job in api.world.tenant.bulk.jobs.values()}
