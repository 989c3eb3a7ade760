"""The list of active holds."""

from __future__ import annotations

from consumer.errors import HoldReason
from consumer.holds import ActiveHold, Holds
from consumer.model import Assignment, Target


def recorded() -> tuple[Holds, list[tuple[HoldReason, bool]]]:
    seen: list[tuple[HoldReason, bool]] = []

    def changed(held: ActiveHold, begins: bool) -> None:  # noqa: FBT001 - the shape of the callback
        seen.append((held.reason, begins))

    return Holds(changed), seen


def test_a_hold_keeps_its_start() -> None:
    """Repeated, it neither starts again nor is reported again."""
    holds, seen = recorded()
    place = Target("c", "o")
    holds.hold(HoldReason.CONFIG, place, "404", 1)
    holds.hold(HoldReason.CONFIG, place, "405", 2)
    assert [(1, "404")] == [(held.since_ms, held.detail) for held in holds]
    assert [(HoldReason.CONFIG, True)] == seen


def test_a_hold_ends_only_in_its_scope() -> None:
    """The same reason elsewhere stays; ending a hold that is not active does nothing."""
    holds, seen = recorded()
    holds.hold(HoldReason.CONFIG, Target("c", "a"), "404", 1)
    holds.hold(HoldReason.CONFIG, Target("c", "b"), "404", 1)
    holds.release(HoldReason.CONFIG, Target("c", "a"))
    holds.release(HoldReason.SINK, Target("c", "b"))
    assert [Target("c", "b")] == [held.place for held in holds]
    assert [True, True, False] == [begins for _, begins in seen]


def test_a_released_partition_ends_its_holds() -> None:
    """Holds of other partitions stay."""
    holds, _ = recorded()
    one, two = Assignment("t", 0, 1, 0, None), Assignment("t", 0, 2, 0, None)
    holds.hold(HoldReason.DEAD_LETTER, one, "down", 1)
    holds.hold(HoldReason.DEAD_LETTER, two, "down", 1)
    holds.forget(one)
    assert [two] == [held.place for held in holds]
