"""A range laid over what a partition holds."""

from __future__ import annotations

import pytest

from consumer.operations.kafka.range_bounds import AtOffset, AtTime, RangeBound
from consumer.operations.kafka.ranges import OffsetRange, PartitionOffsets, clipped_range

PLACE = ("t", 3)
THEN = AtTime(1_772_366_400_000)


def test_without_edges_it_is_all_that_the_partition_holds() -> None:
    """From what retention left to the last stable offset."""
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
            id="offsets, the last left out",
        ),
        pytest.param(THEN, None, PartitionOffsets(40, 100, since=70), (70, 100), id="since a time"),
        pytest.param(None, THEN, PartitionOffsets(40, 100, until=70), (40, 70), id="until a time"),
        pytest.param(
            THEN,
            None,
            PartitionOffsets(40, 100),
            (100, 100),
            id="since a time after the last record",
        ),
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
            None, AtOffset(20), PartitionOffsets(40, 100), (40, 40), id="an end before what is left"
        ),
        pytest.param(None, None, PartitionOffsets(7, 7), (7, 7), id="an empty partition"),
    ],
)
def test_edges_bound_it(
    begin: RangeBound | None,
    end: RangeBound | None,
    held: PartitionOffsets,
    expected: tuple[int, int],
) -> None:
    """The beginning is part of it, the end is not; it is never less than nothing."""
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
            "10 to 39 are gone",
            id="begins in what is gone",
        ),
        pytest.param(
            THEN,
            None,
            PartitionOffsets(40, 100, since=40),
            (40, 100),
            "before 40 is gone",
            id="since too long ago",
        ),
        pytest.param(
            None,
            AtOffset(120),
            PartitionOffsets(0, 100),
            (0, 100),
            "nothing is there from 100 on yet",
            id="ahead",
        ),
        pytest.param(
            AtOffset(120),
            None,
            PartitionOffsets(0, 100),
            (100, 100),
            "begins behind the end, 100",
            id="behind it all",
        ),
    ],
)
def test_what_is_not_there_is_named(
    begin: RangeBound | None,
    end: RangeBound | None,
    held: PartitionOffsets,
    expected: tuple[int, int],
    remark: str,
) -> None:
    """Whoever asks for more than there is learns what is missing.

    Instead of taking less for all.
    """
    found = clipped_range(PLACE, begin, end, held)
    assert expected == (found.begin, found.end)
    assert remark in found.remark


def test_the_first_record_of_all_is_not_taken_for_what_retention_left() -> None:
    """A partition that begins at 0 has lost nothing."""
    assert "" == clipped_range(PLACE, THEN, None, PartitionOffsets(0, 100, since=0)).remark
