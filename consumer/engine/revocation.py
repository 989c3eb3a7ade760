"""Another stretch of the corridor.

Partitions go to another owner, in order, and nothing of them is left behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.batching.batch import forget_superseded
from consumer.engine.open_counts import count_open
from consumer.engine.state import left_behind, open_lows
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
    """Partitions on their way to another owner; compared by identity."""

    __slots__ = ("assignments", "release", "timer")

    def __init__(
        self, assignments: frozenset[Assignment], release: Callable[[Sequence[Position]], None]
    ) -> None:
        self.assignments = assignments
        self.release = release
        self.timer: asyncio.TimerHandle | None = None


class Revocations:
    """Waits for what is open of partitions that are asked for, at most the drain budget.

    Then lets go of them.
    """

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
        # A little before the consumer thread gives up waiting, so that what is settled by then is
        # committed.
        self._drain_s = 0.95 * drain_timeout_s
        self._clock = clock
        self._owned_changed = owned_changed
        self._under_way: list[Revocation] = []

    def begin(
        self, assignments: Sequence[Assignment], release: Callable[[Sequence[Position]], None]
    ) -> None:
        """Finish what is open of these, then let go of them."""
        revocation = Revocation(frozenset(assignments), release)
        revocation.timer = self._timers.after(self._drain_s, self._end, revocation)
        self._under_way.append(revocation)
        self._lanes.hurry(True)  # noqa: FBT003 - a state that is switched
        self.end_what_is_done()

    def end_what_is_done(self) -> None:
        """Let go where nothing is open but what nobody waits for.

        Called whenever something was settled.
        """
        for revocation in [*self._under_way]:
            if all(
                one.open_count == left_behind(self._state, one) for one in revocation.assignments
            ):
                self._end(revocation)

    def let_go(self, gone: Collection[Assignment]) -> None:
        """Forget all that is open of partitions that are not ours any more.

        Nothing of them is sent from now on.
        """
        state, now_s = self._state, self._clock.now_s()
        before = count_open(state, self._outbox).changes
        self._lanes.give_up(gone)
        self._bulk.give_up(gone)
        for row_buffer in state.row_buffers.values():
            row_buffer.drop(gone)
        state.parking.drop(gone)
        state.waiting.drop(gone)
        dropped = self._outbox.drop(gone)
        for batcher in state.batchers.values():
            dropped += batcher.drop(gone, now_s)
        for change in dropped:
            # Records of ours that rode on a change of theirs: the next owner sends that, and with
            # it these.
            forget_superseded(change, gone)
        state.ledger.superseded_settled(dropped)
        for assignment in gone:
            state.progress.disown(assignment)
            state.ledger.released(assignment)
            state.holds.forget(assignment)
        for name, count in (before - count_open(state, self._outbox).changes).items():
            state.accounts.settled(name, RecordOutcome.RELEASED, count)
        self._owned_changed()
        self._intake.forget(gone)
        self._lanes.pump()

    def _end(self, revocation: Revocation) -> None:
        """Let go: what is settled by now is committed, the next owner reads the rest again."""
        if revocation.timer is not None:
            revocation.timer.cancel()
        self._under_way.remove(revocation)
        progress = self._state.progress
        progress.advance(open_lows(self._state, self._outbox), self._clock.now_s())
        positions = [
            Position(assignment, progress.position(assignment))
            for assignment in revocation.assignments
            if assignment in progress and progress.position(assignment) != assignment.committed
        ]
        self.let_go(revocation.assignments)
        revocation.release(positions)
        self._lanes.hurry(bool(self._under_way))
