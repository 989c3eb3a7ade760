"""The second half of a backfill.

Rows become the files of jobs, and the jobs are run, one after the other.
"""

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
"""Between jobs of the same rows: each costs one of the twenty that an hour has."""


class JobFileWriter:
    """Writes the files of all jobs from the layers of rows. Cut off in the middle, it begins anew.

    `file_bytes` and `files_per_job` are the service's limits.
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
        """Write what every object gets, its removals before its rows.

        Raises: `Fatal` as the disk does.
        """
        sorted_runs = sorted_runs_of(self._settings, self._folder, backfill)
        for stale in self._folder.path.glob("job-*.json"):
            stale.unlink()  # of an earlier backfill, whose notes could not be read
        jobs: list[BackfillJob] = []
        for name, one in sorted_runs.items():
            jobs += await self._write_object(backfill, name, one)
        backfill.jobs = jobs
        backfill.phase = BackfillPhase.SENDING
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
                f"cannot write the files of jobs to {self._folder.path}: {error.strerror};"
                " once it can be, the same command goes on"
            )
            raise Fatal(detail) from error
        if written_count != row_count:
            detail = f"{name}: {row_count} records were mapped, and {written_count} are in its jobs"
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
    """The jobs of one object and one operation, while their files are written."""

    def __init__(
        self, name: str, files: CsvFiles, operation: Operation, files_per_job: int
    ) -> None:
        self._name = name
        self._files = files
        self._operation = operation
        self._files_per_job = files_per_job
        self._jobs: list[BackfillJob] = []

    def add(self, row: KeptRow, line: bytes) -> None:
        """Write the line of a row; it is of the job that has its file."""
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
        """All is written: return the jobs."""
        self._files.close()
        return self._jobs


class JobSender:
    """Runs the jobs; what one was not seen to complete is asked for, or sent anew.

    By whoever goes on.
    """

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
            if job.job_id is None:
                watch = _JobDisplay(self._display, at, len(backfill.jobs), job)
                job.job_id = await self._run_job(job, journal, watch)
                self._folder.keep(backfill)
            journal.clear()
            for path in self._paths(job):
                path.unlink(missing_ok=True)
            self._display.step(BackfillPhase.SENDING, at + 1, len(backfill.jobs))
        backfill.phase = BackfillPhase.OVER
        self._folder.keep(backfill)

    async def settle_open_job(self, backfill: Backfill) -> None:
        """See to it that no job of this backfill is left.

        An open one is aborted, one under way waited for.
        """
        for at, job in enumerate(backfill.jobs):
            if job.job_id is None:
                watch = _JobDisplay(self._display, at, len(backfill.jobs), job)
                await self._runner.settle_leftover_job(self._target(job), self._journal(at), watch)
                return

    async def _run_job(self, job: BackfillJob, journal: JobJournal, watch: _JobDisplay) -> str:
        """Run one job until one of its rows is complete, and return its id."""
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
        """Return the journal of one job, which is no other's."""
        return JobJournal(self._folder.path / f"job-{at}.json")

    def _target(self, job: BackfillJob) -> Target:
        return Target(self._connector, job.object)

    def _paths(self, job: BackfillJob) -> list[Path]:
        folder = self._folder.of_object(job.object)
        return [folder / name for name in job.files]


class _JobDisplay:
    """Hears how a job goes on, and shows it."""

    def __init__(self, display: ProgressDisplay, done: int, total: int, job: BackfillJob) -> None:
        self._display = display
        self._done = done
        self._total = total
        self._load = job

    def phase(self, phase: str, job_id: str | None) -> None:
        """The job goes on to this."""
        del job_id  # it is in the report, once it is complete
        note = f"{self._load.object}, {self._load.operation}: {phase}"
        self._display.step(BackfillPhase.SENDING, self._done, self._total, note)

    def held(self, hold: HoldLane) -> None:
        """The job waits by name."""
        self._display.waits(f"{hold.reason}: {hold.detail}")

    def released(self) -> None:
        """It goes on."""
        self._display.waits("")
