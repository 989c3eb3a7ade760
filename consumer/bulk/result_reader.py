"""A job of the CRM is over: its result files are fetched and told to the spool, until every row is told of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from consumer.bulk.answers import Done
from consumer.bulk.crm_results import Counts, note_accepted, note_refused, note_unprocessed
from consumer.bulk.requests import Step
from consumer.bulk.runner import Broken
from consumer.errors import HoldReason, Transient
from consumer.model import HoldLane, Operation

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.bulk.crm_gatherer import CrmGatherer
    from consumer.bulk.crm_requests import CrmJobs
    from consumer.bulk.crm_spool import CrmSpool
    from consumer.bulk.runner import JobEnd, JobRunner, JobWatch
    from consumer.clock import Clock

_READINGS: Final = 3
"""How often results are read that do not tell of every row, before what they leave out is sent again."""

_READ_AGAIN_S: Final = 30.0


class Load(NamedTuple):
    """What the jobs of one operation carry, and who is told how they fare."""

    crm: CrmGatherer
    spool: CrmSpool
    operation: Operation
    watch: JobWatch

    @property
    def inserts(self) -> bool:
        """Whether sending a row twice makes two of it."""
        return self.crm.inserts and self.operation is Operation.UPSERT

    @property
    def deletes(self) -> bool:
        """Whether the rows name what is to be deleted."""
        return self.operation is Operation.DELETE or self.crm.crm.operation in {"delete", "hardDelete"}


class ResultReader:
    """Reads results as often as it takes; keeps nothing between jobs."""

    def __init__(self, runner: JobRunner, api: CrmJobs, clock: Clock) -> None:
        self._runner = runner
        self._api = api
        self._clock = clock

    async def read(self, load: Load, job_id: str, sent: Path, end: JobEnd) -> Counts:
        """Read the results of a job. `sent` is about as large as they are.

        Of a job that nobody knows there are none. What a job that failed or was aborted does not tell of, it did
        not come to. Rows of a complete job that repeated readings leave out are sent again, but never inserted.
        """
        counts = Counts()
        if isinstance(end, Broken) and end.job is None:
            return counts
        readings = 0
        while True:
            try:
                await self._read_once(load, job_id, sent, counts)
                unmentioned = 0 if isinstance(end, Broken) else load.spool.unmentioned_count()
                fault = f"its results tell nothing of {unmentioned} rows" if unmentioned else None
            except Transient as error:
                fault = error.detail
            readings += 1
            if fault is None or (readings >= _READINGS and not load.inserts):
                return counts
            if readings >= _READINGS:
                load.watch.held(HoldLane(HoldReason.SINK, f"job {job_id}: {fault}; nothing is inserted again"))
            await self._clock.sleep(_READ_AGAIN_S)

    async def _read_once(self, load: Load, job_id: str, sent: Path, counts: Counts) -> None:
        marking, spool, clock = load.crm.marking(load.operation), load.spool, self._clock
        into = load.crm.folder / "results.csv"
        load.watch.phase("reading results", job_id)
        await self._fetch(load, job_id, "successfulResults", sent, into)
        await note_accepted(into, marking, spool, counts, clock)
        await self._fetch(load, job_id, "failedResults", sent, into)
        await note_refused(into, marking, spool, counts, clock, deletes=load.deletes)
        await self._fetch(load, job_id, "unprocessedrecords", sent, into)
        await note_unprocessed(into, marking, spool, counts, clock)
        into.unlink()

    async def _fetch(self, load: Load, job_id: str, part: str, sent: Path, into: Path) -> None:
        """Fetch one result file. Raises: `Transient` when the service has none."""
        heard = await self._runner.step(
            Step.RESULTS,
            load.crm.target,
            load.watch,
            lambda token: self._api.results(token, job_id, part, sent, into),
        )
        if not isinstance(heard, Done):
            detail = f"{part}: {heard.detail}"
            raise Transient(detail)
