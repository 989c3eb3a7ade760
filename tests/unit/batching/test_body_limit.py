"""A limit for bodies below the service's own is learned from answers 413, and grows again."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.batching.batcher import Batcher
from consumer.batching.body_limit import SMALLEST_BYTES, TRIAL_AFTER_S, BodyLimit
from consumer.batching.conflation import no_conflation
from consumer.model import Assignment, PlainRecord, Target, Upsert

if TYPE_CHECKING:
    from consumer.batching.batch import Batch

FULL = 200_000


def test_half_of_what_is_refused_is_the_limit() -> None:
    """With the largest body below it that was accepted as a minimum."""
    limit = BodyLimit(FULL)
    assert limit.refused(199_000, 300, 0.0)
    assert 99_500 == limit.limit_bytes == limit.next_bytes(1.0)
    limit = BodyLimit(FULL)
    limit.accepted(150_000, 0.0)
    assert limit.refused(199_000, 300, 0.0)
    assert 150_000 == limit.limit_bytes


def test_requests_in_flight_together_lower_it_once() -> None:
    """They were all built before the first of them was refused."""
    limit = BodyLimit(FULL)
    assert [True, False, False] == [limit.refused(198_000, 300, 0.0) for _ in range(3)]
    assert 99_000 == limit.limit_bytes


def test_a_larger_body_is_tried_after_ten_minutes() -> None:
    """One at a time; when it is refused, the next comes ten minutes later."""
    limit = BodyLimit(FULL)
    limit.refused(200_000, 300, 0.0)
    limit.accepted(99_000, 1.0)
    assert 100_000 == limit.next_bytes(TRIAL_AFTER_S - 1.0)
    assert 125_001 == limit.next_bytes(TRIAL_AFTER_S)
    limit.trial_begun(TRIAL_AFTER_S)
    assert 100_000 == limit.next_bytes(TRIAL_AFTER_S + 1.0)
    assert not limit.refused(125_001, 180, TRIAL_AFTER_S + 2.0)
    assert 100_000 == limit.next_bytes(2 * TRIAL_AFTER_S)
    assert 125_001 == limit.next_bytes(2 * TRIAL_AFTER_S + 2.0)


def test_accepted_trials_follow_each_other_up_to_the_full_size() -> None:
    """A proxy whose limit was raised is used fully within a few requests."""
    limit = BodyLimit(FULL)
    limit.refused(200_000, 300, 0.0)
    now_s = TRIAL_AFTER_S
    sizes: list[int] = []
    while limit.limit_bytes < FULL:
        sizes.append(limit.next_bytes(now_s))
        limit.trial_begun(now_s)
        now_s += 1.0
        assert limit.accepted(sizes[-1], now_s)
    assert [125_001, 156_252, 195_316] == sizes
    assert FULL == limit.next_bytes(1e9)


def test_one_row_that_is_refused_among_larger_bodies_says_nothing() -> None:
    """Its 413 has another cause than its size, and is its own."""
    limit = BodyLimit(FULL)
    limit.accepted(190_000, 0.0)
    assert not any(limit.refused(30_000, 1, 1.0) for _ in range(10))
    assert FULL == limit.limit_bytes


def test_a_limit_that_is_lowered_later_is_learned_from_three_refusals() -> None:
    """A single 413 below a size that was accepted may be a mistake of a proxy."""
    limit = BodyLimit(FULL)
    limit.accepted(199_000, 0.0)
    assert [False, False, True] == [limit.refused(180_000, 300, 1.0) for _ in range(3)]
    assert 90_000 == limit.limit_bytes
    limit = BodyLimit(FULL)
    for _ in range(100):
        assert not limit.refused(180_000, 300, 1.0) or limit.limit_bytes == 90_000
        limit.accepted(199_000, 1.0)


def test_it_never_falls_below_4_kb() -> None:
    """A server that refuses every size has no body limit."""
    limit = BodyLimit(FULL)
    for size in (200_000, 100_000, 50_000, 25_000, 12_000, 6_000, 5_000, 4_000, 300):
        limit.refused(size, 9, 0.0)
    assert SMALLEST_BYTES == limit.limit_bytes
    small = BodyLimit(2_000)
    assert not small.refused(2_000, 9, 0.0)
    assert 2_000 == small.limit_bytes


def test_a_new_address_starts_with_the_full_size() -> None:
    """What stood before the old address says nothing about the new one."""
    limit = BodyLimit(FULL)
    limit.refused(200_000, 300, 0.0)
    limit.forget()
    assert FULL == limit.next_bytes(0.0) == limit.next_bytes(1e9)


ASSIGNMENT = Assignment("t", 0, 1, 0, None)


def rows(sizes: list[int]) -> list[Upsert]:
    """Return rows of these sizes, each with its own key."""
    return [
        Upsert(str(at), b"x" * size, PlainRecord("t", 0, at, value=b"v"))
        for at, size in enumerate(sizes)
    ]


@pytest.mark.holds("I13")
@given(
    cap=st.integers(SMALLEST_BYTES, FULL),
    sizes=st.lists(st.integers(100, 9_000), min_size=200, max_size=600),
    lanes=st.integers(1, 32),
)
def test_few_requests_are_refused_for_their_size(cap: int, sizes: list[int], lanes: int) -> None:
    """Whatever a proxy allows: some refusals for each halving, then none for ten minutes."""
    batcher = Batcher(Target("c", "o"), no_conflation, batch_bytes=FULL, delete_ids=200)
    now_s = 0.0
    accepted: list[str] = []
    rejected: list[str] = []
    refusals = 0
    in_flight: deque[Batch] = deque()
    changes = rows(sizes)
    for first in range(0, len(changes), 50):
        assert [] == batcher.add(changes[first : first + 50], ASSIGNMENT, now_s)
    batcher.seal_lingered(now_s, 0.0)
    while batcher.ready or in_flight:
        while batcher.ready and len(in_flight) < lanes:
            in_flight.append(batcher.fitted(batcher.ready.popleft()))
        batch = in_flight.popleft()
        now_s += 0.1
        if batch.body_bytes <= cap:
            batcher.body_limit.accepted(batch.body_bytes, now_s)
            accepted += batch.changes
            batcher.settle(batch, now_s)
            continue
        batcher.body_limit.refused(batch.body_bytes, len(batch.changes), now_s)
        if len(batch.changes) == 1:
            rejected += batch.changes
            batcher.settle(batch, now_s)
            continue
        refusals += 1
        limit_bytes = batcher.body_limit.limit_bytes
        if limit_bytes >= batch.body_bytes:
            limit_bytes = batch.body_bytes // 2
        batcher.split(batch, batch.groups_within(limit_bytes))
    assert sorted(rejected) == sorted(
        change.key for change in changes if len(change.encoded) + 11 > cap
    )
    assert sorted(accepted + rejected) == sorted(change.key for change in changes)
    halvings = max(1, (FULL // cap).bit_length())
    assert refusals <= lanes * halvings


def test_what_is_ready_is_made_smaller_before_it_is_sent() -> None:
    """The batches that were complete before the first 413 are not sent to be refused."""
    batcher = Batcher(Target("c", "o"), no_conflation, batch_bytes=FULL, delete_ids=200)
    batcher.add(rows([1_000] * 1_000), ASSIGNMENT, 0.0)
    first = batcher.fitted(batcher.ready.popleft())
    batcher.body_limit.refused(first.body_bytes, len(first.changes), 0.0)
    second = batcher.fitted(batcher.ready.popleft())
    assert second.body_bytes <= batcher.body_limit.limit_bytes < first.body_bytes
    assert not second.isolating


def test_a_trial_is_one_batch_and_is_sent_whole() -> None:
    """Ten minutes after a 413 one batch is larger, and those after it are not."""
    batcher = Batcher(Target("c", "o"), no_conflation, batch_bytes=FULL, delete_ids=200)
    batcher.body_limit.refused(FULL, 200, 0.0)
    batcher.add(rows([1_000] * 1_000), ASSIGNMENT, TRIAL_AFTER_S)
    sizes = [batcher.fitted(batch).body_bytes for batch in [*batcher.ready]]
    assert 100_000 < sizes[0] <= 125_001
    assert len(sizes) > 5
    assert all(size <= 100_000 for size in sizes[1:])


def test_a_row_above_the_limit_is_sent_by_itself() -> None:
    """Only then can a 413 be the fault of the row."""
    batcher = Batcher(Target("c", "o"), no_conflation, batch_bytes=FULL, delete_ids=200)
    batcher.body_limit.refused(20_000, 20, 0.0)
    assert [] == batcher.add(rows([1_000, 50_000, 1_000, 1_000]), ASSIGNMENT, 0.0)
    batcher.seal_lingered(1.0, 0.0)
    assert [["0"], ["1"], ["2", "3"]] == [[*batch.changes] for batch in batcher.ready]
