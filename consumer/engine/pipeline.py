"""The corridor: records come in from the source, go through the rooms.

And move positions when they are settled.

```
Kafka ─► source ─► decoding ─► mapping ─► batching ─► delivery ─► Data Cloud
           ▲           └───────────┴── record at fault ──┬──┘
           │                                       dead_letter ─► dead-letter topic
           └────────────── offsets ◄── settled ──────────┴────── accepted
```

Everything here runs on the event loop, by the chunk or by the batch; each method is one event of
the story.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from consumer.dead_letter.envelope import RecordFault
from consumer.engine.record_dispatch import DispatchObserver
from consumer.engine.state import EngineState, open_lows
from consumer.errors import Hold, HoldReason, Reason
from consumer.model import Operation, RecordCount, RecordOutcome, Target
from consumer.offsets.committing import Committing
from consumer.source.port import Chunk, Position

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consumer.batching.batch import Batch
    from consumer.bulk.lanes import BulkLanes
    from consumer.bulk.row_buffer import BulkBatch
    from consumer.clock import Clock
    from consumer.dead_letter.outbox import Outbox
    from consumer.delivery.lanes import Lanes
    from consumer.delivery.verdicts import HoldLane, Reject
    from consumer.engine.record_dispatch import RecordDispatcher
    from consumer.engine.revocation import Revocations
    from consumer.holds import ActiveHold, HoldScope
    from consumer.model import Assignment, Change, PartialRecord, Record
    from consumer.source.intake import Intake
    from consumer.source.port import Source

RATE_HOLD_S: Final = 3.0
"""A pause asked for by the service is named as a hold from this length on."""


class PipelineObserver(DispatchObserver, Protocol):
    """Who is told what happens, for log and metrics.

    What is counted by record is told by the ledger.
    """

    def assignment_changed(self, kind: str, assignments: Sequence[Assignment]) -> None:
        """Partitions were `assigned`, `revoked` or `lost`."""
        ...

    def dead_lettered(self, record: Record, fault: RecordFault) -> None:
        """The dead-letter topic has this record."""
        ...

    def commit_answered(self, count: int, error: str | None) -> None:
        """A commit of so many partitions succeeded, or did not."""
        ...


class Pipeline:
    """Listens to the source, to the lanes and to the outbox, and owns no I/O of its own."""

    def __init__(
        self,
        state: EngineState,
        *,
        clock: Clock,
        failed: Callable[[str], None],
        stopped: Callable[[], None],
        owned_changed: Callable[[], None],
        observer: PipelineObserver,
    ) -> None:
        self._state = state
        self._batchers = state.batchers
        self._ledger = state.ledger
        self._accounts = state.accounts
        self._progress = state.progress
        self._holds = state.holds
        self._clock = clock
        self.failed = failed
        self.stopped = stopped
        self._owned_changed = owned_changed
        self._observer = observer
        self._committing = Committing()
        self._commits_held = False

    def connect(
        self,
        *,
        source: Source,
        intake: Intake,
        lanes: Lanes,
        bulk: BulkLanes,
        outbox: Outbox,
        dispatcher: RecordDispatcher,
        revocations: Revocations,
    ) -> None:
        """Take the rooms that call back; before anything is started."""
        self._source = source
        self._intake = intake
        self._lanes = lanes
        self._bulk = bulk
        self._outbox = outbox
        self._dispatcher = dispatcher
        self._revocations = revocations

    # ── from the source
    # ──────────────────────────────────────────────────────────────────────────────────

    def assigned(self, assignments: Sequence[Assignment]) -> None:
        """These partitions are ours from now on."""
        for topic in {one.topic for one in assignments if self._progress.was_read_before(one)}:
            self._state.routes.forget_versions(topic)
        for assignment in assignments:
            self._progress.own(assignment, self._clock.now_s())
        self._owned_changed()
        self._observer.assignment_changed("assigned", assignments)
        self.adjust_intake()

    def chunk(self, chunk: Chunk) -> None:
        """Map the records of a chunk, batch their changes, and let the lanes have what is ready."""
        assignment = chunk.assignment
        if assignment not in self._progress:
            return  # let go of while the chunk was under way; its next owner reads it again
        self._ledger.polled(assignment, len(chunk.records), sum(map(len, chunk.records)))
        assignment.next_offset = chunk.records[-1].offset() + 1
        self._dispatcher.place(chunk)
        self.went_on()

    def reached_end(self, assignment: Assignment, offset: int) -> None:
        """Nothing but markers and holes up to here: an idle partition stands at its end."""
        assignment.next_offset = max(assignment.next_offset, offset)

    def revoking(
        self, assignments: Sequence[Assignment], release: Callable[[Sequence[Position]], None]
    ) -> None:
        """Finish what is open of these within the drain budget, then let go of them."""
        self._observer.assignment_changed("revoked", assignments)
        self._revocations.begin(assignments, release)
        self.adjust_intake()

    def lost(self, assignments: Sequence[Assignment]) -> None:
        """Somebody else's already: cancel what is open, commit nothing."""
        self._observer.assignment_changed("lost", assignments)
        self._revocations.let_go(frozenset(assignments))
        self.adjust_intake()

    def committed(self, positions: Sequence[Position], error: str | None) -> None:
        """A commit was answered; on an error the positions go out again with the next."""
        self._committing.answered(error)
        self._observer.commit_answered(len(positions), error)
        if error is None:
            for position in positions:
                position.assignment.committed = position.offset

    def held(self, reason: HoldReason, detail: str, assignment: Assignment | None) -> None:
        """The brokers hold us up."""
        self._holds.hold(reason, assignment, detail, self._clock.wall_ms())
        self.adjust_intake()

    def released(self, reason: HoldReason, assignment: Assignment | None) -> None:
        """The brokers are back."""
        self._holds.release(reason, assignment)
        self.adjust_intake()

    # ── from the lanes and the outbox
    # ────────────────────────────────────────────────────────────────────

    def accepted(self, batch: Batch) -> None:
        """The service has the batch.

        Its records are settled, and those that were conflated into them.
        """
        conflated_count = self._ledger.batch_settled(
            batch.record_counts, batch.linked_changes.values(), RecordOutcome.ACCEPTED
        )
        self._changes_accepted(batch.target, len(batch.changes), conflated_count)
        self._settled(batch)

    def rejected(self, batch: Batch, verdict: Reject) -> None:
        """The service refuses this one row.

        Its record goes to the dead-letter topic, still open until there.
        """
        for change in batch.changes.values():
            fault = RecordFault(
                reason=Reason(verdict.reason),
                detail=verdict.detail,
                object=batch.target.object,
                http_status=verdict.status,
                attempts=batch.attempts,
                first_failed_at_ms=batch.first_failed_ms or self._clock.wall_ms(),
            )
            for entry in change.superseded or ():
                for record, partial_record in entry.kept:
                    self._outbox.post(entry.assignment, record, fault, partial_record)
                entry.kept.clear()
            if change.assignment is not None:
                self._outbox.post(
                    change.assignment, change.record, fault, change.partial_record, change
                )
        self._settled(batch)

    def bulk_batch_settled(self, target: Target, bulk_batch: BulkBatch) -> None:
        """A bulk job is complete: its rows are accepted.

        What they replaced on disk is conflated.
        """
        accepted = bulk_batch.accepted()
        for assignment, all_of_it in bulk_batch.record_counts.items():
            written = accepted.get(assignment) or RecordCount()
            conflated_count = all_of_it.count - written.count
            conflated_bytes = all_of_it.value_bytes - written.value_bytes
            self._ledger.spooled_settled(
                assignment, RecordOutcome.ACCEPTED, written.count, written.value_bytes
            )
            self._ledger.spooled_settled(
                assignment, RecordOutcome.CONFLATED, conflated_count, conflated_bytes
            )
        for partial_record in bulk_batch.partial_records.values():
            self._ledger.part_settled(partial_record, RecordOutcome.ACCEPTED)
        for partial_record in bulk_batch.conflated:
            self._ledger.part_settled(partial_record, RecordOutcome.CONFLATED)
        row_count = sum(map(bulk_batch.spool.count, Operation))
        self._changes_accepted(target, row_count, bulk_batch.change_count - row_count)
        self._state.row_buffers[target].settle()
        self.adjust_intake()
        self._revocations.end_what_is_done()

    def row_refused(
        self,
        assignment: Assignment,
        record: Record,
        fault: RecordFault,
        partial_record: PartialRecord | None,
    ) -> None:
        """A bulk job took this row not.

        Its record comes back from the disk and goes to the dead-letter topic.
        """
        if partial_record is None:
            self._ledger.spooled(assignment, -1, -len(record))
        self._outbox.post(assignment, record, fault, partial_record)

    def dead_letters_open(self) -> int:
        """Return how many letters are under way."""
        return self._outbox.open_count

    def lane_held(self, target: Target, hold: HoldLane) -> None:
        """An object's lane waits: so do the partitions that feed it."""
        self._holds.hold(hold.reason, target, hold.detail, self._clock.wall_ms())
        self.adjust_intake()

    def lane_released(self, target: Target, hold: HoldLane) -> None:
        """It goes on."""
        self._holds.release(hold.reason, target)
        self.adjust_intake()

    def dead_letter_held(self, assignment: Assignment, hold: Hold) -> None:
        """The dead-letter topic does not take this partition's record.

        The partition waits, others go on.
        """
        self._holds.hold(hold.reason, assignment, hold.detail, self._clock.wall_ms())
        self.adjust_intake()

    def dead_letter_sent(
        self,
        assignment: Assignment,
        record: Record,
        fault: RecordFault,
        partial_record: PartialRecord | None,
        change: Change | None,
    ) -> None:
        """The dead-letter topic has the record.

        It is settled, and those that were conflated into it.
        """
        self._holds.release(HoldReason.DEAD_LETTER, assignment)
        self._observer.dead_lettered(record, fault)
        if partial_record is None:
            self._ledger.settled(assignment, RecordOutcome.DEAD_LETTERED, 1, len(record))
        else:
            self._ledger.part_settled(partial_record, RecordOutcome.DEAD_LETTERED)
        conflated_count = self._ledger.superseded_settled((change,)) if change is not None else 0
        if fault.object is not None:
            self._accounts.settled(fault.object, RecordOutcome.DEAD_LETTERED, 1)
            self._accounts.settled(fault.object, RecordOutcome.CONFLATED, conflated_count)
        self.adjust_intake()
        self._revocations.end_what_is_done()

    # ── by the clock
    # ─────────────────────────────────────────────────────────────────────────────────────

    def commit(self) -> None:
        """Commit every position that moved.

        One commit at a time, called once per commit interval.
        """
        self._progress.advance(open_lows(self._state, self._outbox), self._clock.now_s())
        positions = [
            Position(assignment, offset) for assignment, offset in self._progress.to_commit()
        ]
        now_s = self._clock.now_s()
        if not positions:
            self._committing.nothing_due()
        else:
            self._committing.due(now_s)
            if self._committing.may_send(now_s):
                self._committing.sent(now_s)
                self._source.commit(positions)
        self._name_commits(self._committing.stalled(now_s))

    def _name_commits(self, stalled: str | None) -> None:
        """Commits that do not succeed are a hold by name.

        Delivery goes on, what is read again grows.
        """
        if stalled is not None:
            self._commits_held = True
            self._holds.hold(HoldReason.BROKER, None, stalled, self._clock.wall_ms())
        elif self._commits_held:
            self._commits_held = False
            self._holds.release(HoldReason.BROKER, None)

    def name_pause(self, paused_s: float) -> None:
        """A pause that the service asked for is a hold by name from some length on.

        Called every second.
        """
        if paused_s > RATE_HOLD_S:
            self._holds.hold(
                HoldReason.RATE,
                None,
                f"the service asked for a pause of {paused_s:.0f} s",
                self._clock.wall_ms(),
            )
        elif not paused_s:
            self._holds.release(HoldReason.RATE, None)

    # ── what follows from it
    # ─────────────────────────────────────────────────────────────────────────────

    def _changes_accepted(self, target: Target, count: int, conflated_count: int) -> None:
        self._accounts.settled(target.object, RecordOutcome.ACCEPTED, count)
        self._accounts.settled(target.object, RecordOutcome.CONFLATED, conflated_count)

    def _settled(self, batch: Batch) -> None:
        self._batchers[batch.target].settle(batch, self._clock.now_s())
        self.adjust_intake()
        self._revocations.end_what_is_done()

    def went_on(self) -> None:
        """Something was placed: let the lanes have what is ready.

        And the source know how much is open.
        """
        self._lanes.pump()
        self._bulk.pump()
        self.adjust_intake()

    def adjust_intake(self) -> None:
        """Let the partitions hand over more, or not, as what is open and what is held now say."""
        places: set[HoldScope] = {held.place for held in self._holds if not _wants_more(held)}
        places |= {
            target for target, row_buffer in self._state.row_buffers.items() if row_buffer.is_full()
        }

        def is_held(assignment: Assignment) -> bool:
            if assignment in places or assignment.topic in places:
                return True
            return any(
                mapper.target in places for mapper in self._state.routes.mappers(assignment.topic)
            )

        self._intake.adjust(
            self._progress.owned, self._state.held_bytes, is_held if places else None
        )
        if self._intake.is_full:
            for row_buffer in self._state.row_buffers.values():
                row_buffer.press()


def _wants_more(held: ActiveHold) -> bool:
    """Tell whether a hold ends sooner when reading goes on.

    What the service will take may only be further on.
    """
    return held.reason is HoldReason.MASS_REJECT and isinstance(held.place, Target)
