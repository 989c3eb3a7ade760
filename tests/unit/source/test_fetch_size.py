"""How many records are taken at once."""

from __future__ import annotations

from consumer.source.fetch_size import CHUNK_BYTES, MOST_RECORDS, FetchSize


def observe(*sizes: int) -> FetchSize:
    """Return the appetite after a chunk of records of these sizes."""
    fetch_size = FetchSize()
    fetch_size.observe([b"x" * size for size in sizes])
    return fetch_size


def test_small_records_are_taken_by_the_hundred() -> None:
    """What is asked for costs a call, however little comes."""
    assert MOST_RECORDS == observe(500, 490, 0).records


def test_large_ones_weigh_no_more_than_a_chunk_may() -> None:
    """Several chunks are on their way before the loop can say that it has enough."""
    assert 5 == observe(190_000, 210_000).records
    assert 5 * 200_000 == CHUNK_BYTES


def test_the_largest_are_taken_one_by_one() -> None:
    """One is always asked for."""
    assert 1 == observe(20_000_000).records


def test_tombstones_weigh_nothing() -> None:
    """And divide nothing."""
    assert MOST_RECORDS == observe(0, 0).records


def test_the_first_chunk_is_a_taste() -> None:
    """Nobody knows yet how large the records are."""
    assert FetchSize().records < MOST_RECORDS / 10
