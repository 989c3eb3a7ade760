"""Which partitions are paused."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from consumer.model import Assignment
from consumer.source.intake import Intake

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.source.port import Source


class FakeSource:
    """The two calls of a source that the intake makes."""

    def __init__(self) -> None:
        self.paused: set[Assignment] = set()
        self.calls = 0

    def pause(self, assignments: Sequence[Assignment]) -> None:
        """Pause partitions that are not paused."""
        assert self.paused.isdisjoint(assignments)
        self.paused.update(assignments)
        self.calls += 1

    def resume(self, assignments: Sequence[Assignment]) -> None:
        """Resume partitions that are paused."""
        assert self.paused.issuperset(assignments)
        self.paused.difference_update(assignments)
        self.calls += 1


ONE, TWO = Assignment("a", 0, 1, 0, None), Assignment("b", 0, 2, 0, None)


def intake(source: FakeSource) -> Intake:
    return Intake(cast("Source", source), 1_000)


def test_a_full_buffer_pauses_all_until_a_part_is_free() -> None:
    """I15: intake stops at the limit and resumes well below it, not with each record."""
    source = FakeSource()
    api = intake(source)
    api.adjust([ONE, TWO], 1_001, lambda _: False)
    assert {ONE, TWO} == source.paused
    api.adjust([ONE, TWO], 900, lambda _: False)
    assert {ONE, TWO} == source.paused
    api.adjust([ONE, TWO], 700, lambda _: False)
    assert set() == source.paused


def test_a_hold_pauses_only_its_partitions() -> None:
    """A held object stops its topics and no others."""
    source = FakeSource()
    api = intake(source)
    api.adjust([ONE, TWO], 0, lambda one: one is TWO)
    assert {TWO} == source.paused
    api.adjust([ONE, TWO], 0, lambda _: False)
    assert set() == source.paused


def test_the_source_is_called_only_for_changes() -> None:
    """Repeating the same state makes no call."""
    source = FakeSource()
    api = intake(source)
    for _ in range(3):
        api.adjust([ONE, TWO], 2_000, lambda _: False)
    assert 1 == source.calls


def test_a_released_partition_is_forgotten() -> None:
    """It is neither paused nor resumed."""
    source = FakeSource()
    api = intake(source)
    api.adjust([ONE, TWO], 2_000, lambda _: False)
    api.forget([ONE])
    source.paused.discard(ONE)
    api.adjust([TWO], 0, lambda _: False)
    assert set() == source.paused


def test_when_nothing_is_held_any_more_everything_is_resumed() -> None:
    """The end of the last hold is noticed although no hold is left to check."""
    source = FakeSource()
    api = intake(source)
    api.adjust([ONE, TWO], 0, lambda one: one is TWO)
    api.adjust([ONE, TWO], 0, None)
    assert set() == source.paused


def test_a_buffer_that_fills_pauses_although_nothing_is_held() -> None:
    """Without a hold there may still be something to do."""
    source = FakeSource()
    intake(source).adjust([ONE, TWO], 1_001, None)
    assert {ONE, TWO} == source.paused
