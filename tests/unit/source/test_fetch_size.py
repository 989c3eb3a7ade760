"""The number of records that are taken at once."""

from __future__ import annotations

from consumer.source.fetch_size import CHUNK_BYTES, MOST_RECORDS, FetchSize


def observe(*sizes: int) -> FetchSize:
    """Return the fetch size after a chunk of records of these sizes."""
    fetch_size = FetchSize()
    fetch_size.observe([b"x" * size for size in sizes])
    return fetch_size


def test_small_records_are_taken_by_the_hundreds() -> None:
    """Each call costs the same, however few records it returns."""
    assert MOST_RECORDS == observe(500, 490, 0).records


def test_large_records_do_not_exceed_the_chunk_size() -> None:
    """Several chunks are on their way before the loop can pause the partition."""
    assert 5 == observe(190_000, 210_000).records
    assert 5 * 200_000 == CHUNK_BYTES


def test_the_largest_are_taken_one_by_one() -> None:
    """At least one record is taken."""
    assert 1 == observe(20_000_000).records


def test_tombstones_have_no_size() -> None:
    """They do not cause a division by zero."""
    assert MOST_RECORDS == observe(0, 0).records


def test_the_first_chunk_is_small() -> None:
    """The size of the records is not known yet."""
    assert FetchSize().records < MOST_RECORDS / 10
