"""Hands revoked partitions over: drain, commit, release; drops what is left of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.batching.batch import forget_superseded
from consumer.engine.open_counts import count_open
from consumer.engine.state import left_to_next_owner, open_lows
from consumer.model import RecordOutcome
from consumer.source.port import Position

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Collection, Sequence

    from consumer.bulk.lanes import BulkLanes
    from consumer.clock import Clock
    from consumer.dead_letter.outbox import Outbox
    from consumer.delivery.lanes import Lanes
    from consumer.engine.state import EngineState
    from consumer.engine.timers import Timers
    from consumer.model import Assignment
    from consumer.source.intake import Intake


class Revocation:
    """The partitions of one revocation; compared by identity."""

    __slots__ = ("assignments", "release", "timer")

    def __init__(
        self, assignments: frozenset[Assignment], release: Callable[[Sequence[Position]], None]
    ) -> None:
        self.assignments = assignments
        self.release = release
        self.timer: asyncio.TimerHandle | None = None


class Revocations:
    """Drains revoked partitions for at most the drain budget, then releases them."""

    def __init__(
        self,
        state: EngineState,
        intake: Intake,
        lanes: Lanes,
        outbox: Outbox,
        timers: Timers,
        *,
        bulk: BulkLanes,
        drain_timeout_s: float,
        clock: Clock,
        owned_changed: Callable[[], None],
    ) -> None:
        self._state = state
        self._intake = intake
        self._lanes = lanes
        self._bulk = bulk
        self._outbox = outbox
        self._timers = timers
        # A little less than the time the consumer thread waits, so that the last commit gets out.
        self._drain_s = 0.95 * drain_timeout_s
        self._clock = clock
        self._owned_changed = owned_changed
        self._under_way: list[Revocation] = []

    def begin(
        self, assignments: Sequence[Assignment], release: Callable[[Sequence[Position]], None]
    ) -> None:
        """Start to drain these partitions; at the end `release` gets the positions to commit."""
        revocation = Revocation(frozenset(assignments), release)
        revocation.timer = self._timers.after(self._drain_s, self._end, revocation)
        self._under_way.append(revocation)
        self._lanes.set_draining(True)
        self.end_drained()

    def end_drained(self) -> None:
        """End every revocation whose partitions are drained.

        Called whenever something was settled. A record that only waits (parked, for a schema, or in
        a row buffer) does not delay the end: the next owner reads it again.
        """
        for revocation in [*self._under_way]:
            if all(
                one.open_count == left_to_next_owner(self._state, one)
                for one in revocation.assignments
            ):
                self._end(revocation)

    def drop(self, gone: Collection[Assignment]) -> None:
        """Drop all unsettled records of partitions that this process no longer owns.

        Nothing of them is sent from now on.
        """
        state, now_s = self._state, self._clock.now_s()
        # 1. Stop all work on them: requests in flight, bulk jobs, rows, waiting records.
        before = count_open(state, self._outbox).changes
        self._lanes.cancel(gone)
        self._bulk.give_up(gone)
        for row_buffer in state.row_buffers.values():
            row_buffer.drop(gone)
        state.parking.drop(gone)
        state.waiting.drop(gone)
        # 2. Drop their changes. A dropped change may have superseded records of partitions that
        #    stay; those are settled as conflated: the next owner sends the newer change.
        dropped = self._outbox.drop(gone)
        for batcher in state.batchers.values():
            dropped += batcher.drop(gone, now_s)
        for change in dropped:
            forget_superseded(change, gone)
        state.ledger.superseded_settled(dropped)
        # 3. Disown them, so that a late result or chunk finds no partition to settle.
        for assignment in gone:
            state.progress.disown(assignment)
            state.ledger.released(assignment)
            state.holds.forget(assignment)
        # 4. Book whatever disappeared as released, so that the accounts per object stay balanced.
        for name, count in (before - count_open(state, self._outbox).changes).items():
            state.accounts.settled(name, RecordOutcome.RELEASED, count)
        self._owned_changed()
        self._intake.forget(gone)
        self._lanes.pump()

    def _end(self, revocation: Revocation) -> None:
        """End a revocation: commit what is settled; the next owner reads the rest again."""
        if revocation.timer is not None:
            revocation.timer.cancel()
        self._under_way.remove(revocation)
        progress = self._state.progress
        progress.advance(open_lows(self._state, self._outbox), self._clock.now_s())
        # A partition may have been lost while it drained: it has no position any more.
        positions = [
            Position(assignment, progress.position(assignment))
            for assignment in revocation.assignments
            if assignment in progress and progress.position(assignment) != assignment.committed
        ]
        # Drop before release: once released, another member may already send the same keys.
        self.drop(revocation.assignments)
        revocation.release(positions)
        self._lanes.set_draining(bool(self._under_way))
