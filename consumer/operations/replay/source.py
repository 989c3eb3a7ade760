"""The source of a replay: instead of a group's partitions the records that its book wants sent.

Until none is left.

It is a `Source` like Kafka's, so that the daemon's own rooms map, batch, send and account. What
they commit is written into the book and never to the group.
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
"""Wanted offsets of one part that are in memory at once."""

RECHECK_S: Final = 1.0
"""Between two looks at the ends of the log: a row that changes all the time shows that it does."""


class SelectedOffsets:
    """The offsets of one part that are sent, in order, a page at a time.

    Asked for as the records come.
    """

    def __init__(self, checkpoint: Checkpoint, part: ReplayPartition) -> None:
        self._checkpoint = checkpoint
        self._replay_partition = part
        self._turn_page(part.sent)

    @property
    def first(self) -> int | None:
        """The next that is wanted; `None` when none is."""
        return self._left[0] if self._left else None

    def takes(self, offset: int) -> bool:
        """Whether a record is wanted; it is not wanted again."""
        self.pass_to(offset)
        if self.first != offset:
            return False
        self.pass_to(offset + 1)
        return True

    def pass_to(self, position: int) -> None:
        """Want nothing below this: it was read, or compaction has taken it.

        And a newer one is in its place.
        """
        while self._left and self._left[0] < position:
            self._left.popleft()
            if not self._left and not self._is_last_page:
                self._turn_page(position)

    def _turn_page(self, begin: int) -> None:
        offsets = self._checkpoint.selected_offsets(self._replay_partition.number, begin, self._replay_partition.stop, PAGE)
        self._left = deque(offsets)
        self._is_last_page = len(offsets) < PAGE


class ReplaySource:
    """Owns all parts from `start` to `stop`. Everything but reading is on the event loop."""

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
        """`rechecks`: the group may have sent newer states meanwhile.

        `finished` is called when all is done.
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
        """Why it cannot go on, where that is nobody's fault: what it was to read is gone."""

    # ── the source, as the corridor sees it ──────────────────────────────────────────────────────

    def start(self, events: SourceEvents) -> None:
        """Own every part, from where it is sent, and hand over what is wanted."""
        self._events = events
        for part in self._checkpoint.parts:
            assignment = Assignment(part.topic, part.partition, 1, part.sent, part.sent)
            self._owned[part.place] = assignment
            self._parts[assignment] = part
        events.assigned([*self._parts])
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._task.add_done_callback(_report_exception)

    def pause(self, assignments: Sequence[Assignment]) -> None:
        """Hand over no more chunks of these."""
        self._paused.update(assignments)

    def resume(self, assignments: Sequence[Assignment]) -> None:
        """Hand over chunks of these again."""
        self._paused.difference_update(assignments)
        self._resumed.set()

    def commit(self, positions: Sequence[Position]) -> None:
        """Write into the book how far all is settled."""
        self._keep(positions)
        asyncio.get_running_loop().call_soon(self._events.committed, positions, None)

    def stop(self) -> None:
        """Let go of everything in order; `stopped` is the last event."""
        if self._task is not None:
            self._task.cancel()

        def release(positions: Sequence[Position]) -> None:
            self._keep(positions)
            self._events.stopped()

        self._events.revoking([*self._parts], release)

    def end_offsets(self) -> dict[Assignment, int]:
        """Return up to where each part is sent."""
        return {assignment: part.stop for assignment, part in self._parts.items()}

    def subscribed_partitions(self) -> int:
        """Return as many as are owned: the rate of the replay is its own."""
        return len(self._parts)

    def progress_s(self) -> float:
        """Return the present: no group waits for us to poll."""
        return self._clock.now_s()

    # ── the way of a replay ──────────────────────────────────────────────────────────────────────

    async def _run(self) -> None:
        """Send, and look what has changed meanwhile, until nothing has."""
        try:
            while True:
                if self._checkpoint.phase is ReplayPhase.SENDING:
                    await self._send()
                    if not self._rechecks:
                        break
                    await self._start_recheck()
                if not await self._find_changed_rows():
                    break
            self._finished()
        except Refusal as refusal:
            self.refusal = refusal
            self._events.failed(str(refusal))
        except Fatal as error:
            self._events.failed(str(error))

    async def _send(self) -> None:
        """Hand over every record of the window that is wanted.

        And wait until all of it is settled.
        """
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
                        selected_offsets[self._owned[place]].pass_to(position)
        for assignment, part in self._parts.items():
            self._events.reached_end(assignment, part.stop)
        while any(part.sent < part.stop for part in self._parts.values()):
            self._settled.clear()
            await self._settled.wait()

    async def _deliver(
        self, assignment: Assignment, records: Sequence[Record], selected_offsets: SelectedOffsets
    ) -> None:
        """Hand over those of some records that are wanted, once the corridor takes them."""
        chosen = [record for record in records if selected_offsets.takes(record.offset())]
        while assignment in self._paused:
            self._resumed.clear()
            await self._resumed.wait()
        if chosen:
            self._events.chunk(Chunk(assignment, chosen))

    async def _start_recheck(self) -> None:
        """All is settled: note where the log ends now.

        What is written from here on is sent later than ours.
        """
        ends = await self._log.ends([*self._owned])
        self._checkpoint.begin_recheck(
            {part.number: ends[part.place] for part in self._parts.values()}
        )

    async def _find_changed_rows(self) -> bool:
        """Read what came since, and tell whether rows that were sent have newer states of before the look."""
        await self._clock.sleep(RECHECK_S)
        ends = await self._log.ends([*self._owned])
        await self._scan.up_to(
            {part.number: ends[part.place] for part in self._parts.values()}, "looking"
        )
        return self._checkpoint.finish_recheck()

    def _keep(self, positions: Sequence[Position]) -> None:
        self._checkpoint.sent({self._parts[one.assignment].number: one.offset for one in positions})
        self._settled.set()


def _report_exception(task: asyncio.Task[None]) -> None:
    """An error of ours ends the run, and is told in full."""
    if not task.cancelled() and (error := task.exception()) is not None:
        task.get_loop().call_exception_handler({"message": "a replay broke", "exception": error})
