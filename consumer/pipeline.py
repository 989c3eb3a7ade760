"""The corridor: records come in from the source, go through the rooms, and move positions when they are settled.

```
Kafka ─► source ─► decoding ─► mapping ─► batching ─► delivery ─► Data Cloud
           ▲           └───────────┴── record at fault ──┬──┘
           │                                       dead_letter ─► dead-letter topic
           └────────────── offsets ◄── settled ──────────┴────── accepted
```

Everything here runs on the event loop, by the chunk or by the batch; each method is one event of the story.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, Protocol, TypeVarTuple, Unpack

import msgspec

from consumer.batching.batch import forget_riders
from consumer.batching.batcher import Batcher
from consumer.dead_letter.envelope import Fault
from consumer.dead_letter.fuse import Fuse
from consumer.delivery.backoff import probe_interval_s
from consumer.errors import Hold, HoldReason, Reason, RecordError
from consumer.holds import Holds
from consumer.mapping.routing import RouteTable
from consumer.model import (
    Assignment,
    Change,
    Delete,
    Filtered,
    FilterRule,
    HoldLane,
    Low,
    Record,
    RecordOutcome,
    Reject,
    Target,
    Ticket,
    Upsert,
)
from consumer.offsets.ledger import Ledger
from consumer.offsets.progress import Progress
from consumer.source.parking import Parking
from consumer.source.port import Chunk, Position

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from consumer.batching.batch import Batch
    from consumer.clock import Clock
    from consumer.dead_letter.outbox import Outbox
    from consumer.delivery.lanes import Lanes
    from consumer.mapping.port import Mapped, RouteMapper
    from consumer.source.intake import Intake
    from consumer.source.port import Source


Arguments = TypeVarTuple("Arguments")

_CHANGE: Final = (Upsert, Delete)
"""Asked for each record: `Upsert | Delete` would be made anew each time."""

RATE_HOLD_S: Final = 3.0
"""A pause asked for by the service is named as a hold from this length on."""


class PipelineObserver(Protocol):
    """Who is told what happens, for log and metrics; what is counted by record is told by the ledger."""

    def assignment_changed(self, kind: str, assignments: Sequence[Assignment]) -> None:
        """Partitions were `assigned`, `revoked` or `lost`."""
        ...

    def filtered(self, topic: str, rule: FilterRule, count: int) -> None:
        """Records were deliberately not sent."""
        ...

    def dead_lettered(self, record: Record, fault: Fault) -> None:
        """The dead-letter topic has this record."""
        ...

    def commit_answered(self, count: int, error: str | None) -> None:
        """A commit of so many partitions succeeded, or did not."""
        ...


class Rooms(msgspec.Struct, frozen=True):
    """The rooms off the corridor, as the daemon has furnished them."""

    routes: RouteTable
    batchers: Mapping[Target, Batcher]
    fuse: Callable[[], Fuse]
    ledger: Ledger
    progress: Progress
    holds: Holds
    parking: Parking


class Pipeline:
    """Listens to the source, to the lanes and to the outbox, and owns no I/O of its own."""

    def __init__(
        self,
        rooms: Rooms,
        *,
        stop_on_fault: bool,
        drain_timeout_s: float,
        clock: Clock,
        failed: Callable[[str], None],
        stopped: Callable[[], None],
        observer: PipelineObserver,
    ) -> None:
        self._routes = rooms.routes
        self._batchers = rooms.batchers
        self._new_fuse = rooms.fuse
        self._ledger = rooms.ledger
        self._progress = rooms.progress
        self._holds = rooms.holds
        self._parking = rooms.parking
        self._stop_on_fault = stop_on_fault
        self._drain_timeout_s = drain_timeout_s
        self._clock = clock
        self.failed = failed
        self.stopped = stopped
        self._observer = observer
        self._fuses: dict[str, Fuse] = {}
        self._hand_overs: list[HandOver] = []
        self._committing = False
        self._timers: set[asyncio.TimerHandle] = set()

    def connect(self, source: Source, intake: Intake, lanes: Lanes, outbox: Outbox) -> None:
        """Take the rooms that call back; before anything is started."""
        self._source = source
        self._intake = intake
        self._lanes = lanes
        self._outbox = outbox

    def close(self) -> None:
        """Nothing happens by the clock any more."""
        for timer in self._timers:
            timer.cancel()
        self._lanes.close()

    # ── from the source ──────────────────────────────────────────────────────────────────────────────────

    def assigned(self, assignments: Sequence[Assignment]) -> None:
        """These partitions are ours from now on."""
        for assignment in assignments:
            self._progress.own(assignment, self._clock.now_s())
        self._observer.assignment_changed("assigned", assignments)
        self._adjust_intake()

    def chunk(self, chunk: Chunk) -> None:
        """Map the records of a chunk, batch their changes, and let the lanes have what is ready."""
        assignment = chunk.assignment
        if assignment not in self._progress:
            return  # let go of while the chunk was under way; its next owner reads it again
        self._ledger.polled(assignment, len(chunk.records), sum(map(len, chunk.records)))
        assignment.next_offset = chunk.records[-1].offset() + 1
        self._place(chunk)
        self._lanes.pump()
        self._adjust_intake()

    def reached_end(self, assignment: Assignment, offset: int) -> None:
        """Nothing but markers and holes up to here: an idle partition stands at its end."""
        assignment.next_offset = max(assignment.next_offset, offset)

    def revoking(self, assignments: Sequence[Assignment], release: Callable[[Sequence[Position]], None]) -> None:
        """Finish what is open of these within the drain budget, then let go of them."""
        self._observer.assignment_changed("revoked", assignments)
        hand_over = HandOver(frozenset(assignments), release)
        # A little before the consumer thread gives up waiting, so that what is settled by then is committed.
        delay_s = 0.95 * self._drain_timeout_s
        hand_over.alarm = self._later(delay_s, self._hand_over, hand_over)
        self._hand_overs.append(hand_over)
        self._lanes.hurry(True)  # noqa: FBT003 - a state that is switched
        self._finish_hand_overs()

    def lost(self, assignments: Sequence[Assignment]) -> None:
        """Somebody else's already: cancel what is open, commit nothing."""
        self._observer.assignment_changed("lost", assignments)
        self._let_go(frozenset(assignments))

    def committed(self, positions: Sequence[Position], error: str | None) -> None:
        """A commit was answered; on an error the positions go out again with the next."""
        self._committing = False
        self._observer.commit_answered(len(positions), error)
        if error is None:
            for position in positions:
                position.assignment.committed = position.offset

    def held(self, reason: HoldReason, detail: str, assignment: Assignment | None) -> None:
        """The brokers hold us up."""
        self._holds.hold(reason, assignment, detail, self._clock.wall_ms())
        self._adjust_intake()

    def released(self, reason: HoldReason, assignment: Assignment | None) -> None:
        """The brokers are back."""
        self._holds.release(reason, assignment)
        self._adjust_intake()

    # ── from the lanes and the outbox ────────────────────────────────────────────────────────────────────

    def accepted(self, batch: Batch) -> None:
        """The service has the batch: its records are settled, and those that were conflated into them."""
        self._ledger.batch_settled(batch.tallies, batch.bearers.values(), RecordOutcome.ACCEPTED)
        self._settled(batch)

    def rejected(self, batch: Batch, verdict: Reject) -> None:
        """The service refuses this one row: its record goes to the dead-letter topic, still open until there."""
        for change in batch.changes.values():
            fault = Fault(
                reason=Reason(verdict.reason),
                detail=verdict.detail,
                object=batch.target.object,
                http_status=verdict.status,
                attempts=batch.attempts,
                first_failed_at_ms=batch.first_failed_ms or self._clock.wall_ms(),
            )
            for rider in change.riders or ():
                for record, ticket in rider.kept:
                    self._outbox.post(rider.assignment, record, fault, ticket)
                rider.kept.clear()
            if change.assignment is not None:
                self._outbox.post(change.assignment, change.record, fault, change.ticket, change)
        self._settled(batch)

    def lane_held(self, target: Target, hold: HoldLane) -> None:
        """An object's lane waits: so do the partitions that feed it."""
        self._holds.hold(hold.reason, target, hold.detail, self._clock.wall_ms())
        self._adjust_intake()

    def lane_released(self, target: Target, hold: HoldLane) -> None:
        """It goes on."""
        self._holds.release(hold.reason, target)
        self._adjust_intake()

    def letter_held(self, assignment: Assignment, hold: Hold) -> None:
        """The dead-letter topic does not take this partition's record: the partition waits, others go on."""
        self._holds.hold(hold.reason, assignment, hold.detail, self._clock.wall_ms())
        self._adjust_intake()

    def letter_sent(
        self, assignment: Assignment, record: Record, fault: Fault, ticket: Ticket | None, change: Change | None
    ) -> None:
        """The dead-letter topic has the record: it is settled, and those that were conflated into it."""
        self._holds.release(HoldReason.DEAD_LETTER, assignment)
        self._observer.dead_lettered(record, fault)
        self._settle_record(assignment, record, ticket, RecordOutcome.DEAD_LETTERED)
        if change is not None:
            self._ledger.riders_settled((change,))
        self._adjust_intake()
        self._finish_hand_overs()

    # ── by the clock ─────────────────────────────────────────────────────────────────────────────────────

    def commit(self) -> None:
        """Commit every position that moved; one commit at a time, called once per commit interval."""
        self._progress.advance(self._lows(), self._clock.now_s())
        if self._committing:
            return
        positions = [Position(assignment, offset) for assignment, offset in self._progress.to_commit()]
        if positions:
            self._committing = True
            self._source.commit(positions)

    def name_pause(self, paused_s: float) -> None:
        """A pause that the service asked for is a hold by name from some length on; called every second."""
        if paused_s > RATE_HOLD_S:
            self._holds.hold(
                HoldReason.RATE, None, f"the service asked for a pause of {paused_s:.0f} s", self._clock.wall_ms()
            )
        elif not paused_s:
            self._holds.release(HoldReason.RATE, None)

    # ── the way of a chunk ───────────────────────────────────────────────────────────────────────────────

    def _place(self, chunk: Chunk) -> None:
        """Give every record of a chunk its place: in a batch, in the outbox, or filtered."""
        topic = chunk.assignment.topic
        if topic in self._parking:
            self._parking.park(chunk)
            return
        mappers = self._routes.mappers(topic)
        if len(mappers) == 1:
            self._place_by_one_route(chunk, mappers[0])
        else:
            self._place_by_routes(chunk, mappers)

    def _place_by_one_route(self, chunk: Chunk, mapper: RouteMapper) -> None:
        """The common way, written as one loop: this is where the time of the daemon goes."""
        assignment, records = chunk.assignment, chunk.records
        wall_ms = self._clock.wall_ms()
        changes: list[Change] = []
        append = changes.append
        map_record = mapper.map
        filtered: Counter[FilterRule] = Counter()
        filtered_bytes = 0
        good_count = 0
        for at, record in enumerate(records):
            try:
                mapped = map_record(record, wall_ms)
            except RecordError as error:
                self._passed(assignment, good_count)
                good_count = 0
                if not self._at_fault(assignment, record, error, mapper.target, None):
                    self._parking.park(Chunk(assignment, records[at:]))
                    break
                continue
            good_count += 1
            if isinstance(mapped, _CHANGE):
                append(mapped)
            elif isinstance(mapped, Filtered):
                filtered[mapped.rule] += 1
                filtered_bytes += len(record)
            else:
                self._spread(assignment, record, [(mapper.target, part) for part in mapped])
        self._passed(assignment, good_count)
        if filtered:
            self._ledger.settled(assignment, RecordOutcome.FILTERED, filtered.total(), filtered_bytes)
            for rule, count in filtered.items():
                self._observer.filtered(assignment.topic, rule, count)
        self._batch(assignment, mapper.target, changes)

    def _place_by_routes(self, chunk: Chunk, mappers: Sequence[RouteMapper]) -> None:
        """A topic of several routes, or of none: each record is offered to all of them, independently."""
        assignment, records = chunk.assignment, chunk.records
        wall_ms = self._clock.wall_ms()
        for at, record in enumerate(records):
            parts: list[tuple[Target, Mapped]] = []
            faults: list[tuple[Target | None, RecordError]] = []
            if not mappers:
                faults.append((None, RecordError(Reason.ROUTE_NONE, "no route names this topic")))
            for mapper in mappers:
                try:
                    mapped = mapper.map(record, wall_ms)
                except RecordError as error:
                    faults.append((mapper.target, error))
                else:
                    parts.extend(
                        (mapper.target, part) for part in (mapped if isinstance(mapped, tuple) else (mapped,))
                    )
            ticket = Ticket(assignment, len(parts) + len(faults), len(record))
            if not all(self._at_fault(assignment, record, error, target, ticket) for target, error in faults):
                self._parking.park(Chunk(assignment, records[at:]))
                break
            if not faults:
                self._passed(assignment, 1)
            self._spread(assignment, record, parts, ticket)

    def _spread(
        self,
        assignment: Assignment,
        record: Record,
        parts: Sequence[tuple[Target, Mapped]],
        ticket: Ticket | None = None,
    ) -> None:
        """Place the parts of one record, which is settled when all of them are."""
        ticket = ticket or Ticket(assignment, len(parts), len(record))
        for target, part in parts:
            if isinstance(part, Filtered):
                self._observer.filtered(assignment.topic, part.rule, 1)
                self._ledger.part_settled(ticket, RecordOutcome.FILTERED)
            else:
                part.ticket = ticket
                self._batch(assignment, target, [part])

    def _batch(self, assignment: Assignment, target: Target, changes: Sequence[Change]) -> None:
        if not changes:
            return
        for change in self._batchers[target].add(changes, assignment, self._clock.now_s()):
            error = RecordError(
                Reason.RECORD_SIZE,
                f"the encoded row has {len(change.encoded)} bytes, more than one request carries",
            )
            self._post(assignment, change.record, error, target, change.ticket)

    # ── records at fault ─────────────────────────────────────────────────────────────────────────────────

    def _at_fault(
        self,
        assignment: Assignment,
        record: Record,
        error: RecordError,
        target: Target | None,
        ticket: Ticket | None,
    ) -> bool:
        """Send a record to the dead-letter topic; false when it must be set aside instead, with what follows it."""
        topic = assignment.topic
        if self._stop_on_fault:
            self._parking.open(topic)
            place = f"{topic}[{assignment.partition}]@{record.offset()}"
            self.failed(f"{place}: {error}; dead_letter.on_fault is stop, so nothing beyond it is committed")
            return False
        fuse = self._fuse(topic)
        now_s = self._clock.now_s()
        if blown := fuse.blown(now_s):
            if topic not in self._parking:
                self._parking.open(topic)
                self._holds.hold(HoldReason.MASS_REJECT, topic, blown, self._clock.wall_ms())
                self._later(probe_interval_s(0), self._probe, topic, 1)
            return False
        fuse.dead_lettered(now_s, error.reason)
        self._post(assignment, record, error, target, ticket)
        return True

    def _post(
        self,
        assignment: Assignment,
        record: Record,
        error: RecordError,
        target: Target | None,
        ticket: Ticket | None,
    ) -> None:
        fault = Fault(
            reason=error.reason,
            detail=error.detail,
            field=error.field,
            object=target.object if target is not None else None,
            first_failed_at_ms=self._clock.wall_ms(),
        )
        self._outbox.post(assignment, record, fault, ticket)

    def _passed(self, assignment: Assignment, count: int) -> None:
        """Good records end a run of bad ones."""
        self._fuse(assignment.topic).passed(self._clock.now_s(), count)

    def _fuse(self, topic: str) -> Fuse:
        fuse = self._fuses.get(topic)
        if fuse is None:
            fuse = self._fuses[topic] = self._new_fuse()
        return fuse

    def _probe(self, topic: str, probes: int) -> None:
        """Try one record of a topic that was set aside: a good one ends the hold, a bad one is dead-lettered.

        So a topic of bad records drips into the dead-letter topic, a few a minute, instead of flooding it, and
        a long run of bad records ends by itself.
        """
        taken = self._parking.take_one(topic)
        rest = self._parking.take_all(topic)
        blown = self._fuses.pop(topic)
        if taken is not None:
            assignment, record = taken
            self._place(Chunk(assignment, [record]))
            if self._fuses[topic].run:
                self._fuses[topic] = blown
                self._parking.open(topic)
                for chunk in rest:
                    self._parking.park(chunk)
                self._later(probe_interval_s(probes), self._probe, topic, probes + 1)
                return
        self._holds.release(HoldReason.MASS_REJECT, topic)
        for chunk in rest:
            self._place(chunk)
        self._lanes.pump()
        self._adjust_intake()

    # ── settling, and letting go ─────────────────────────────────────────────────────────────────────────

    def _settled(self, batch: Batch) -> None:
        self._batchers[batch.target].settle(batch, self._clock.now_s())
        self._adjust_intake()
        self._finish_hand_overs()

    def _settle_record(
        self, assignment: Assignment, record: Record, ticket: Ticket | None, outcome: RecordOutcome
    ) -> None:
        if ticket is None:
            self._ledger.settled(assignment, outcome, 1, len(record))
        else:
            self._ledger.part_settled(ticket, outcome)

    def _finish_hand_overs(self) -> None:
        for hand_over in [*self._hand_overs]:
            if all(one.open_count == self._parking.count(one) for one in hand_over.assignments):
                self._hand_over(hand_over)

    def _hand_over(self, hand_over: HandOver) -> None:
        """Let go of partitions: what is settled by now is committed, the next owner reads the rest again."""
        if hand_over.alarm is not None:
            hand_over.alarm.cancel()
        self._hand_overs.remove(hand_over)
        self._progress.advance(self._lows(), self._clock.now_s())
        positions = [
            Position(assignment, self._progress.position(assignment))
            for assignment in hand_over.assignments
            if assignment in self._progress and self._progress.position(assignment) != assignment.committed
        ]
        self._let_go(hand_over.assignments)
        hand_over.release(positions)
        self._lanes.hurry(bool(self._hand_overs))

    def _let_go(self, gone: Collection[Assignment]) -> None:
        """Forget all that is open of partitions that are not ours any more; nothing of them is sent from now on."""
        now_s = self._clock.now_s()
        for topic in {assignment.topic for assignment in gone if assignment.open_count}:
            self._routes.forget_versions(topic)
        self._lanes.give_up(gone)
        self._parking.drop(gone)
        dropped = self._outbox.drop(gone)
        for batcher in self._batchers.values():
            dropped += batcher.drop(gone, now_s)
        for change in dropped:
            # Records of ours that rode on a change of theirs: the next owner sends that, and with it these.
            forget_riders(change, gone)
        self._ledger.riders_settled(dropped)
        for assignment in gone:
            self._progress.disown(assignment)
            self._ledger.released(assignment)
            self._holds.forget(assignment)
        self._intake.forget(gone)
        self._lanes.pump()
        self._adjust_intake()

    def _later(
        self, delay_s: float, act: Callable[[Unpack[Arguments]], None], *arguments: *Arguments
    ) -> asyncio.TimerHandle:
        """Do something when its time has come, unless the corridor is closed by then."""
        loop = asyncio.get_running_loop()
        self._timers = {timer for timer in self._timers if timer.when() > loop.time() and not timer.cancelled()}
        timer = loop.call_later(delay_s, act, *arguments)
        self._timers.add(timer)
        return timer

    def _lows(self) -> Iterator[tuple[Assignment, Low]]:
        """Yield what every room holds open."""
        for batcher in self._batchers.values():
            yield from batcher.lows()
        yield from self._outbox.lows()
        yield from self._parking.lows()

    def _adjust_intake(self) -> None:
        places = {held.place for held in self._holds}

        def is_held(assignment: Assignment) -> bool:
            if assignment in places or assignment.topic in places:
                return True
            return any(mapper.target in places for mapper in self._routes.mappers(assignment.topic))

        self._intake.adjust(self._progress.owned, self._ledger.held_bytes, is_held if places else None)


class HandOver:
    """Partitions on their way to another owner; compared by identity."""

    __slots__ = ("alarm", "assignments", "release")

    def __init__(self, assignments: frozenset[Assignment], release: Callable[[Sequence[Position]], None]) -> None:
        self.assignments = assignments
        self.release = release
        self.alarm: asyncio.TimerHandle | None = None
