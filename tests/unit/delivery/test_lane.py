"""A lane's hold: one probe at a time, at rising intervals, until an answer ends it."""

from __future__ import annotations

from consumer.batching.batcher import Batcher
from consumer.batching.conflation import replace
from consumer.dead_letter.fuse import Fuse
from consumer.dead_letter.settings import FuseSettings
from consumer.delivery.lane import Lane
from consumer.delivery.verdicts import HoldLane
from consumer.errors import HoldReason
from consumer.model import Assignment, PlainRecord, Target, Upsert


def lane_with_batches(count: int) -> Lane:
    batcher = Batcher(Target("c", "o"), replace, batch_bytes=1_000, delete_ids=200)
    source = Assignment("t", 0, 1, 0, None)
    for at in range(count):
        batcher.add([Upsert(str(at), b"{}", PlainRecord("t", 0, at))], source, 0.0)
        batcher.seal_lingered(0.0, 0.0)
    return Lane(batcher, Fuse(FuseSettings()), "id")


CONFIG = HoldLane(HoldReason.CONFIG, "404")
MASS = HoldLane(HoldReason.MASS_REJECT, "20 in a row")


def test_a_held_lane_starts_one_probe_when_it_is_due() -> None:
    """Probes start after 5 s, and never two at a time."""
    lane = lane_with_batches(2)
    batch = lane.batcher.ready[0]
    lane.hold(CONFIG, batch, 100.0)
    assert not lane.may_start(104.9)
    assert lane.may_start(105.0)
    lane.probe = batch
    assert not lane.may_start(105.0)


def test_probes_that_find_the_hold_lasting_rise_to_30_seconds() -> None:
    """The intervals are 5, 10, 20, then 30 s."""
    lane = lane_with_batches(1)
    batch = lane.batcher.ready[0]
    lane.hold(CONFIG, batch, 0.0)
    dues = [lane.probe_due_s]
    for _ in range(4):
        lane.probe = batch
        lane.hold(CONFIG, batch, 0.0)
        dues.append(lane.probe_due_s)
    assert [5.0, 10.0, 20.0, 30.0, 30.0] == dues


def test_late_answers_from_before_the_hold_do_not_move_the_probe() -> None:
    """32 requests in flight that all run into the hold are one step of backoff, not 32."""
    lane = lane_with_batches(2)
    first, second = lane.batcher.ready
    lane.hold(CONFIG, first, 0.0)
    lane.hold(CONFIG, second, 1.0)
    assert 5.0 == lane.probe_due_s


def test_a_mass_rejection_ends_with_an_acceptance_only() -> None:
    """A further rejection does not end it."""
    lane = lane_with_batches(1)
    lane.hold(MASS, lane.batcher.ready[0], 0.0)
    assert lane.release_on_answer() is None
    assert MASS == lane.release_on_acceptance()
    assert lane.held is None


def test_a_rejection_ends_any_other_hold() -> None:
    """A 400 shows that connector, object and token are right."""
    lane = lane_with_batches(1)
    lane.hold(CONFIG, lane.batcher.ready[0], 0.0)
    assert CONFIG == lane.release_on_answer()


def test_a_lane_without_batches_starts_nothing() -> None:
    """Held or not."""
    assert not lane_with_batches(0).may_start(1e9)


def test_a_mass_rejection_is_probed_with_the_newest() -> None:
    """The rejected batches are at the front; in any other hold batches keep their order."""
    lane = lane_with_batches(3)
    oldest, _, newest = lane.batcher.ready
    lane.hold(CONFIG, oldest, 0.0)
    assert oldest is lane.take(5.0)
    lane.held = None
    lane.hold(MASS, oldest, 10.0)
    assert newest is lane.take(15.0)
