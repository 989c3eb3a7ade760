"""Handles every event of the engine: records in, results in, positions out.

Each public method is one event. All of them run on the event loop, per chunk or per batch, and
return at once. The picture is in the package's docstring.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from consumer.dead_letter.envelope import RecordFault
from consumer.engine.record_dispatch import DispatchObserver
from consumer.engine.state import EngineState, open_lows
from consumer.errors import Hold, HoldReason, Reason
from consumer.holds import RATE_HOLD_S
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


class PipelineObserver(DispatchObserver, Protocol):
    """Receives pipeline events for log and metrics.

    Counts per record are not reported here; they come from the ledger.
    """

    def assignment_changed(self, kind: str, assignments: Sequence[Assignment]) -> None:
        """Report partitions that were `assigned`, `revoked` or `lost`."""
        ...

    def dead_lettered(self, record: Record, fault: RecordFault) -> None:
        """Report a record that the dead-letter topic has confirmed."""
        ...

    def commit_answered(self, count: int, error: str | None) -> None:
        """Report a commit of `count` partitions; `error` is `None` when it succeeded."""
        ...


class Pipeline:
    """Receives events from the source, the lanes and the outbox; does no I/O itself."""

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
        """Set the collaborators that call back into the pipeline; called once, before the start."""
        self._source = source
        self._intake = intake
        self._lanes = lanes
        self._bulk = bulk
        self._outbox = outbox
        self._dispatcher = dispatcher
        self._revocations = revocations

    # ── events of the source ────────────────────────────────────────────────────────────────────

    def assigned(self, assignments: Sequence[Assignment]) -> None:
        """Own these partitions from now on."""
        # Where records are read a second time, versions given at the first reading would be too
        # high: Record Modified would be lifted above later changes of the same key.
        for topic in {one.topic for one in assignments if self._progress.was_read_before(one)}:
            self._state.routes.forget_versions(topic)
        for assignment in assignments:
            self._progress.own(assignment, self._clock.now_s())
        self._owned_changed()
        self._observer.assignment_changed("assigned", assignments)
        self.adjust_intake()

    def chunk(self, chunk: Chunk) -> None:
        """Dispatch the records of a chunk, then start the batches that became ready."""
        assignment = chunk.assignment
        if assignment not in self._progress:
            return  # revoked or lost while the chunk was queued; the next owner reads it again
        self._ledger.polled(assignment, len(chunk.records), sum(map(len, chunk.records)))
        assignment.next_offset = chunk.records[-1].offset() + 1
        self._dispatcher.dispatch(chunk)
        self.pump()

    def reached_end(self, assignment: Assignment, offset: int) -> None:
        """Move the position of a partition past trailing control records and compacted offsets."""
        assignment.next_offset = max(assignment.next_offset, offset)

    def revoking(
        self, assignments: Sequence[Assignment], release: Callable[[Sequence[Position]], None]
    ) -> None:
        """Drain these partitions within the drain budget, then `release` their positions."""
        self._observer.assignment_changed("revoked", assignments)
        self._revocations.begin(assignments, release)
        self.adjust_intake()

    def lost(self, assignments: Sequence[Assignment]) -> None:
        """Cancel all work of partitions that another member already owns; commit nothing."""
        self._observer.assignment_changed("lost", assignments)
        self._revocations.drop(frozenset(assignments))
        self.adjust_intake()

    def committed(self, positions: Sequence[Position], error: str | None) -> None:
        """Note the result of a commit; after an error the positions go into the next one."""
        self._committing.answered(error)
        self._observer.commit_answered(len(positions), error)
        if error is None:
            for position in positions:
                position.assignment.committed = position.offset

    def held(self, reason: HoldReason, detail: str, assignment: Assignment | None) -> None:
        """Record a hold that the Kafka client reported."""
        self._holds.hold(reason, assignment, detail, self._clock.wall_ms())
        self.adjust_intake()

    def released(self, reason: HoldReason, assignment: Assignment | None) -> None:
        """Remove a hold that the Kafka client reported."""
        self._holds.release(reason, assignment)
        self.adjust_intake()

    # ── events of the lanes and the outbox ──────────────────────────────────────────────────────

    def accepted(self, batch: Batch) -> None:
        """Settle an accepted batch, and the records that its changes superseded."""
        conflated_count = self._ledger.batch_settled(
            batch.record_counts, batch.linked_changes.values(), RecordOutcome.ACCEPTED
        )
        self._changes_accepted(batch.target, len(batch.changes), conflated_count)
        self._settled(batch)

    def rejected(self, batch: Batch, verdict: Reject) -> None:
        """Send a rejected row's record to the dead-letter topic, which settles it later."""
        for change in batch.changes.values():
            fault = RecordFault(
                reason=Reason(verdict.reason),
                detail=verdict.detail,
                object=batch.target.object,
                http_status=verdict.status,
                attempts=batch.attempts,
                first_failed_at_ms=batch.first_failed_ms or self._clock.wall_ms(),
            )
            # Superseded records that were kept were merged into this row (partial refresh): their
            # fields are lost with it, so each gets its own dead letter.
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
        """Settle a bulk batch whose job completed.

        Rows that the job wrote are accepted. Changes that a newer row replaced in the spool are
        conflated.
        """
        accepted = bulk_batch.accepted()
        # Records that became exactly one row are counted by partition, the others part by part.
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
        self._revocations.end_drained()

    def row_refused(
        self,
        assignment: Assignment,
        record: Record,
        fault: RecordFault,
        partial_record: PartialRecord | None,
    ) -> None:
        """Send the record of a row that a bulk job rejected to the dead-letter topic.

        The record was read back from the spool, so it counts against the memory budget again.
        """
        # A record with a `PartialRecord` is in memory as long as any other part of it is.
        if partial_record is None:
            self._ledger.spooled(assignment, -1, -len(record))
        self._outbox.post(assignment, record, fault, partial_record)

    def dead_letters_open(self) -> int:
        """Return how many dead letters are not confirmed yet."""
        return self._outbox.open_count

    def lane_held(self, target: Target, hold: HoldLane) -> None:
        """Record the hold of an object's lane; the partitions that feed it are paused."""
        self._holds.hold(hold.reason, target, hold.detail, self._clock.wall_ms())
        self.adjust_intake()

    def lane_released(self, target: Target, hold: HoldLane) -> None:
        """Remove the hold of an object's lane."""
        self._holds.release(hold.reason, target)
        self.adjust_intake()

    def dead_letter_held(self, assignment: Assignment, hold: Hold) -> None:
        """Record that a dead letter of this partition cannot be written; others continue."""
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
        """Settle a record that the dead-letter topic confirmed, and those that it superseded."""
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
        self._revocations.end_drained()

    # ── events of the clock ─────────────────────────────────────────────────────────────────────

    def commit(self) -> None:
        """Commit every position that moved, one commit at a time; called once per interval."""
        now_s = self._clock.now_s()
        self._progress.advance(open_lows(self._state, self._outbox), now_s)
        positions = [
            Position(assignment, offset) for assignment, offset in self._progress.to_commit(now_s)
        ]
        if not positions:
            self._committing.nothing_due()
        else:
            self._committing.due(now_s)
            if self._committing.may_send(now_s):
                self._committing.sent(now_s)
                self._source.commit(positions)
        self._hold_stalled_commits(self._committing.stalled(now_s))

    def _hold_stalled_commits(self, stalled: str | None) -> None:
        """Report commits that do not succeed as a BROKER hold.

        Delivery continues; every minute of it adds records that a restart would read again.
        """
        if stalled is not None:
            self._commits_held = True
            self._holds.hold(HoldReason.BROKER, None, stalled, self._clock.wall_ms())
        elif self._commits_held:
            self._commits_held = False
            self._holds.release(HoldReason.BROKER, None)

    def hold_for_pause(self, paused_s: float) -> None:
        """Report a long pause that the service asked for as a RATE hold. Called every second."""
        if paused_s > RATE_HOLD_S:
            self._holds.hold(
                HoldReason.RATE,
                None,
                f"the service asked for a pause of {paused_s:.0f} s",
                self._clock.wall_ms(),
            )
        elif not paused_s:
            self._holds.release(HoldReason.RATE, None)

    # ── consequences of events ──────────────────────────────────────────────────────────────────

    def _changes_accepted(self, target: Target, count: int, conflated_count: int) -> None:
        self._accounts.settled(target.object, RecordOutcome.ACCEPTED, count)
        self._accounts.settled(target.object, RecordOutcome.CONFLATED, conflated_count)

    def _settled(self, batch: Batch) -> None:
        self._batchers[batch.target].settle(batch, self._clock.now_s())
        self.adjust_intake()
        self._revocations.end_drained()

    def pump(self) -> None:
        """Start ready batches and due bulk jobs, then pause or resume partitions."""
        self._lanes.pump()
        self._bulk.pump()
        self.adjust_intake()

    def adjust_intake(self) -> None:
        """Pause or resume partitions by the buffered bytes and the active holds."""
        places: set[HoldScope] = {held.place for held in self._holds if not _wants_more(held)}
        # A full row buffer is backpressure of one object, not a hold.
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
        # Spooled rows are on disk, but a record with several changes stays in memory until all
        # are settled. With intake stopped, waiting for the flush interval would free nothing.
        if self._intake.is_full:
            for row_buffer in self._state.row_buffers.values():
                row_buffer.press()


def _wants_more(held: ActiveHold) -> bool:
    """Tell whether a hold ends sooner when reading continues.

    A mass rejection of an object ends with the first batch that the service accepts, which may be
    further on in the topic.
    """
    return held.reason is HoldReason.MASS_REJECT and isinstance(held.place, Target)
