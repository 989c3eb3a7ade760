"""Repeats: first written, then counted, never forgotten without bound."""

from __future__ import annotations

from consumer.admin.repeats import Repeats


def test_the_first_is_written() -> None:
    """A line that was not seen lately swallowed nothing."""
    assert 0 == Repeats().swallowed("a", 0.0)


def test_repeats_are_swallowed_and_then_counted() -> None:
    """Within ten seconds nothing more; the next after that says how many there were."""
    repeats = Repeats()
    assert [0, None, None, 2, None] == [
        repeats.swallowed("a", now_s) for now_s in (0.0, 1.0, 9.9, 10.0, 10.1)
    ]


def test_different_lines_do_not_meet() -> None:
    """Another line is written at once."""
    repeats = Repeats()
    repeats.swallowed("a", 0.0)
    assert 0 == repeats.swallowed("b", 0.0)


def test_what_is_remembered_is_bounded() -> None:
    """Of a flood of different lines the longest silent are forgotten."""
    repeats = Repeats()
    for at in range(10_000):
        repeats.swallowed(at, 0.0)
    assert 512 == len(repeats._seen)
