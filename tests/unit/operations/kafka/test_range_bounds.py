"""The bounds of a range as text."""

from __future__ import annotations

import pytest

from consumer.operations.kafka.range_bounds import AtOffset, AtTime, InvalidBound, read_bound

NOON_MS = 1_772_366_400_000
"""2026-03-01T12:00:00Z"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", AtOffset(0)),
        ("1200", AtOffset(1200)),
        ("2026-03-01T11:00:00Z", AtTime(NOON_MS - 3_600_000)),
        ("2026-03-01T12:00:00+01:00", AtTime(NOON_MS - 3_600_000)),
        ("90m", AtTime(NOON_MS - 5_400_000)),
        ("1.5h", AtTime(NOON_MS - 5_400_000)),
        ("7d", AtTime(NOON_MS - 7 * 86_400_000)),
        ("99999d", AtTime(0)),
    ],
)
def test_a_bound_is_an_offset_a_time_or_a_duration(text: str, expected: AtOffset | AtTime) -> None:
    """A duration is subtracted from now, at most to 1970."""
    assert expected == read_bound(text, NOON_MS)


@pytest.mark.parametrize(
    "text", ["", "-1", "5x", "1e3", "yesterday", "2026-03-01", "2026-03-01T12:00:00"]
)
def test_other_text_is_refused(text: str) -> None:
    """A time without a zone too, because it is ambiguous. The message has the valid forms."""
    with pytest.raises(InvalidBound, match=r"expected an offset \(1200\).*, got `"):
        read_bound(text, NOON_MS)
