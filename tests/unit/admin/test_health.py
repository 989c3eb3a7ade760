"""Health: liveness, readiness, and the report of a partition that does not move."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from consumer.admin.health import ProgressWatch, liveness
from consumer.admin.port import Check, HoldStatus, PartitionStatus, State, StatusReport
from consumer.errors import HoldReason


def _report(
    *assignment: PartitionStatus, state: State = State.RUNNING, holds: tuple[HoldStatus, ...] = ()
) -> StatusReport:
    return StatusReport(
        version="0",
        config_sha256="0",
        state=state,
        group_id="g",
        assignment=assignment,
        holds=holds,
    )


def _owned(
    position: int = 10,
    lag: int | None = 5,
    *,
    epoch: int = 1,
    open_count: int = 0,
    hold: HoldReason | None = None,
    trouble: str | None = None,
) -> PartitionStatus:
    return PartitionStatus(
        topic="shop.customers",
        partition=3,
        epoch=epoch,
        position=position,
        lag=lag,
        open=open_count,
        oldest_open_s=70.0 if open_count else None,
        hold=hold,
        trouble=trouble,
    )


def _problems(checks: tuple[Check, ...], name: str) -> tuple[str, ...]:
    return next(check.problems for check in checks if check.name == name)


def _live(
    *, polled_s: float = 100.0, turned_s: float = 100.0, drain_timeout_s: float = 25.0
) -> list[str]:
    checks = liveness(
        100.0,
        polled_s=polled_s,
        turned_s=turned_s,
        drain_timeout_s=drain_timeout_s,
        max_poll_interval_s=150.0,
    )
    return [check.name for check in checks if check.problems]


def test_two_running_threads_are_alive() -> None:
    """A daemon whose poll thread and loop were just seen has no problem."""
    assert [] == _live()


def test_a_stuck_poll_thread_is_named() -> None:
    """A minute without `consume` fails the check of the poll thread."""
    assert ["poll_thread"] == _live(polled_s=39.0)


def test_a_long_drain_is_not_a_stall() -> None:
    """A rebalance may keep the poll thread for the whole drain timeout."""
    assert [] == _live(polled_s=0.0, drain_timeout_s=90.0)


def test_a_stuck_loop_is_named() -> None:
    """Half a minute without a stamp fails the check of the loop."""
    assert ["event_loop"] == _live(turned_s=69.0)


def test_a_moving_replica_is_ready() -> None:
    """It runs, nothing is held, and its partitions move."""
    watch = ProgressWatch()
    watch.readiness(0.0, _report(_owned(10)))
    assert (Check("assignment"), Check("holds"), Check("progress")) == watch.readiness(
        90.0, _report(_owned(11))
    )


@pytest.mark.parametrize(
    ("state", "ready"),
    [
        (State.STARTING, False),
        (State.RUNNING, True),
        (State.DRAINING, False),
        (State.STOPPED, False),
    ],
)
def test_only_a_running_daemon_is_ready(state: State, ready: bool) -> None:  # noqa: FBT001 - an expected value
    """Before the first assignment, while draining and after it, the replica does no work."""
    assert ready is not bool(
        _problems(ProgressWatch().readiness(0.0, _report(state=state)), "assignment")
    )


def test_a_replica_without_partitions_is_ready() -> None:
    """More replicas than partitions is a spare, not a fault."""
    assert () == _problems(ProgressWatch().readiness(0.0, _report()), "progress")


@pytest.mark.holds("I9")
def test_a_hold_is_named_with_its_partitions() -> None:
    """With reason, start, partitions and detail."""
    hold = HoldStatus(
        reason=HoldReason.SINK,
        since=datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC),
        detail="answered 207",
    )
    report = _report(_owned(hold=HoldReason.SINK), holds=(hold,))
    assert ("SINK since 2025-01-02T03:04:05Z on shop.customers[3]: answered 207",) == _problems(
        ProgressWatch().readiness(0.0, report), "holds"
    )


def test_a_hold_of_everything_names_all_partitions() -> None:
    """A hold that is not of single partitions concerns all."""
    hold = HoldStatus(
        reason=HoldReason.AUTH, since=datetime(2025, 1, 2, tzinfo=UTC), detail="refused"
    )
    assert ("AUTH since 2025-01-02T00:00:00Z on all partitions: refused",) == _problems(
        ProgressWatch().readiness(0.0, _report(_owned(), holds=(hold,))), "holds"
    )


def test_a_hold_of_one_partition_is_enough() -> None:
    """A held partition makes the replica not ready, even if the list of holds lacks its reason."""
    assert ("OFFSET_LOST on shop.customers[3]",) == _problems(
        ProgressWatch().readiness(0.0, _report(_owned(hold=HoldReason.OFFSET_LOST))), "holds"
    )


@pytest.mark.holds("I9")
@pytest.mark.parametrize(
    ("owned", "cause"),
    [
        (_owned(open_count=12), "delivery: 12 records are unsettled, the oldest for 70 s"),
        (
            _owned(open_count=1, trouble="login: it gives no token"),
            "login: it gives no token: 1 record is unsettled, the oldest for 70 s",
        ),
        (_owned(), "source: the brokers send no records, and none is unsettled"),
        (_owned(hold=HoldReason.AUTH), "held by AUTH"),
    ],
)
def test_a_stuck_partition_is_named_with_its_cause(owned: PartitionStatus, cause: str) -> None:
    """After a minute with lag and without progress: partition, position, lag and cause."""
    watch = ProgressWatch()
    watch.observe(0.0, _report(owned))
    assert (
        f"shop.customers[3] has not moved from position 10 for 60 s, lag 5: {cause}",
    ) == _problems(watch.readiness(60.0, _report(owned)), "progress")


def test_a_slow_moment_is_ready() -> None:
    """Not quite a minute without progress is still ready."""
    watch = ProgressWatch()
    watch.observe(0.0, _report(_owned()))
    assert () == _problems(watch.readiness(55.9, _report(_owned())), "progress")


@pytest.mark.parametrize("lag", [0, None])
def test_a_partition_without_lag_is_not_stuck(lag: int | None) -> None:
    """An idle topic may not move for hours; an unknown end proves nothing."""
    watch = ProgressWatch()
    watch.observe(0.0, _report(_owned(lag=lag)))
    assert () == _problems(watch.readiness(3600.0, _report(_owned(lag=lag))), "progress")


def test_the_minute_starts_with_the_lag() -> None:
    """A topic that was idle for an hour has a full minute from its next record on."""
    watch = ProgressWatch()
    watch.observe(0.0, _report(_owned(lag=0)))
    watch.observe(3600.0, _report(_owned(lag=0)))
    assert () == _problems(watch.readiness(3601.0, _report(_owned(lag=5))), "progress")


def test_a_new_epoch_starts_its_own_minute() -> None:
    """The time of an earlier assignment does not count against a partition that came back."""
    watch = ProgressWatch()
    watch.observe(0.0, _report(_owned(epoch=1)))
    assert () == _problems(watch.readiness(61.0, _report(_owned(epoch=2))), "progress")


def test_revoked_partitions_are_forgotten() -> None:
    """The watch remembers owned partitions only."""
    watch = ProgressWatch()
    watch.observe(0.0, _report(_owned()))
    watch.observe(1.0, _report())
    assert {} == watch._moved
