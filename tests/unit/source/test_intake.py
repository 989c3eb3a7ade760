"""Which partitions may hand over more."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from consumer.model import Assignment
from consumer.source.intake import Intake

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.source.port import Source


class Taps:
    """The two calls of a source that the intake makes."""

    def __init__(self) -> None:
        self.paused: set[Assignment] = set()
        self.calls = 0

    def pause(self, assignments: Sequence[Assignment]) -> None:
        """Close taps that are open."""
        assert self.paused.isdisjoint(assignments)
        self.paused.update(assignments)
        self.calls += 1

    def resume(self, assignments: Sequence[Assignment]) -> None:
        """Open taps that are closed."""
        assert self.paused.issuperset(assignments)
        self.paused.difference_update(assignments)
        self.calls += 1


ONE, TWO = Assignment("a", 0, 1, 0, None), Assignment("b", 0, 2, 0, None)


def intake(taps: Taps) -> Intake:
    return Intake(cast("Source", taps), 1_000)


def test_a_full_buffer_pauses_all_until_a_part_is_free() -> None:
    """I15: intake stops at the limit and begins again well below it, not at each record."""
    taps = Taps()
    tap = intake(taps)
    tap.adjust([ONE, TWO], 1_001, lambda _: False)
    assert {ONE, TWO} == taps.paused
    tap.adjust([ONE, TWO], 900, lambda _: False)
    assert {ONE, TWO} == taps.paused
    tap.adjust([ONE, TWO], 700, lambda _: False)
    assert set() == taps.paused


def test_what_is_held_pauses_alone() -> None:
    """A held object stops its topics and no others."""
    taps = Taps()
    tap = intake(taps)
    tap.adjust([ONE, TWO], 0, lambda one: one is TWO)
    assert {TWO} == taps.paused
    tap.adjust([ONE, TWO], 0, lambda _: False)
    assert set() == taps.paused


def test_nothing_is_said_when_nothing_changes() -> None:
    """The source hears only of changes."""
    taps = Taps()
    tap = intake(taps)
    for _ in range(3):
        tap.adjust([ONE, TWO], 2_000, lambda _: False)
    assert 1 == taps.calls


def test_a_partition_that_went_is_forgotten() -> None:
    """What is not ours any more is neither paused nor resumed."""
    taps = Taps()
    tap = intake(taps)
    tap.adjust([ONE, TWO], 2_000, lambda _: False)
    tap.forget([ONE])
    taps.paused.discard(ONE)
    tap.adjust([TWO], 0, lambda _: False)
    assert set() == taps.paused


def test_when_nothing_is_held_any_more_everything_is_resumed() -> None:
    """The end of the last hold is noticed although there is none left to ask about."""
    taps = Taps()
    tap = intake(taps)
    tap.adjust([ONE, TWO], 0, lambda one: one is TWO)
    tap.adjust([ONE, TWO], 0, None)
    assert set() == taps.paused


def test_a_buffer_that_fills_pauses_although_nothing_is_held() -> None:
    """Nothing held is not the same as nothing to do."""
    taps = Taps()
    intake(taps).adjust([ONE, TWO], 1_001, None)
    assert {ONE, TWO} == taps.paused
