"""The tenant's rate, the retry budget and the adaptive limit at given times."""

from __future__ import annotations

from itertools import pairwise

import pytest

from consumer.delivery.load_control import AdaptiveLimit, RateBucket, RetryBudget


def starts(bucket: RateBucket, from_s: float, count: int) -> list[float]:
    """Start requests one after another, each as early as it may."""
    now_s = from_s
    at: list[float] = []
    for _ in range(count):
        wait_s = bucket.reserve(now_s)
        while wait_s > 0:
            now_s += wait_s
            wait_s = bucket.start(now_s)
        at.append(now_s)
    return at


def owner_of_all(requests_per_second: int = 250) -> RateBucket:
    """Return the bucket of a replica that has owned all partitions for long."""
    bucket = RateBucket(requests_per_second)
    for now_s in (-20.0, -10.0):
        bucket.set_share(owned=1, subscribed=1, now_s=now_s)
    return bucket


def test_full_rate_is_used() -> None:
    """A single replica that owns everything uses more than nine tenths of the tenant's rate."""
    assert starts(owner_of_all(), 100.0, 2_275)[-1] < 110.0


def test_a_process_without_partitions_starts_one_request_a_second() -> None:
    """Before partitions are assigned, a process may send requests, but slowly."""
    at = starts(RateBucket(250), 100.0, 5)
    assert 100.0 == at[0]
    assert all(1.0 < later - earlier < 1.1 for earlier, later in pairwise(at))


def test_ten_newcomers_fit_beside_the_owners() -> None:
    """The part that is never shared out covers ten processes that start within one second."""
    assert len([at_s for at_s in starts(owner_of_all(), 100.0, 1_000) if at_s < 101.0]) <= 250 - 10


def test_share_follows_ownership() -> None:
    """Half of the partitions get half of the rate."""
    bucket = owner_of_all()
    bucket.set_share(owned=3, subscribed=6, now_s=0.0)
    assert 0.5 == bucket.share
    assert bucket.limit_per_s(0.0) <= 125


def test_a_share_shrinks_at_once_and_grows_a_second_later() -> None:
    """By then the requests of the former owner have left the sliding second."""
    bucket = RateBucket(250)
    bucket.set_share(owned=1, subscribed=6, now_s=10.0)
    bucket.set_share(owned=3, subscribed=6, now_s=20.0)
    bucket.reserve(20.9)
    assert 1 / 6 == bucket.share
    bucket.reserve(21.1)
    assert 0.5 == bucket.share
    bucket.set_share(owned=6, subscribed=6, now_s=30.0)
    bucket.set_share(owned=2, subscribed=6, now_s=30.5)
    bucket.set_share(owned=2, subscribed=6, now_s=40.0)
    assert 1 / 3 == bucket.share


def test_no_slot_is_taken_beyond_the_moment_when_the_share_grows() -> None:
    """Otherwise lanes would wait at the old rate long after the share has grown."""
    bucket = RateBucket(250)
    bucket.set_share(owned=0, subscribed=250, now_s=0.0)
    bucket.set_share(owned=250, subscribed=250, now_s=0.0)
    waits = [bucket.reserve(0.0) for _ in range(30)]
    assert 1 < max(waits) < 1.1


def test_unknown_partition_count_is_a_small_share() -> None:
    """As long as the number of replicas is unknown, the rate is left to them."""
    bucket = owner_of_all()
    bucket.set_share(owned=3, subscribed=0, now_s=0.0)
    assert bucket.limit_per_s(0.0) <= 1


@pytest.mark.holds("I8")
def test_the_smallest_share_still_moves() -> None:
    """One partition of a thousand is slow, not stuck."""
    bucket = RateBucket(250)
    bucket.set_share(owned=1, subscribed=1_000, now_s=0.0)
    assert starts(bucket, 0.0, 3)[-1] < 10.0


@pytest.mark.holds("I14")
def test_a_pause_starts_nothing() -> None:
    """During a Retry-After nothing starts; then slots are spaced again."""
    bucket = owner_of_all()
    bucket.pause_until(10.0, 5.0)
    at = starts(bucket, 10.0, 20)
    assert 15.0 == at[0]
    assert at[-1] - at[0] > 0.05


def test_a_pause_voids_waiting_slots() -> None:
    """A lane that waits for its slot when a pause begins starts after the pause."""
    bucket = owner_of_all(10)
    bucket.reserve(0.0)
    wait_s = bucket.reserve(0.0)
    bucket.pause_until(0.0, 30.0)
    again_s = bucket.start(wait_s)
    assert wait_s + again_s >= 30.0
    assert 0.0 == bucket.start(wait_s + again_s)


def test_the_longer_pause_counts() -> None:
    """A later, shorter pause does not shorten the current one."""
    bucket = owner_of_all()
    bucket.pause_until(0.0, 60.0)
    bucket.pause_until(1.0, 5.0)
    assert 59.0 == bucket.paused_s(1.0)


def test_throttled_halves_once_per_event() -> None:
    """Refusals of requests that were in flight together halve the rate once."""
    bucket = owner_of_all()
    full = bucket.limit_per_s(50.0)
    for at_s in (50.0, 50.1, 50.9):
        bucket.throttled(at_s)
    assert full / 2 == pytest.approx(bucket.limit_per_s(50.0))


def test_throttled_rate_climbs_back() -> None:
    """The full rate is back after half a minute without a refusal."""
    bucket = owner_of_all()
    full = bucket.limit_per_s(0.0)
    bucket.throttled(50.0)
    assert bucket.limit_per_s(60.0) < full
    assert full == bucket.limit_per_s(80.0)


def test_throttling_never_stops_the_daemon() -> None:
    """However often the service refuses, some rate is left."""
    bucket = owner_of_all()
    for second in range(100):
        bucket.throttled(float(second) * 1.5)
    assert bucket.limit_per_s(149.0) > 10


def test_lanes_that_wake_late_do_not_burst() -> None:
    """A stalled loop wakes many lanes at once; still no second exceeds the tenant's rate."""
    bucket = owner_of_all()
    waiting = [bucket.reserve(0.0) for _ in range(400)]
    late = [bucket.start(2.0) for wait_s in waiting if wait_s > 0]
    assert late.count(0.0) <= 250


def test_a_wait_is_never_shorter_than_the_clock_resolves() -> None:
    """A lane that wakes a billionth of a second early must not wait for that billionth again."""
    bucket = RateBucket(250)
    assert 0.0 == bucket.reserve(10.0)
    assert bucket.start(11.02 - 1e-10) >= 0.001


@pytest.mark.holds("I14")
def test_retries_are_a_tenth_i14() -> None:
    """A tenth of each minute's requests may be retries, and no more."""
    budget = RetryBudget()
    granted = [0, 0, 0]
    for tick in range(180 * 100):
        now_s = tick / 100
        budget.sent(now_s)
        granted[int(now_s // 60)] += budget.may_retry(now_s) == 0.0
    assert all(595 <= minute <= 660 for minute in granted), granted


@pytest.mark.holds("I8")
def test_an_outage_is_still_probed() -> None:
    """When all requests are retries, about one a second is sent."""
    budget = RetryBudget()
    granted = 0
    for tick in range(600):
        if budget.may_retry(tick / 10) == 0.0:
            budget.sent(tick / 10)
            granted += 1
    assert 55 <= granted <= 75


def test_a_refused_retry_says_when_to_ask() -> None:
    """The returned wait ends when the minimum rate allows the next retry."""
    budget = RetryBudget()
    assert 0.0 == budget.may_retry(5.0)
    wait_s = budget.may_retry(5.25)
    assert 0.75 == wait_s
    assert 0.0 == budget.may_retry(5.25 + wait_s)


def test_old_requests_give_no_budget() -> None:
    """Requests of more than a minute ago no longer count."""
    budget = RetryBudget()
    for _ in range(1_000):
        budget.sent(0.0)
    assert 0.0 == budget.may_retry(100.0)
    assert budget.may_retry(100.1) > 0


def run(limit: AdaptiveLimit, latency_s: float, seconds: float, from_s: float = 0.0) -> float:
    """Answer at the limit, request by request, for a duration; return the time."""
    now_s = from_s
    while now_s < from_s + seconds:
        open_count = limit.limit
        now_s += latency_s / open_count
        limit.answered(now_s, latency_s, open_count)
    return now_s


def test_limit_reaches_its_cap_in_seconds() -> None:
    """Under load, with constant latency, all of `in_flight` is used soon."""
    limit = AdaptiveLimit(32)
    assert 1 <= limit.limit < 32
    run(limit, 0.1, 3.0)
    assert 32 == limit.limit


def test_limit_does_not_grow_unused() -> None:
    """A few requests prove nothing about the service."""
    limit = AdaptiveLimit(32)
    before = limit.limit
    for second in range(100):
        limit.answered(float(second), 0.1, 1)
    assert before == limit.limit


def test_push_back_halves_once_per_round() -> None:
    """Thirty refusals at one moment are one event."""
    limit = AdaptiveLimit(32)
    now_s = run(limit, 0.1, 3.0)
    for _ in range(30):
        limit.pushed_back(now_s)
    assert 16 == limit.limit


def test_limit_grows_back_additively() -> None:
    """After a push-back the limit grows by about one a round."""
    limit = AdaptiveLimit(32)
    now_s = run(limit, 0.1, 3.0)
    limit.pushed_back(now_s)
    now_s = run(limit, 0.1, 0.5, now_s)
    assert 18 <= limit.limit <= 22
    run(limit, 0.1, 3.0, now_s)
    assert 32 == limit.limit


def test_limit_never_leaves_its_range() -> None:
    """However much fails, one request stays possible."""
    limit = AdaptiveLimit(4)
    for second in range(50):
        limit.pushed_back(float(second))
    assert 1 == limit.limit


def test_high_latency_lowers_the_limit_by_a_tenth() -> None:
    """Answers that take many times longer than before are a push-back without a status."""
    limit = AdaptiveLimit(32)
    now_s = run(limit, 0.05, 5.0)
    for answer in range(8):
        limit.answered(now_s + 0.01 * answer, 2.0, 32)
    assert 28 == limit.limit


def test_a_slower_tenant_becomes_the_normal() -> None:
    """A tenant that stays slow gets its concurrency back."""
    limit = AdaptiveLimit(32)
    now_s = run(limit, 0.05, 5.0)
    run(limit, 1.0, 120.0, now_s)
    assert 32 == limit.limit


def test_a_tenant_that_was_slow_from_the_start_gets_all() -> None:
    """Constant high latency does not lower the limit."""
    limit = AdaptiveLimit(32)
    run(limit, 2.0, 20.0)
    assert 32 == limit.limit
