"""The checks of the load tests, with planted faults.

Each check fails and names the broken promise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kafka.evidence import LATE_MS, Crash, Evidence, judge_evidence
from tests.kafka.fleet import Acceptance
from tests.kafka.traffic import BASE_MS, Place
from tests.load_test import LoadTest, VoidError

if TYPE_CHECKING:
    from collections.abc import Callable

KEYS = [1, 2, 1, 2, 1, 2]
"""Change 4 is the last of key 1, change 3 of key 2, which change 5 deletes."""

BAD = Place(0, 6)


def upserts(wall_ms: int, *changes: int) -> Acceptance:
    """Return an accepted request with these changes."""
    keys = [str(KEYS[n]) for n in changes]
    return Acceptance(wall_ms, "upsert", keys, [(BASE_MS + n) * 1000 for n in changes])


def delete(wall_ms: int, key: int) -> Acceptance:
    """Return an accepted delete."""
    return Acceptance(wall_ms, "delete", [str(key)], [None])


FIRST, SECOND = upserts(1_000, 0, 1), upserts(2_000, 2, 3)
LAST, GONE = upserts(9_000, 4), delete(9_000, 2)

CORRECT = Evidence(
    fold={"1": 4},
    rows={"1": 4},
    ends={0: 7},
    committed={0: 7},
    poison={BAD: b"{"},
    dead_letters={BAD: b"{"},
    keys=KEYS,
    places={n: Place(0, n) for n in range(5)},
    acceptances=[FIRST, SECOND, LAST, GONE],
)
"""Six changes of two keys and a bad record, in one partition; nothing went wrong."""

CRASH = Crash(3_000, {0: 2})
"""The changes of the second request were accepted, and not committed: they come again."""

CRASHED = CORRECT._replace(
    acceptances=[FIRST, SECOND, SECOND._replace(wall_ms=5_000), LAST, GONE], crashes=[CRASH]
)


def test_a_correct_run_is_counted() -> None:
    """Four requests, and no duplicate."""
    counts = judge_evidence(CORRECT, repeats=False)
    assert (4, 0) == (counts["requests"], counts["duplicates"])


def test_uncommitted_changes_may_come_again_after_a_crash() -> None:
    """At least once: two changes are accepted twice."""
    assert 2 == judge_evidence(CRASHED, repeats=False)["duplicates"]


def test_a_late_request_of_a_killed_process_is_allowed() -> None:
    """It was on its way at the kill, and settles changes that were committed at that moment."""
    late = SECOND._replace(wall_ms=CRASH.wall_ms + LATE_MS - 1)
    evidence = CORRECT._replace(
        acceptances=[FIRST, late, LAST, GONE], crashes=[Crash(CRASH.wall_ms, {0: 4})]
    )
    assert 0 == judge_evidence(evidence, repeats=False)["duplicates"]


def test_a_repeated_request_is_allowed_where_answers_mislead() -> None:
    """A lost answer repeats the same request; it is allowed only if the run plays that fault."""
    repeated = CORRECT._replace(acceptances=[FIRST, FIRST, SECOND, LAST, GONE])
    assert 1 == judge_evidence(repeated, repeats=True)["requests repeated whole"]
    with pytest.raises(AssertionError, match="accepted twice without a crash"):
        judge_evidence(repeated, repeats=False)


FAULTS = [
    pytest.param(
        CORRECT._replace(rows={}, acceptances=[FIRST, SECOND, GONE]),
        "rows that are not the fold",
        id="lost-record",
    ),
    pytest.param(CORRECT._replace(rows={"1": 2}), "rows that are not the fold", id="wrong-fold"),
    pytest.param(
        CORRECT._replace(rows={"1": 4, "2": 3}), "rows that are not the fold", id="delete-undone"
    ),
    pytest.param(
        CORRECT._replace(committed={0: 6}), "positions that are not the ends", id="short-of-the-end"
    ),
    pytest.param(
        CORRECT._replace(committed={}), "positions that are not the ends", id="never-committed"
    ),
    pytest.param(
        CORRECT._replace(dead_letters={}),
        "dead letters that are not the poison",
        id="bad-record-dropped",
    ),
    pytest.param(
        CORRECT._replace(dead_letters={BAD: b"[]"}),
        "dead letters that are not the poison",
        id="dead-letter-altered",
    ),
    pytest.param(
        CORRECT._replace(dead_letters={BAD: b"{", Place(0, 2): b"{}"}),
        "dead letters that are not the poison",
        id="good-record-dead-lettered",
    ),
    pytest.param(
        CORRECT._replace(acceptances=[FIRST, SECOND, SECOND, LAST, GONE]),
        "accepted twice without a crash",
        id="duplicate-without-a-crash",
    ),
    pytest.param(
        CRASHED._replace(acceptances=[*CRASHED.acceptances, SECOND._replace(wall_ms=6_000)]),
        "accepted twice without a crash",
        id="duplicate-twice-after-one-crash",
    ),
    pytest.param(
        CRASHED._replace(acceptances=[FIRST, SECOND, FIRST._replace(wall_ms=5_000), LAST, GONE]),
        "0 at .* came again; 2 was committed",
        id="duplicate-of-what-was-committed",
    ),
    pytest.param(
        CORRECT._replace(acceptances=[SECOND, FIRST, LAST, GONE]),
        "key 1 went back to 0 from 2",
        id="reordered-key",
    ),
    pytest.param(
        CRASHED._replace(acceptances=[FIRST, SECOND, LAST, GONE], crashes=[Crash(3_000, {0: 5})]),
        "4 of key 1 at .* was committed unsettled",
        id="committed-past-unsettled",
    ),
    pytest.param(
        CORRECT._replace(acceptances=[FIRST], crashes=[Crash(3_000, {0: 4})]),
        "3 of key 2 at .* was committed unsettled|2 of key 1 at .* was committed unsettled",
        id="committed-and-never-settled",
    ),
]


@pytest.mark.parametrize(("evidence", "named"), FAULTS)
def test_a_planted_fault_is_named(evidence: Evidence, named: str) -> None:
    """Each fault by itself, in a run that is correct otherwise."""
    with pytest.raises(AssertionError, match=named):
        judge_evidence(evidence, repeats=False)


def test_a_conflated_change_is_settled_by_the_newer_one() -> None:
    """Change 2 was not sent: change 4 of its key was, before the position moved past both."""
    conflated = [FIRST, upserts(2_000, 3, 4), GONE]
    judge_evidence(
        CORRECT._replace(acceptances=conflated, crashes=[Crash(3_000, {0: 5})]), repeats=False
    )


@pytest.mark.parametrize(
    "plant",
    [lambda load_test: load_test.count({}), lambda load_test: load_test.count({"kills": 2})],
)
def test_a_load_test_without_enough_events_is_void(plant: Callable[[LoadTest], None]) -> None:
    """Checks of a run in which nothing happened prove nothing."""
    load_test = LoadTest(3)
    plant(load_test)
    with pytest.raises(VoidError, match="void: kills"):
        load_test.prove(kills=3)
