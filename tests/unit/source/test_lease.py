"""The lease: after a gap in the clock, requests wait for a proof of ownership."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from consumer.source.lease import GAP_S, Lease, NoGate, OwnershipGate
from tests.unit.source.stepped_clock import SteppedClock

if TYPE_CHECKING:
    from consumer.source.port import Source


def test_a_running_process_keeps_the_lease() -> None:
    """Any of its threads renews it."""
    clock = SteppedClock()
    lease = Lease(clock)
    seen = []
    for _ in range(5):
        clock.step(GAP_S - 0.1)
        lease.touch()
        seen.append((lease.is_unproven, lease.is_current()))
    assert [(False, True)] * 5 == seen


@pytest.mark.holds("I3")
def test_the_loop_sees_a_gap_before_the_consumer_thread_does() -> None:
    """After a wake-up the loop may run first."""
    clock = SteppedClock()
    lease = Lease(clock)
    clock.step(GAP_S)
    assert (False, True) == (lease.is_current(), lease.is_unproven)


@pytest.mark.holds("I3")
def test_running_again_proves_nothing() -> None:
    """The threads run again, and still no request passes until the group has confirmed it."""
    clock = SteppedClock()
    lease = Lease(clock)
    clock.step(25.0)
    lease.touch()
    clock.step(0.05)
    lease.touch()
    assert (1, 25.0, False) == (lease.gaps, lease.gap_s, lease.is_current())
    lease.prove()
    # The thread has its proof, and the loop has not processed it yet: `lost` may be queued before.
    assert (False, False) == (lease.is_unproven, lease.is_current())
    lease.confirm(1)
    assert lease.is_current()


@pytest.mark.holds("I3")
def test_a_proof_of_an_earlier_gap_does_not_count() -> None:
    """The process was stopped again before the answer came."""
    clock = SteppedClock()
    lease = Lease(clock)
    for _ in range(2):
        clock.step(25.0)
        lease.touch()
    lease.confirm(1)
    assert not lease.is_current()
    lease.confirm(2)
    assert lease.is_current()


def test_a_suspended_machine_shows_in_the_wall_clock() -> None:
    """Its monotonic clock stands still meanwhile."""
    clock = SteppedClock()
    lease = Lease(clock)
    clock.wall_s += 600
    assert not lease.is_current()


def test_a_wall_clock_that_is_set_back_is_not_a_gap() -> None:
    """Nor does it hide one of the monotonic clock."""
    clock = SteppedClock()
    lease = Lease(clock)
    clock.wall_s -= 600
    assert lease.is_current()
    clock.wall_s -= 600
    clock.monotonic_s += 25
    assert not lease.is_current()


class _Source:
    """Becomes current when it was asked a few times."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals

    def is_current(self) -> bool:
        """Return whether it was asked often enough."""
        self.refusals -= 1
        return self.refusals < 0


@pytest.mark.parametrize("refusals", [0, 3])
async def test_the_gate_opens_when_ownership_is_proven(refusals: int) -> None:
    """At once in a running process, else after as many looks as it takes."""
    clock, source = SteppedClock(), _Source(refusals)
    begun_s = clock.now_s()
    await OwnershipGate(cast("Source", source), clock).passed()
    assert (-1, refusals > 0) == (source.refusals, clock.now_s() > begun_s)


async def test_work_outside_the_group_has_nothing_to_prove() -> None:
    """A backfill owns no partition."""
    await NoGate().passed()
