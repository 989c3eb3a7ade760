"""Runs the jobs of each bulk target: seals a batch when it is due, settles it when it ends."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

from consumer.admin.port import BulkStatus
from consumer.backoff import probe_interval_s
from consumer.bulk.job_journal import JobJournal
from consumer.delivery.verdicts import HoldLane
from consumer.errors import HoldReason

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterable

    from consumer.bulk.job_uploader import JobUploader
    from consumer.bulk.row_buffer import BulkBatch, RowBuffer
    from consumer.clock import Clock
    from consumer.model import Assignment, Target

    Spawn = Callable[[Coroutine[object, object, None]], asyncio.Task[None]]

_LEAVE_S: Final = 3.0
"""How long a shutdown waits for open jobs to be aborted; otherwise the next start aborts them."""


class BulkEvents(Protocol):
    """Receives the outcome of batches, and the holds of jobs."""

    def bulk_batch_settled(self, target: Target, bulk_batch: BulkBatch) -> None:
        """The job of this batch is complete."""
        ...

    def lane_held(self, target: Target, hold: HoldLane) -> None:
        """The job of an object is on hold."""
        ...

    def lane_released(self, target: Target, hold: HoldLane) -> None:
        """The hold has ended."""
        ...


class _BulkLane:
    """The jobs of one object, one after the other, and the state of the running one."""

    def __init__(self, row_buffer: RowBuffer, events: BulkEvents) -> None:
        self.row_buffer = row_buffer
        self.journal = JobJournal(row_buffer.folder / "job.json")
        self.task: asyncio.Task[None] | None = None
        self.phase_now: str | None = None
        self.job_id: str | None = None
        self.held_by: HoldLane | None = None
        self._disk_probes = 0
        self._disk_probe_s = 0.0
        self._events = events

    def phase(self, phase: str, job_id: str | None) -> None:
        """Note the phase of the job."""
        self.phase_now, self.job_id = phase, job_id

    def held(self, hold: HoldLane) -> None:
        """Start a hold, unless one with this reason is active."""
        if self.held_by is None or self.held_by.reason is not hold.reason:
            self.released()
            self.held_by = hold
            self._events.lane_held(self.row_buffer.target, hold)

    def probe_disk(self, now_s: float) -> None:
        """Write the rows again that the disk did not take, when the next probe is due."""
        if self.row_buffer.disk_hold is None:
            return
        if self._disk_probes and now_s < self._disk_probe_s:
            return
        # The first failure was the row buffer's own; from then on it is probed here.
        hold = self.row_buffer.write_backlog() if self._disk_probes else self.row_buffer.disk_hold
        target = self.row_buffer.target
        if hold is None:
            self._disk_probes = 0
            self._events.lane_released(target, HoldLane(HoldReason.SPOOL, ""))
            return
        self._events.lane_held(target, HoldLane(hold.reason, hold.detail))
        self._disk_probe_s = now_s + probe_interval_s(self._disk_probes)
        self._disk_probes += 1

    def released(self) -> None:
        """End the active hold, if any."""
        if self.held_by is not None:
            held, self.held_by = self.held_by, None
            self._events.lane_released(self.row_buffer.target, held)


class BulkLanes:
    """Uploads the batches of every bulk target.

    No task outlives the task group behind `spawn`.
    """

    def __init__(
        self,
        row_buffers: Iterable[RowBuffer],
        uploader_of: Callable[[RowBuffer], JobUploader],
        *,
        clock: Clock,
        spawn: Spawn,
        events: BulkEvents,
    ) -> None:
        self._lanes = [_BulkLane(row_buffer, events) for row_buffer in row_buffers]
        self._uploader_of = uploader_of
        self._clock = clock
        self._spawn = spawn
        self._events = events
        self._closed = False

    def start(self) -> None:
        """Settle the jobs that an earlier run left."""
        for lane in self._lanes:
            if lane.journal.read() is not None:
                self._begin(lane)

    def pump(self) -> None:
        """Start a job for every batch that is due; called each second and after every job."""
        now_s = self._clock.now_s()
        for lane in self._lanes:
            lane.probe_disk(now_s)
            if lane.task is None and not self._closed and lane.row_buffer.is_due(now_s):
                lane.row_buffer.seal()
                self._begin(lane)

    def give_up(self, gone: Collection[Assignment]) -> None:
        """Cancel jobs that contain rows of revoked assignments, unless they are closed.

        A closed job runs on at the service and settles the rows that are still assigned here. An
        open job is aborted, for the new owner sends its revoked rows; the remaining rows go into a
        new job.
        """
        for lane in self._lanes:
            bulk_batch = lane.row_buffer.under_way
            if (
                bulk_batch is None
                or lane.task is None
                or not any(one in bulk_batch.lows for one in gone)
            ):
                continue
            entry = lane.journal.read()
            # Closed: the service applies the rows in any case, so the outcome must be awaited.
            if entry is None or not entry.closed:
                lane.task.cancel()

    async def leave(self) -> None:
        """Start no more jobs; abort the open ones before the process ends, if possible."""
        self._closed = True
        tasks = [lane.task for lane in self._lanes if lane.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(_LEAVE_S):
                for lane in self._lanes:
                    entry = lane.journal.read()
                    if entry is not None and not entry.closed:
                        await self._uploader_of(lane.row_buffer).settle_leftover_job(
                            lane.row_buffer, lane.journal, lane
                        )

    def close(self) -> None:
        """Drop the buffered rows: they are read from Kafka again."""
        self._closed = True
        for lane in self._lanes:
            if lane.task is not None:
                lane.task.cancel()
            lane.row_buffer.close()

    def progress(self) -> tuple[BulkStatus, ...]:
        """Return the state of the job of each object."""
        return tuple(self._progress(lane) for lane in self._lanes)

    def _progress(self, lane: _BulkLane) -> BulkStatus:
        rows, line_bytes = lane.row_buffer.figures()
        bulk_batch = lane.row_buffer.under_way
        return BulkStatus(
            object=lane.row_buffer.target.object,
            gathered_rows=rows,
            gathered_bytes=line_bytes,
            phase=lane.phase_now,
            job=lane.job_id,
            rows=0 if bulk_batch is None else bulk_batch.row_count,
        )

    def _begin(self, lane: _BulkLane) -> None:
        lane.task = self._spawn(self._run(lane))
        lane.task.add_done_callback(lambda task: self._ended(lane, task))

    def _ended(self, lane: _BulkLane, task: asyncio.Task[None]) -> None:
        """Start the next task of a lane when one has ended or was cancelled."""
        if not task.cancelled() and task.exception() is not None:
            return  # a bug: the task group ends the process
        lane.task = None
        lane.phase_now = lane.job_id = None
        if self._closed:
            return
        # Cancelled: the rows that are left, or the open job, still need a task.
        if lane.row_buffer.under_way is not None or lane.journal.read() is not None:
            self._begin(lane)
        else:
            self.pump()

    async def _run(self, lane: _BulkLane) -> None:
        """Settle a leftover job, then send the batch under way, however long that takes."""
        row_buffer, uploader = lane.row_buffer, self._uploader_of(lane.row_buffer)
        await uploader.settle_leftover_job(row_buffer, lane.journal, lane)
        bulk_batch = row_buffer.under_way
        if bulk_batch is None:
            lane.released()
            return
        await uploader.upload(row_buffer, bulk_batch, lane.journal, lane)
        lane.released()
        self._events.bulk_batch_settled(row_buffer.target, bulk_batch)
