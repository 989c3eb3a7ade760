"""Counts with their noun."""

from __future__ import annotations

import pytest

from consumer.operations.plurals import count_of


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 records"), (1, "1 record"), (2, "2 records"), (3000, "3,000 records")],
)
def test_only_one_is_singular(count: int, text: str) -> None:
    """Thousands are separated."""
    assert text == count_of(count, "record")
