"""Source of a replay: gives the selected records of the checkpoint to the daemon.

It is a `Source` like Kafka's, so that the daemon maps, batches, sends and accounts as always. What
the daemon commits is written to the checkpoint, never to the group.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from consumer.errors import Fatal, Refusal
from consumer.model import Assignment
from consumer.operations.kafka.ranges import OffsetRange
from consumer.operations.replay.reading import READ_S
from consumer.operations.replay.state import ReplayPhase
from consumer.source.port import Chunk, Position

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consumer.clock import Clock
    from consumer.model import PartitionKey, Record
    from consumer.operations.progress_display import ProgressDisplay
    from consumer.operations.replay.checkpoint import Checkpoint
    from consumer.operations.replay.reading import RangeScan, RecordLog
    from consumer.operations.replay.state import ReplayPartition
    from consumer.source.port import SourceEvents

CHUNK_RECORDS: Final = 500
PAGE: Final = 20_000
"""Selected offsets of one partition that are in memory at once."""

RECHECK_S: Final = 1.0
"""Wait between sending and the recheck: a row that changes all the time has changed again by
then."""


class SelectedOffsets:
    """The selected offsets of one partition in order, loaded a page at a time."""

    def __init__(self, checkpoint: Checkpoint, part: ReplayPartition) -> None:
        self._checkpoint = checkpoint
        self._part = part
        self._turn_page(part.sent)

    @property
    def first(self) -> int | None:
        """The next selected offset; `None` after the last."""
        return self._left[0] if self._left else None

    def takes(self, offset: int) -> bool:
        """Whether a record is selected; it is selected once."""
        self.pass_to(offset)
        if self.first != offset:
            return False
        self.pass_to(offset + 1)
        return True

    def pass_to(self, position: int) -> None:
        """Skip everything below this position: it was read, or compaction has removed it.

        If compaction removed a record, a newer one of its key follows.
        """
        while self._left and self._left[0] < position:
            self._left.popleft()
            if not self._left and not self._is_last_page:
                self._turn_page(position)

    def _turn_page(self, begin: int) -> None:
        offsets = self._checkpoint.selected_offsets(self._part.number, begin, self._part.stop, PAGE)
        self._left = deque(offsets)
        self._is_last_page = len(offsets) < PAGE


class ReplaySource:
    """Owns all partitions from `start` to `stop`. Everything but reading is on the event loop."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        log: RecordLog,
        scan: RangeScan,
        *,
        rechecks: bool,
        clock: Clock,
        display: ProgressDisplay,
        finished: Callable[[], None],
    ) -> None:
        """Create the source.

        `rechecks`: the group may send newer changes meanwhile. `finished` is called at the end.
        """
        self._checkpoint = checkpoint
        self._log = log
        self._scan = scan
        self._rechecks = rechecks
        self._clock = clock
        self._display = display
        self._finished = finished
        self._owned: dict[PartitionKey, Assignment] = {}
        self._parts: dict[Assignment, ReplayPartition] = {}
        self._paused: set[Assignment] = set()
        self._resumed = asyncio.Event()
        self._settled = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.refusal: Refusal | None = None
        """Why it cannot continue, where neither code nor disk is at fault: records are gone."""

    # ── the source, as the pipeline sees it ──────────────────────────────────────────────────────

    def start(self, events: SourceEvents) -> None:
        """Own every partition from where it is sent, and start to deliver selected records."""
        self._events = events
        for part in self._checkpoint.parts:
            assignment = Assignment(part.topic, part.partition, 1, part.sent, part.sent)
            self._owned[part.place] = assignment
            self._parts[assignment] = part
        events.assigned([*self._parts])
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._task.add_done_callback(_report_exception)

    def pause(self, assignments: Sequence[Assignment]) -> None:
        """Deliver no chunks of these partitions."""
        self._paused.update(assignments)

    def resume(self, assignments: Sequence[Assignment]) -> None:
        """Deliver chunks of these partitions again."""
        self._paused.difference_update(assignments)
        self._resumed.set()

    def commit(self, positions: Sequence[Position]) -> None:
        """Write to the checkpoint how far everything is settled."""
        self._keep(positions)
        asyncio.get_running_loop().call_soon(self._events.committed, positions, None)

    def stop(self) -> None:
        """Revoke every partition; `stopped` is the last event."""
        if self._task is not None:
            self._task.cancel()

        def release(positions: Sequence[Position]) -> None:
            self._keep(positions)
            self._events.stopped()

        self._events.revoking([*self._parts], release)

    def end_offsets(self) -> dict[Assignment, int]:
        """Return the offset up to which each partition is sent."""
        return {assignment: part.stop for assignment, part in self._parts.items()}

    def subscribed_partitions(self) -> int:
        """Return the number of owned partitions, so that the share of the rate is all of it."""
        return len(self._parts)

    def is_current(self) -> bool:
        """Return that records may be sent: a replay is not a member of a group."""
        return True

    def progress_s(self) -> float:
        """Return the current time: a replay has no poll loop that could hang."""
        return self._clock.now_s()

    # ── steps of a replay ──────────────────────────────────────────────────────────────────────

    async def _run(self) -> None:
        """Send and recheck until no row has changed."""
        try:
            while True:
                if self._checkpoint.phase is ReplayPhase.SENDING:
                    await self._send()
                    if not self._rechecks:
                        break
                    await self._start_recheck()
                # A restart in the middle of a recheck enters here: its log ends are noted.
                if not await self._find_changed_rows():
                    break
            self._finished()
        except Refusal as refusal:
            self.refusal = refusal
            self._events.failed(str(refusal))
        except Fatal as error:
            self._events.failed(str(error))

    async def _send(self) -> None:
        """Deliver every selected record of the window, and wait until all are settled."""
        selected_offsets = {
            assignment: SelectedOffsets(self._checkpoint, part)
            for assignment, part in self._parts.items()
        }
        offset_ranges = [
            OffsetRange(*part.place, first, part.stop)
            for one, part in self._parts.items()
            if (first := selected_offsets[one].first) is not None
        ]
        if offset_ranges:
            with await self._log.reader(offset_ranges) as reader:
                while any(one.first is not None for one in selected_offsets.values()):
                    found = await reader.read(READ_S, CHUNK_RECORDS)
                    self._display.waits(reader.trouble)
                    for place, records in found.items():
                        await self._deliver(
                            self._owned[place], records, selected_offsets[self._owned[place]]
                        )
                    for place, position in reader.positions.items():
                        # The log may no longer have an offset; it must not be waited for.
                        selected_offsets[self._owned[place]].pass_to(position)
        for assignment, part in self._parts.items():
            # Positions may now move to the stop, past the records that were not selected.
            self._events.reached_end(assignment, part.stop)
        # Commits from the daemon set `_settled`, see `_keep`.
        while any(part.sent < part.stop for part in self._parts.values()):
            self._settled.clear()
            await self._settled.wait()

    async def _deliver(
        self, assignment: Assignment, records: Sequence[Record], selected_offsets: SelectedOffsets
    ) -> None:
        """Deliver the selected records of a read, once the partition is not paused."""
        chosen = [record for record in records if selected_offsets.takes(record.offset())]
        # The next read waits too, so a paused partition bounds memory.
        while assignment in self._paused:
            self._resumed.clear()
            await self._resumed.wait()
        if chosen:
            self._events.chunk(Chunk(assignment, chosen))

    async def _start_recheck(self) -> None:
        """Note the log ends, now that everything is settled.

        The daemons send records written after this moment later than the replay did.
        """
        ends = await self._log.ends([*self._owned])
        self._checkpoint.begin_recheck(
            {part.number: ends[part.place] for part in self._parts.values()}
        )

    async def _find_changed_rows(self) -> bool:
        """Read the new records; return whether rows that were sent have newer changes."""
        await self._clock.sleep(RECHECK_S)
        ends = await self._log.ends([*self._owned])
        await self._scan.up_to(
            {part.number: ends[part.place] for part in self._parts.values()}, "recheck"
        )
        await self._scan.versions()
        return self._checkpoint.finish_recheck()

    def _keep(self, positions: Sequence[Position]) -> None:
        self._checkpoint.sent({self._parts[one.assignment].number: one.offset for one in positions})
        self._settled.set()


def _report_exception(task: asyncio.Task[None]) -> None:
    """Hand a bug to the exception handler of the loop, which ends the process."""
    if not task.cancelled() and (error := task.exception()) is not None:
        task.get_loop().call_exception_handler(
            {"message": "error in the replay source", "exception": error}
        )
