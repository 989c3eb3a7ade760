"""A range, clipped to the offsets that a partition holds."""

from __future__ import annotations

import pytest

from consumer.operations.kafka.range_bounds import AtOffset, AtTime, RangeBound
from consumer.operations.kafka.ranges import OffsetRange, PartitionOffsets, clipped_range

PLACE = ("t", 3)
THEN = AtTime(1_772_366_400_000)


def test_without_bounds_the_range_is_the_whole_partition() -> None:
    """From the first offset that retention has kept to the last stable offset."""
    assert OffsetRange("t", 3, 40, 100) == clipped_range(
        PLACE, None, None, PartitionOffsets(40, 100)
    )


@pytest.mark.parametrize(
    ("begin", "end", "held", "expected"),
    [
        pytest.param(
            AtOffset(50),
            AtOffset(60),
            PartitionOffsets(40, 100),
            (50, 60),
            id="offsets, the last excluded",
        ),
        pytest.param(THEN, None, PartitionOffsets(40, 100, since=70), (70, 100), id="since a time"),
        pytest.param(None, THEN, PartitionOffsets(40, 100, until=70), (40, 70), id="until a time"),
        pytest.param(
            None,
            THEN,
            PartitionOffsets(40, 100),
            (40, 100),
            id="until a time after the last record",
        ),
        pytest.param(
            AtOffset(60),
            AtOffset(50),
            PartitionOffsets(40, 100),
            (60, 60),
            id="an end before its beginning",
        ),
        pytest.param(
            None,
            AtOffset(20),
            PartitionOffsets(40, 100),
            (40, 40),
            id="an end before the first offset",
        ),
        pytest.param(None, None, PartitionOffsets(7, 7), (7, 7), id="an empty partition"),
    ],
)
def test_bounds_limit_the_range(
    begin: RangeBound | None,
    end: RangeBound | None,
    held: PartitionOffsets,
    expected: tuple[int, int],
) -> None:
    """The begin is included, the end is excluded; the range is never negative."""
    found = clipped_range(PLACE, begin, end, held)
    assert (*expected, "") == (found.begin, found.end, found.remark)


@pytest.mark.parametrize(
    ("begin", "end", "held", "expected", "remark"),
    [
        pytest.param(
            AtOffset(10),
            None,
            PartitionOffsets(40, 100),
            (40, 100),
            "offsets 10 to 39 no longer exist (retention or deletion)",
            id="begins before the first offset",
        ),
        pytest.param(
            THEN,
            None,
            PartitionOffsets(40, 100, since=40),
            (40, 100),
            "offsets before 40 no longer exist (retention or deletion)",
            id="since too long ago",
        ),
        pytest.param(
            None,
            AtOffset(120),
            PartitionOffsets(0, 100),
            (0, 100),
            "offsets from 100 on do not exist yet",
            id="ends after the partition",
        ),
        pytest.param(
            THEN,
            None,
            PartitionOffsets(40, 100),
            (100, 100),
            "no record has a timestamp at or after the begin of the range",
            id="since a time after the last record",
        ),
        pytest.param(
            AtOffset(120),
            None,
            PartitionOffsets(0, 100),
            (100, 100),
            "the range begins after the end of the partition (100)",
            id="begins after the partition",
        ),
    ],
)
def test_offsets_that_the_partition_lacks_are_named(
    begin: RangeBound | None,
    end: RangeBound | None,
    held: PartitionOffsets,
    expected: tuple[int, int],
    remark: str,
) -> None:
    """Otherwise a user would take a part of the range for all of it."""
    found = clipped_range(PLACE, begin, end, held)
    assert expected == (found.begin, found.end)
    assert remark in found.remark


def test_a_partition_that_begins_at_0_has_no_remark() -> None:
    """Retention has deleted nothing from it."""
    assert "" == clipped_range(PLACE, THEN, None, PartitionOffsets(0, 100, since=0)).remark


@pytest.mark.parametrize("held", [PartitionOffsets(0, 100), PartitionOffsets(0, 0)])
def test_a_range_that_finds_no_time_says_so(held: PartitionOffsets) -> None:
    """The brokers find no record without a timestamp: the range would be empty in silence."""
    remark = clipped_range(PLACE, THEN, None, held).remark
    assert ("records without a timestamp" in remark) == (held.end > 0)
