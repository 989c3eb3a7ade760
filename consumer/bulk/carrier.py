"""How the rows of a gather become jobs: the port of a carrier, and that of the Bulk Ingestion API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from consumer.bulk.files import write_files
from consumer.bulk.job_state import FILE_BYTES
from consumer.bulk.runner import Broken, JobPlan, JobWatch
from consumer.errors import HoldReason
from consumer.mapping.times import moment_text
from consumer.model import HoldLane, Operation

if TYPE_CHECKING:
    from consumer.bulk.gatherer import Gather, Gatherer
    from consumer.bulk.journal import Journal
    from consumer.bulk.runner import JobRunner
    from consumer.clock import Clock

_FIRST_REPEAT_S: Final = 60.0
_LONGEST_REPEAT_S: Final = 600.0
"""Between jobs of the same rows: each costs one of those that an hour or a day has."""


class Carrier(Protocol):
    """Takes gathers to their end, one after the other."""

    async def settle_left(self, gatherer: Gatherer, journal: Journal, watch: JobWatch) -> None:
        """See to it that a job of an earlier life is over."""
        ...

    async def carry(self, gatherer: Gatherer, gather: Gather, journal: Journal, watch: JobWatch) -> None:
        """Return when every row of the gather has its outcome, whatever that takes."""
        ...


def repeat_after_s(repeats: int) -> float:
    """Return the wait before the same rows go into another job."""
    return min(_LONGEST_REPEAT_S, _FIRST_REPEAT_S * 2.0 ** min(repeats, 8))


class IngestionCarrier:
    """Carries gathers to the Bulk Ingestion API: deletes first, each operation by its own job."""

    def __init__(self, runner: JobRunner, clock: Clock) -> None:
        self._runner = runner
        self._clock = clock

    async def settle_left(self, gatherer: Gatherer, journal: Journal, watch: JobWatch) -> None:
        """See to it that a job of an earlier life is over: see `Carrier`."""
        await self._runner.settle_left(gatherer.target, journal, watch)

    async def carry(self, gatherer: Gatherer, gather: Gather, journal: Journal, watch: JobWatch) -> None:
        """Take one gather to its end: see `Carrier`."""
        for operation in (Operation.DELETE, Operation.UPSERT):
            if gather.spool.count(operation):
                await self._carry_operation(gatherer, gather, operation, journal, watch)

    async def _carry_operation(
        self, gatherer: Gatherer, gather: Gather, operation: Operation, journal: Journal, watch: JobWatch
    ) -> None:
        repeats = 0
        while True:
            watch.phase(f"writing {operation.value}s", None)
            # Anew each time: rows may have gone to another owner meanwhile, who has sent newer ones.
            files = await write_files(
                gather.spool,
                operation,
                gatherer.folder,
                header=gatherer.csv.header,
                file_bytes=FILE_BYTES,
                deleted_at=self._now_text if gatherer.dated_deletes else None,
                clock=self._clock,
            )
            plan = JobPlan(gatherer.target, operation, files)
            end = await self._runner.run(plan, journal, watch) if files else None
            for path in files:
                path.unlink()
            if not isinstance(end, Broken):
                return
            watch.held(HoldLane(HoldReason.SINK, end.detail))
            await self._clock.sleep(repeat_after_s(repeats))
            repeats += 1

    def _now_text(self) -> str:
        return moment_text(self._clock.wall_ms())
