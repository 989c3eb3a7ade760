"""Another stretch of the corridor: partitions go to another owner, in order, and nothing of them is left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.batching.batch import forget_riders
from consumer.census import census_of
from consumer.model import RecordOutcome
from consumer.rooms import left_behind, open_lows
from consumer.source.port import Position

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Collection, Sequence

    from consumer.alarms import Alarms
    from consumer.bulk.lanes import BulkLanes
    from consumer.clock import Clock
    from consumer.dead_letter.outbox import Outbox
    from consumer.delivery.lanes import Lanes
    from consumer.model import Assignment
    from consumer.rooms import Rooms
    from consumer.source.intake import Intake


class HandOver:
    """Partitions on their way to another owner; compared by identity."""

    __slots__ = ("alarm", "assignments", "release")

    def __init__(self, assignments: frozenset[Assignment], release: Callable[[Sequence[Position]], None]) -> None:
        self.assignments = assignments
        self.release = release
        self.alarm: asyncio.TimerHandle | None = None


class HandOvers:
    """Waits for what is open of partitions that are asked for, at most the drain budget, then lets go of them."""

    def __init__(
        self,
        rooms: Rooms,
        intake: Intake,
        lanes: Lanes,
        outbox: Outbox,
        alarms: Alarms,
        *,
        bulk: BulkLanes,
        drain_timeout_s: float,
        clock: Clock,
        owned_changed: Callable[[], None],
    ) -> None:
        self._rooms = rooms
        self._intake = intake
        self._lanes = lanes
        self._bulk = bulk
        self._outbox = outbox
        self._alarms = alarms
        # A little before the consumer thread gives up waiting, so that what is settled by then is committed.
        self._drain_s = 0.95 * drain_timeout_s
        self._clock = clock
        self._owned_changed = owned_changed
        self._under_way: list[HandOver] = []

    def begin(self, assignments: Sequence[Assignment], release: Callable[[Sequence[Position]], None]) -> None:
        """Finish what is open of these, then let go of them."""
        hand_over = HandOver(frozenset(assignments), release)
        hand_over.alarm = self._alarms.after(self._drain_s, self._end, hand_over)
        self._under_way.append(hand_over)
        self._lanes.hurry(True)  # noqa: FBT003 - a state that is switched
        self.end_what_is_done()

    def end_what_is_done(self) -> None:
        """Let go where nothing is open but what nobody waits for; called whenever something was settled."""
        for hand_over in [*self._under_way]:
            if all(one.open_count == left_behind(self._rooms, one) for one in hand_over.assignments):
                self._end(hand_over)

    def let_go(self, gone: Collection[Assignment]) -> None:
        """Forget all that is open of partitions that are not ours any more; nothing of them is sent from now on."""
        rooms, now_s = self._rooms, self._clock.now_s()
        before = census_of(rooms, self._outbox).changes
        self._lanes.give_up(gone)
        self._bulk.give_up(gone)
        for gatherer in rooms.gatherers.values():
            gatherer.drop(gone)
        rooms.parking.drop(gone)
        rooms.waiting.drop(gone)
        dropped = self._outbox.drop(gone)
        for batcher in rooms.batchers.values():
            dropped += batcher.drop(gone, now_s)
        for change in dropped:
            # Records of ours that rode on a change of theirs: the next owner sends that, and with it these.
            forget_riders(change, gone)
        rooms.ledger.riders_settled(dropped)
        for assignment in gone:
            rooms.progress.disown(assignment)
            rooms.ledger.released(assignment)
            rooms.holds.forget(assignment)
        for name, count in (before - census_of(rooms, self._outbox).changes).items():
            rooms.accounts.settled(name, RecordOutcome.RELEASED, count)
        self._owned_changed()
        self._intake.forget(gone)
        self._lanes.pump()

    def _end(self, hand_over: HandOver) -> None:
        """Let go: what is settled by now is committed, the next owner reads the rest again."""
        if hand_over.alarm is not None:
            hand_over.alarm.cancel()
        self._under_way.remove(hand_over)
        progress = self._rooms.progress
        progress.advance(open_lows(self._rooms, self._outbox), self._clock.now_s())
        positions = [
            Position(assignment, progress.position(assignment))
            for assignment in hand_over.assignments
            if assignment in progress and progress.position(assignment) != assignment.committed
        ]
        self.let_go(hand_over.assignments)
        hand_over.release(positions)
        self._lanes.hurry(bool(self._under_way))
