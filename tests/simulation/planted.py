"""Plants one bug at a time; the checks of the storm must catch each of them.

Each bug comes with the seed of a storm that catches it. It changes one decision in one place, and
the storm does not know which.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from consumer.batching import conflation
from consumer.batching.batcher import Batcher
from consumer.dead_letter.outbox import Outbox
from consumer.delivery import attempt as attempt_module
from consumer.delivery.judge import judge
from consumer.delivery.lane import Lane
from consumer.delivery.lanes import Lanes
from consumer.delivery.load_control import RateBucket
from consumer.delivery.verdicts import (
    Accepted,
    HoldLane,
    Isolate,
    Reject,
    Retry,
)
from consumer.engine.pipeline import Pipeline
from consumer.http.messages import Answer, NoAnswer
from consumer.mapping.routing import RouteTable
from consumer.model import Assignment, Delete, Operation, Upsert
from consumer.offsets import progress as progress_module
from consumer.offsets.ledger import Ledger
from consumer.source.port import Position

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from consumer.batching.batch import Batch

Plant: TypeAlias = "Callable[[pytest.MonkeyPatch], None]"


def _verdict(change: Callable[[Any, Any], Any]) -> Plant:
    """Plant a wrong verdict: the lanes get `change(outcome, verdict)`."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        def misread(outcome: Any, **facts: Any) -> Any:  # noqa: ANN401 - whatever judge takes and gives
            return change(outcome, judge(outcome, **facts))

        patch.setattr(attempt_module, "judge", misread)

    return plant


def commit_before_accept(patch: pytest.MonkeyPatch) -> None:
    """Positions follow the records read, not the records settled."""
    patch.setattr(progress_module, "position", lambda assignment, _marks: assignment.next_offset)


def highest_seen_commit(patch: pytest.MonkeyPatch) -> None:
    """The highest unsettled offset is committed instead of the lowest."""

    def highest(held: Any) -> dict[Any, Any]:  # noqa: ANN401 - as the function it stands in for
        marks: dict[Any, Any] = {}
        for assignment, low in held:
            marks[assignment] = max(low, marks.get(assignment, low))
        return marks

    patch.setattr(progress_module, "lowest", highest)


def fence_before_drain(patch: pytest.MonkeyPatch) -> None:
    """Records in flight at a revocation are dropped and counted as settled."""

    def revoking(self: Pipeline, assignments: Any, release: Any) -> None:  # noqa: ANN401 - as the method
        positions = [Position(one, one.next_offset) for one in assignments]
        self._revocations.drop(frozenset(assignments))
        release(positions)

    patch.setattr(Pipeline, "revoking", revoking)


def upserts_and_deletes_apart(patch: pytest.MonkeyPatch) -> None:
    """Upserts and deletes are batched independently: a key is in flight in both."""
    place = Batcher._place

    def apart(self: Batcher, change: Any, now_s: float) -> bool:  # noqa: ANN401 - as the method
        if type(change) is Delete:
            self._append(change, Operation.DELETE, now_s)
            return True
        return place(self, change, now_s)

    patch.setattr(Batcher, "_place", apart)


def create_and_delete_are_nothing(patch: pytest.MonkeyPatch) -> None:
    """A delete cancels an unsent upsert of its key and is not sent itself."""
    append = Batcher._append

    def cancelling(self: Batcher, change: Any, operation: Operation, now_s: float) -> None:  # noqa: ANN401
        if type(change) is Upsert or change.superseded is None:
            append(self, change, operation, now_s)

    patch.setattr(Batcher, "_append", cancelling)


def split_loses_one(patch: pytest.MonkeyPatch) -> None:
    """A rejected batch of three or more loses its last row when it is split."""
    split = Batcher.split

    def losing(self: Batcher, batch: Batch, groups: Any) -> Any:  # noqa: ANN401 - as the method
        groups = [list(group) for group in groups]
        if len(batch.changes) > 2:
            key = groups[-1].pop()
            self._sealed_keys.discard(key)
        return split(self, batch, [group for group in groups if group])

    patch.setattr(Batcher, "split", losing)


def whole_batch_dead_lettered(patch: pytest.MonkeyPatch) -> None:
    """One bad row makes its whole batch dead letters."""

    def change(_outcome: Any, verdict: Any) -> Any:  # noqa: ANN401 - verdicts
        return Reject("SINK_REJECTED", "all", 400) if isinstance(verdict, Isolate) else verdict

    _verdict(change)(patch)


def retry_lets_newer_pass(patch: pytest.MonkeyPatch) -> None:
    """While a batch waits for its retry its keys are free, so an older change wins."""
    wait = Lanes._wait_for_retry

    async def freeing(self: Lanes, batch: Batch, verdict: Retry, retries: int) -> None:
        for lane in self._lanes:
            if lane.batcher.target == batch.target:
                lane.batcher._sealed_keys.difference_update(batch.changes)
        await wait(self, batch, verdict, retries)

    patch.setattr(Lanes, "_wait_for_retry", freeing)


def sealed_keys_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A key in flight does not hold its next change back."""
    seal = Batcher._seal

    def forgetting(self: Batcher, operation: Operation, now_s: float) -> Batch:
        fresh = seal(self, operation, now_s)
        self._sealed_keys.clear()
        return fresh

    patch.setattr(Batcher, "_seal", forgetting)


def waiting_changes_are_lost(patch: pytest.MonkeyPatch) -> None:
    """A change that waited for its key is lost when the key becomes free."""
    patch.setattr(Batcher, "_move_up", lambda self, key, _now_s: self._waiting.pop(key))


def superseded_records_hold_nothing(patch: pytest.MonkeyPatch) -> None:
    """The change that superseded a record does not hold the record's offset."""
    supersede = conflation.supersede

    def lowless(newer: Any, older: Any, encoded: bytes) -> None:  # noqa: ANN401 - as the function
        supersede(newer, older, encoded)
        for entry in newer.superseded:
            entry.low = entry.low._replace(offset=2**40)

    patch.setattr("consumer.batching.batcher.supersede", lowless)


def settled_before_confirmation(patch: pytest.MonkeyPatch) -> None:
    """A dead letter counts as sent when it was handed to the producer."""
    post = Outbox.post

    def hasty(self: Outbox, assignment: Any, record: Any, *rest: Any) -> None:  # noqa: ANN401 - as the method
        post(self, assignment, record, *rest)
        number = max(self._pending)
        self._pending[number] = self._pending[number]._replace(
            assignment=Assignment("", 0, 0, 0, None)
        )

    patch.setattr(Outbox, "post", hasty)


def lost_partition_keeps_working(patch: pytest.MonkeyPatch) -> None:
    """A lost partition is processed as before."""
    patch.setattr(Pipeline, "lost", lambda _self, _assignments: None)


def retry_after_ignored(patch: pytest.MonkeyPatch) -> None:
    """The pause that the service asks for is not kept."""
    patch.setattr(RateBucket, "pause_until", lambda _self, _now_s, _duration_s: None)


def time_out_is_acceptance(patch: pytest.MonkeyPatch) -> None:
    """A missing answer counts as an acceptance."""

    def change(outcome: Any, verdict: Any) -> Any:  # noqa: ANN401 - verdicts
        return Accepted() if isinstance(outcome, NoAnswer) else verdict

    _verdict(change)(patch)


def any_2xx_is_acceptance(patch: pytest.MonkeyPatch) -> None:
    """A proxy's page with status 200 counts as an acceptance."""

    def change(outcome: Any, verdict: Any) -> Any:  # noqa: ANN401 - verdicts
        return Accepted() if isinstance(outcome, Answer) and outcome.status // 100 == 2 else verdict

    _verdict(change)(patch)


def set_up_faults_drop(patch: pytest.MonkeyPatch) -> None:
    """A batch answered with 404 or 403 is dropped and settled."""

    def change(_outcome: Any, verdict: Any) -> Any:  # noqa: ANN401 - verdicts
        return Accepted() if isinstance(verdict, HoldLane) else verdict

    _verdict(change)(patch)


def holds_never_end(patch: pytest.MonkeyPatch) -> None:
    """A hold never sends a probe."""
    patch.setattr(
        Lane, "may_start", lambda self, _now_s: bool(self.batcher.ready) and self.held is None
    )


def settled_twice(patch: pytest.MonkeyPatch) -> None:
    """A dead-lettered record is settled twice."""
    settled = Ledger.settled

    def twice(self: Ledger, assignment: Any, outcome: Any, count: int, value_bytes: int) -> None:  # noqa: ANN401
        settled(self, assignment, outcome, count + (outcome == "dead_lettered"), value_bytes)

    patch.setattr(Ledger, "settled", twice)


def versions_outlive_a_loss(patch: pytest.MonkeyPatch) -> None:
    """Records that are read a second time get a version above later changes of their key."""
    patch.setattr(RouteTable, "forget_versions", lambda _self, _topic: None)


def partial_rows_replace(patch: pytest.MonkeyPatch) -> None:
    """In partial mode the newer change replaces the older one, whose fields are lost."""
    patch.setattr("consumer.app.targets.merge", lambda _older, newer: newer.encoded)


def superseded_settle_before_confirmation(patch: pytest.MonkeyPatch) -> None:
    """Records that a rejected change superseded are settled before its dead letter is confirmed."""
    post = Outbox.post

    def hasty(  # noqa: PLR0917 - as the method
        self: Outbox,
        assignment: Any,  # noqa: ANN401 - as the method
        record: Any,  # noqa: ANN401 - as the method
        fault: Any,  # noqa: ANN401 - as the method
        partial_record: Any,  # noqa: ANN401 - as the method
        change: Any = None,  # noqa: ANN401 - as the method
    ) -> None:
        if change is not None:
            self._events._ledger.superseded_settled((change,))  # type: ignore[attr-defined]  # the pipeline's
            change.superseded = None
        post(self, assignment, record, fault, partial_record, None)

    patch.setattr(Outbox, "post", hasty)


def cancelled_batch_is_ready_at_once(patch: pytest.MonkeyPatch) -> None:
    """A cancelled batch is ready again while its request is still open."""

    def cancel(self: Lanes, gone: Any) -> None:  # noqa: ANN401 - as the method
        for lane in self._lanes:
            for batch in [
                batch for batch in self._in_flight if batch.target == lane.batcher.target
            ]:
                if any(change.assignment in gone for change in batch.changes.values()):
                    self._in_flight.pop(batch).cancel()
                    lane.batcher.ready.appendleft(batch)

    patch.setattr(Lanes, "cancel", cancel)


def nothing_to_probe_with(patch: pytest.MonkeyPatch) -> None:
    """A held lane whose batches were dropped with their partition stays held."""
    patch.setattr(Lane, "release_when_empty", lambda _self: None)


def first_hold_is_not_released(patch: pytest.MonkeyPatch) -> None:
    """A hold that turns into another one leaves the first in the list."""

    def hold(self: Lanes, lane: Lane, batch: Batch, hold: HoldLane) -> None:
        was_held = lane.held is not None
        lane.hold(hold, batch, self._clock.now_s())
        if not was_held:
            self._events.lane_held(lane.batcher.target, hold)

    patch.setattr(Lanes, "_hold", hold)


PLANTED: dict[Plant, int] = {
    commit_before_accept: 0,
    highest_seen_commit: 0,
    fence_before_drain: 4,
    upserts_and_deletes_apart: 0,
    create_and_delete_are_nothing: 1,
    split_loses_one: 0,
    whole_batch_dead_lettered: 0,
    retry_lets_newer_pass: 7,
    sealed_keys_forgotten: 0,
    waiting_changes_are_lost: 0,
    superseded_records_hold_nothing: 1,
    settled_before_confirmation: 0,
    lost_partition_keeps_working: 0,
    retry_after_ignored: 10,
    time_out_is_acceptance: 17,
    any_2xx_is_acceptance: 2,
    set_up_faults_drop: 2,
    holds_never_end: 2,
    settled_twice: 0,
    versions_outlive_a_loss: 382,
    partial_rows_replace: 1,
    superseded_settle_before_confirmation: 4,
    cancelled_batch_is_ready_at_once: 70,
    nothing_to_probe_with: 277,
    first_hold_is_not_released: 93,
}
"""Each bug with the seed of a storm that catches it. The last five were real bugs that a storm
found."""
