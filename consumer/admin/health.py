"""Judge liveness and readiness of the daemon from the figures of a snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consumer.admin.port import Check, PartitionStatus, State, StatusReport

if TYPE_CHECKING:
    from consumer.errors import HoldReason

STUCK_AFTER_S: Final = 56.0
"""A partition with lag whose position does not move for this long is not ready. Positions are read
every second or two, so a stuck partition shows within a minute."""

LOOP_STALL_S: Final = 30.0
"""The loop stamps the time every second; a stamp this old means that something blocks the loop."""

POLL_STALL_S: Final = 60.0
"""The consumer thread polls many times a second; only a rebalance may keep it longer, by the drain
timeout."""


def liveness(
    now_s: float,
    *,
    polled_s: float,
    turned_s: float,
    drain_timeout_s: float,
    max_poll_interval_s: float,
) -> tuple[Check, ...]:
    """Judge the consumer thread by its last call of `consume`, and the loop by its last stamp.

    Units: all on the same monotonic clock.
    """
    # A rebalance may keep the consumer thread for the whole drain timeout. A third of the poll
    # interval is early enough to restart before the group removes the member.
    poll_limit_s = max(POLL_STALL_S, drain_timeout_s + POLL_STALL_S / 2, max_poll_interval_s / 3)
    poll_age_s = now_s - polled_s
    loop_age_s = now_s - turned_s
    return (
        Check(
            "poll_thread",
            (
                (
                    f"the consumer thread has not polled for {poll_age_s:.0f} s (limit"
                    f" {poll_limit_s:.0f} s)"
                ),
            )
            if poll_age_s > poll_limit_s
            else (),
        ),
        Check(
            "event_loop",
            (f"the event loop has not run for {loop_age_s:.0f} s (limit {LOOP_STALL_S:.0f} s)",)
            if loop_age_s > LOOP_STALL_S
            else (),
        ),
    )


class ProgressWatch:
    """Remembers since when the position of each owned partition has not moved.

    Shape: call `observe` a few times a minute, and `readiness` at each probe.
    """

    __slots__ = ("_moved",)

    def __init__(self) -> None:
        self._moved: dict[
            tuple[str, int, int], tuple[int, float]
        ] = {}  # (topic, partition, epoch): (position, since)

    def observe(self, now_s: float, report: StatusReport) -> None:
        """Take in a snapshot: a partition that moved or has no lag starts its time again.

        Partitions that are not owned any more are forgotten.
        """
        moved = {}
        for owned in report.assignment:
            place = (owned.topic, owned.partition, owned.epoch)
            earlier = self._moved.get(place)
            still = earlier is not None and earlier[0] == owned.position and owned.lag
            moved[place] = earlier if still and earlier is not None else (owned.position, now_s)
        self._moved = moved

    def readiness(self, now_s: float, report: StatusReport) -> tuple[Check, ...]:
        """Judge whether this replica has its assignment, no hold, and partitions that move."""
        self.observe(now_s, report)
        return (
            Check("assignment", _assignment_problems(report.state)),
            Check("holds", _hold_problems(report)),
            Check("progress", tuple(self._stuck(now_s, report))),
        )

    def _stuck(self, now_s: float, report: StatusReport) -> list[str]:
        problems = []
        for owned in report.assignment:
            still_s = now_s - self._moved[owned.topic, owned.partition, owned.epoch][1]
            # A partition that waits for a bulk job stands still on purpose.
            if still_s >= STUCK_AFTER_S and not owned.gathering:
                problems.append(
                    f"{owned.topic}[{owned.partition}] has not moved from position"
                    f" {owned.position} for {still_s:.0f} s, lag {owned.lag}: {_cause(owned)}"
                )
        return problems


def _cause(owned: PartitionStatus) -> str:
    """Name the part of the program that keeps a partition where it is."""
    if owned.hold is not None:
        return f"held by {owned.hold}"
    if not owned.open:
        return "source: the brokers send no records, and none is unsettled"
    age = "" if owned.oldest_open_s is None else f", the oldest for {owned.oldest_open_s:.0f} s"
    count = "1 record is" if owned.open == 1 else f"{owned.open} records are"
    return f"{owned.trouble or 'delivery'}: {count} unsettled{age}"


def _assignment_problems(state: State) -> tuple[str, ...]:
    match state:
        case State.STARTING:
            return ("the group has not assigned partitions yet",)
        case State.RUNNING:
            return ()
        case State.DRAINING:
            return ("draining: requests in flight are finished before the partitions are released",)
        case State.STOPPED:
            return ("stopped: the consumer has left the group",)


def _hold_problems(report: StatusReport) -> tuple[str, ...]:
    places: dict[HoldReason, list[str]] = {}
    for owned in report.assignment:
        if owned.hold is not None:
            places.setdefault(owned.hold, []).append(f"{owned.topic}[{owned.partition}]")
    named = tuple(
        f"{hold.reason} since {hold.since:%Y-%m-%dT%H:%M:%SZ}"
        f" on {_where(places.get(hold.reason, []))}: {hold.detail}"
        for hold in report.holds
    )
    # A partition may have a hold that is not in the list yet: name it too.
    unnamed = places.keys() - {hold.reason for hold in report.holds}
    return (*named, *(f"{reason} on {_where(places[reason])}" for reason in sorted(unnamed)))


def _where(places: list[str]) -> str:
    """Name up to five partitions, so that the answer to a probe stays one line."""
    if not places:
        return "all partitions"
    return ", ".join(places[:5]) + (f" and {len(places) - 5} more" if len(places) > 5 else "")  # noqa: PLR2004 - as the docstring says
