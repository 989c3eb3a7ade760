"""No sliding second at the tenant ever exceeds its limit, whatever the replicas do."""

from __future__ import annotations

import heapq

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consumer.delivery.load_control import RateBucket

TENANT = 250
Step = tuple[float, int]


def most_in_a_second(starts: list[float]) -> int:
    starts.sort()
    most = first = 0
    for last, at_s in enumerate(starts):
        while starts[first] <= at_s - 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


UNTIL_S = 3.5


def drive(bucket: RateBucket, lanes: int, from_s: float, lateness: list[float]) -> list[float]:
    """Run lanes that always want to send; each wakes later than it asked, by drawn amounts."""
    starts: list[float] = []
    waking = [(from_s, lane, False) for lane in range(lanes)]
    turn = 0
    while waking and waking[0][0] < UNTIL_S:
        now_s, lane, has_place = heapq.heappop(waking)
        wait_s = bucket.start(now_s) if has_place else bucket.reserve(now_s)
        if wait_s == 0.0:
            starts.append(now_s)
            heapq.heappush(waking, (now_s + 0.01, lane, False))
            continue
        turn += 1
        heapq.heappush(waking, (now_s + wait_s + lateness[turn % len(lateness)], lane, True))
    return starts


@pytest.mark.holds("I14")
@given(
    owned=st.lists(st.integers(0, 30), min_size=1, max_size=5).filter(any),
    lanes=st.integers(1, 40),
    lateness=st.lists(st.floats(0.0, 0.5), min_size=1, max_size=7),
    newcomers_s=st.lists(st.floats(1.0, 3.0), max_size=10),
)
@example(owned=[6], lanes=40, lateness=[0.0], newcomers_s=[2.0] * 10)
@example(owned=[1, 1, 1, 1, 1], lanes=40, lateness=[0.0], newcomers_s=[2.0] * 10)
@example(owned=[1] * 44, lanes=9, lateness=[0.0], newcomers_s=[2.0] * 10)
@example(owned=[1] * 30, lanes=9, lateness=[0.0], newcomers_s=[1.9, 2.0, 2.1] * 3)
@example(owned=[3, 5], lanes=40, lateness=[0.0, 0.0, 0.4], newcomers_s=[2.0] * 10)
def test_all_replicas_together(
    owned: list[int], lanes: int, lateness: list[float], newcomers_s: list[float]
) -> None:
    """Owners of all partitions and ten new processes together stay within the rate."""
    starts: list[float] = []
    for began_s in newcomers_s:
        starts += drive(RateBucket(TENANT), lanes, began_s, lateness)
    for count in owned:
        if count:
            bucket = RateBucket(TENANT)
            bucket.set_share(count, sum(owned), 0.0)
            starts += drive(bucket, lanes, 0.0, lateness)
    assert most_in_a_second(starts) <= TENANT


@given(
    tenant=st.integers(1, 250), steps=st.lists(st.tuples(st.floats(0.0, 1.5), st.integers(0, 4)))
)
def test_pauses_and_refusals_never_raise_it(tenant: int, steps: list[Step]) -> None:
    """Pauses, halving and climbing in any order keep the limit, and the pauses are kept."""
    bucket = RateBucket(tenant)
    for owned_since_s in (-20.0, -10.0):
        bucket.set_share(1, 1, owned_since_s)
    starts: list[float] = []
    now_s = paused_until_s = 0.0
    for advance_s, kind in steps:
        now_s += advance_s
        if kind == 0:
            bucket.pause_until(now_s, advance_s)
            paused_until_s = max(paused_until_s, now_s + advance_s)
        elif kind == 1:
            bucket.throttled(now_s)
        else:
            for _ in range(kind * 20):
                wait_s = bucket.reserve(now_s)
                if wait_s == 0.0:
                    assert now_s >= paused_until_s
                    starts.append(now_s)
    assert most_in_a_second(starts) <= tenant


@given(
    moves=st.lists(st.tuples(st.floats(0.05, 1.0), st.integers(0, 6)), min_size=1, max_size=6),
    lanes=st.integers(1, 30),
)
def test_partitions_that_move_take_their_rate_with_them(moves: list[Step], lanes: int) -> None:
    """Two replicas hand partitions back and forth; they never use the same share at a time."""
    buckets = [RateBucket(TENANT), RateBucket(TENANT)]
    starts: list[float] = []
    now_s = 0.0
    for duration_s, first_owns in moves:
        for bucket, owns in zip(buckets, (first_owns, 6 - first_owns), strict=True):
            bucket.set_share(owns, 6, now_s)
            ends_s, at_s = now_s + duration_s, now_s
            for _ in range(lanes * 20):
                wait_s = bucket.reserve(at_s) if owns else ends_s
                while 0.0 < wait_s and at_s + wait_s < ends_s:
                    at_s += wait_s
                    wait_s = bucket.start(at_s)
                if wait_s > 0.0:
                    break
                starts.append(at_s)
        now_s += duration_s
    assert most_in_a_second(starts) <= TENANT
