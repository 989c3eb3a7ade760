"""Writes the CSV files of all jobs of a backfill, and runs the jobs one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consumer.bulk.csv import INGESTION, CsvRows, delete_line
from consumer.bulk.files import CsvFiles
from consumer.bulk.job_journal import JobJournal
from consumer.bulk.job_state import FILE_BYTES, FILES_PER_JOB
from consumer.bulk.runner import Broken, JobPlan
from consumer.errors import Fatal
from consumer.mapping.times import moment_text
from consumer.model import Operation, Target
from consumer.operations.backfill.reading import sorted_runs_of
from consumer.operations.backfill.state import BackfillJob, BackfillPhase

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.bulk.runner import JobRunner
    from consumer.bulk.sorted_runs import KeptRow, SortedRuns
    from consumer.clock import Clock
    from consumer.config.settings import Settings
    from consumer.delivery.verdicts import HoldLane
    from consumer.operations.backfill.state import Backfill, BackfillFolder
    from consumer.operations.progress_display import ProgressDisplay

_FIRST_REPEAT_S: Final = 60.0
_LONGEST_REPEAT_S: Final = 600.0
"""Wait between two jobs of the same rows: each uses up one of twenty an hour."""


class JobFileWriter:
    """Writes the files of all jobs from the sorted rows; interrupted, it starts over.

    `file_bytes` and `files_per_job` are the limits of the service.
    """

    def __init__(
        self,
        settings: Settings,
        folder: BackfillFolder,
        *,
        clock: Clock,
        display: ProgressDisplay,
        file_bytes: int = FILE_BYTES,
        files_per_job: int = FILES_PER_JOB,
    ) -> None:
        self._settings = settings
        self._folder = folder
        self._clock = clock
        self._display = display
        self._file_bytes = file_bytes
        self._files_per_job = files_per_job

    async def write(self, backfill: Backfill) -> None:
        """Write the files of every object, deletes before upserts.

        Raises: `Fatal` when the disk fails.
        """
        sorted_runs = sorted_runs_of(self._settings, self._folder, backfill)
        for stale in self._folder.path.glob("job-*.json"):
            stale.unlink()  # of an earlier backfill whose state.json was unreadable
        jobs: list[BackfillJob] = []
        for name, one in sorted_runs.items():
            jobs += await self._write_object(backfill, name, one)
        backfill.jobs = jobs
        backfill.phase = BackfillPhase.SENDING
        # The runs are deleted only after the state names the job files instead.
        for progress in backfill.objects.values():
            progress.sorted_runs = []
        self._folder.keep(backfill)
        for one in sorted_runs.values():
            one.listed.clear()
            one.sweep()

    async def _write_object(
        self, backfill: Backfill, name: str, sorted_runs: SortedRuns
    ) -> list[BackfillJob]:
        described = self._settings.connector.objects[name]
        deleted_at = (
            moment_text(self._clock.wall_ms()) if described.record_modified is not None else None
        )
        deletes = self._jobs(name, Operation.DELETE, b"")
        upserts = self._jobs(name, Operation.UPSERT, CsvRows(described.fields, INGESTION).header)
        progress = backfill.objects[name]
        written_count = 0
        row_count = progress.record_count - progress.filtered_count - progress.dead_lettered_count
        try:
            for piece in sorted_runs.pieces():
                for row in piece:
                    written_count += row.record_count
                    if row.line:
                        upserts.add(row, row.line)
                    else:
                        deletes.add(row, delete_line(row.key, deleted_at))
                self._display.step(BackfillPhase.WRITING, written_count, row_count, name)
                await self._clock.sleep(0)
            jobs = [*deletes.close(), *upserts.close()]
        except OSError as error:
            detail = (
                f"cannot write job files to {self._folder.path}: {error.strerror}; free disk space"
                " and run the same command again to resume"
            )
            raise Fatal(detail) from error
        # Every mapped record must be counted in exactly one job, or the report would not add up.
        if written_count != row_count:
            detail = (
                f"{name}: expected {row_count} records in its job files, got {written_count}; this "
                "is a bug: report it, and run the command with --afresh"
            )
            raise Fatal(detail)
        return jobs

    def _jobs(self, name: str, operation: Operation, header: bytes) -> _JobList:
        folder = self._folder.of_object(name)
        return _JobList(
            name,
            CsvFiles(folder, operation, header, self._file_bytes),
            operation,
            self._files_per_job,
        )


class _JobList:
    """The jobs of one object and operation, while their files are written."""

    def __init__(
        self, name: str, files: CsvFiles, operation: Operation, files_per_job: int
    ) -> None:
        self._name = name
        self._files = files
        self._operation = operation
        self._files_per_job = files_per_job
        self._jobs: list[BackfillJob] = []

    def add(self, row: KeptRow, line: bytes) -> None:
        """Write the line of a row, and count it in the job of its file."""
        self._files.write([line])
        if len(self._files.paths) > len(self._jobs) * self._files_per_job:
            self._jobs.append(BackfillJob(object=self._name, operation=self._operation.value))
        job = self._jobs[-1]
        name = self._files.paths[-1].name
        if not job.files or job.files[-1] != name:
            job.files.append(name)
        job.row_count += 1
        job.line_bytes += len(line)
        job.record_count += row.record_count
        job.accepted_count += row.own_count

    def close(self) -> list[BackfillJob]:
        """Close the files and return the jobs."""
        self._files.close()
        return self._jobs


class JobSender:
    """Runs the jobs. A restart resumes a job that was closed, and sends any other again."""

    def __init__(
        self,
        settings: Settings,
        folder: BackfillFolder,
        runner: JobRunner,
        *,
        clock: Clock,
        display: ProgressDisplay,
    ) -> None:
        self._connector = settings.connector.name
        self._folder = folder
        self._runner = runner
        self._clock = clock
        self._display = display

    async def send(self, backfill: Backfill) -> None:
        """Run every job that is not complete, however long that takes."""
        for at, job in enumerate(backfill.jobs):
            journal = self._journal(at)
            watch = _JobDisplay(self._display, at, len(backfill.jobs), job)
            if job.job_id is None:
                job.job_id = await self._run_job(job, journal, watch)
                self._folder.keep(backfill)
            # The id is in the state now. A restart before this line finds the complete job in the
            # journal.
            await journal.cleared(watch, self._clock)
            for path in self._paths(job):
                path.unlink(missing_ok=True)
            self._display.step(BackfillPhase.SENDING, at + 1, len(backfill.jobs))
        backfill.phase = BackfillPhase.OVER
        self._folder.keep(backfill)

    async def settle_open_job(self, backfill: Backfill) -> None:
        """Abort or wait for the job of this backfill that is not complete, if there is one."""
        for at, job in enumerate(backfill.jobs):
            if job.job_id is None:
                watch = _JobDisplay(self._display, at, len(backfill.jobs), job)
                await self._runner.settle_leftover_job(self._target(job), self._journal(at), watch)
                return

    async def _run_job(self, job: BackfillJob, journal: JobJournal, watch: _JobDisplay) -> str:
        """Run jobs with these rows until one is complete; return its id."""
        plan = JobPlan(self._target(job), Operation(job.operation), tuple(self._paths(job)))
        repeats = 0
        while isinstance(end := await self._runner.resume(plan, journal, watch), Broken):
            self._display.waits(f"SINK: {end.detail}")
            await self._clock.sleep(
                min(_LONGEST_REPEAT_S, _FIRST_REPEAT_S * 2.0 ** min(repeats, 8))
            )
            repeats += 1
        self._display.waits("")
        return end.job.id

    def _journal(self, at: int) -> JobJournal:
        """Return the journal of one job; each job has its own."""
        return JobJournal(self._folder.path / f"job-{at}.json")

    def _target(self, job: BackfillJob) -> Target:
        return Target(self._connector, job.object)

    def _paths(self, job: BackfillJob) -> list[Path]:
        folder = self._folder.of_object(job.object)
        return [folder / name for name in job.files]


class _JobDisplay:
    """Shows the progress of one job."""

    def __init__(self, display: ProgressDisplay, done: int, total: int, job: BackfillJob) -> None:
        self._display = display
        self._done = done
        self._total = total
        self._load = job

    def phase(self, phase: str, job_id: str | None) -> None:
        """Show the phase of the job."""
        del job_id  # shown in the report, once the job is complete
        note = f"{self._load.object}, {self._load.operation}: {phase}"
        self._display.step(BackfillPhase.SENDING, self._done, self._total, note)

    def held(self, hold: HoldLane) -> None:
        """Show the hold."""
        self._display.waits(f"{hold.reason}: {hold.detail}")

    def released(self) -> None:
        """End the display of the hold."""
        self._display.waits("")
