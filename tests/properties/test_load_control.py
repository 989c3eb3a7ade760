"""No sliding second at the tenant ever exceeds its limit, whatever the replicas do."""

from __future__ import annotations

import heapq

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consumer.delivery.load_control import RateBucket, late_s

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


@pytest.mark.holds("I14")
@given(
    rate=st.integers(1, TENANT),
    lanes=st.integers(1, 40),
    lateness=st.lists(st.floats(0.0, 0.5), min_size=1, max_size=7),
    events=st.lists(st.tuples(st.floats(0.0, 0.7), st.integers(0, 3)), max_size=8),
    delays=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=11),
)
@example(rate=8, lanes=32, lateness=[0.0], events=[], delays=[1.0, 0.0])
@example(rate=8, lanes=32, lateness=[0.5, 0.0, 0.1], events=[], delays=[1.0, 1.0, 1.0, 0.0])
@example(rate=1, lanes=4, lateness=[0.0], events=[], delays=[1.0, 0.0])
@example(rate=250, lanes=40, lateness=[0.0], events=[], delays=[1.0, 0.0])
def test_requests_that_arrive_late_do_not_exceed_the_rate(
    rate: int, lanes: int, lateness: list[float], events: list[Step], delays: list[float]
) -> None:
    """Reservations, late wakers, pauses, refusals and shares in any order.

    Neither a sliding second of starts nor one of arrivals holds more than the rate.
    """
    bucket = RateBucket(rate)
    bucket.set_share(1, 1, -2.0)
    happens: list[Step] = []
    at_s = 0.0
    for after_s, kind in events:
        at_s += after_s
        happens.append((at_s, kind))
    starts: list[float] = []
    waking = [(0.0, lane, False) for lane in range(lanes)]
    turn = 0
    while waking[0][0] < UNTIL_S:
        now_s, lane, has_place = heapq.heappop(waking)
        while happens and happens[0][0] <= now_s:
            match happens.pop(0)[1]:
                case 0:
                    bucket.pause_until(now_s, 0.3)
                case 1:
                    bucket.throttled(now_s)
                case kind:
                    bucket.set_share(kind - 1, 2, now_s)
        wait_s = bucket.start(now_s) if has_place else bucket.reserve(now_s)
        turn += 1
        if wait_s == 0.0:
            starts.append(now_s)
            heapq.heappush(waking, (now_s + 0.001, lane, False))
        else:
            late = lateness[turn % len(lateness)]
            heapq.heappush(waking, (now_s + wait_s + late, lane, True))
    arrivals = [
        start_s + delays[at % len(delays)] * late_s(rate) for at, start_s in enumerate(starts)
    ]
    assert most_in_a_second([*starts]) <= rate
    assert most_in_a_second(arrivals) <= rate


@pytest.mark.parametrize(("rate", "least"), [(1, 0.8), (2, 0.8), (8, 5.5), (50, 40), (250, 227)])
def test_the_margin_leaves_most_of_the_rate(rate: int, least: float) -> None:
    """A replay that may send 8 requests a second sends more than 5."""
    bucket = RateBucket(rate)
    bucket.set_share(1, 1, -2.0)
    starts = [at_s for at_s in drive(bucket, 40, 0.0, [0.0]) if at_s >= UNTIL_S - 2.5]
    assert len(starts) >= least * 2.4
