"""Repeats: the first line is written, the next ones are counted, in bounded memory."""

from __future__ import annotations

from consumer.admin.repeats import Repeats


def test_the_first_is_written() -> None:
    """No line was dropped before a line that was not seen lately."""
    assert 0 == Repeats().dropped("a", 0.0)


def test_repeats_are_dropped_and_then_counted() -> None:
    """Within ten seconds they are dropped; the next line after that has their count."""
    repeats = Repeats()
    assert [0, None, None, 2, None] == [
        repeats.dropped("a", now_s) for now_s in (0.0, 1.0, 9.9, 10.0, 10.1)
    ]


def test_different_lines_are_counted_apart() -> None:
    """Another line is written at once."""
    repeats = Repeats()
    repeats.dropped("a", 0.0)
    assert 0 == repeats.dropped("b", 0.0)


def test_memory_is_bounded() -> None:
    """With many different lines, the least recently seen ones are forgotten."""
    repeats = Repeats()
    for at in range(10_000):
        repeats.dropped(at, 0.0)
    assert 512 == len(repeats._seen)


def test_a_forgotten_line_is_written() -> None:
    """It counts as a new one; other lines stay repeats."""
    repeats = Repeats()
    repeats.dropped("a", 0.0)
    repeats.dropped("b", 0.0)
    repeats.forget(lambda line: line == "a")
    assert (0, None) == (repeats.dropped("a", 1.0), repeats.dropped("b", 1.0))
