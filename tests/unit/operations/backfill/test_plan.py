"""Estimates of a plan from a sample, and where a backfill leaves the group."""

from __future__ import annotations

import msgspec
import pytest

from consumer.bulk.sorted_runs import KeptRow
from consumer.errors import Reason, RecordError, Refusal
from consumer.model import PlainRecord
from consumer.operations.backfill.backfill import refuse_gap
from consumer.operations.backfill.offered_rows import OfferedRows, RowFault
from consumer.operations.backfill.plan import BackfillPlan, Estimate, SampleCounts, middle_of
from consumer.operations.backfill.state import Backfill, BackfillRequest
from consumer.operations.kafka.ranges import OffsetRange

NOW = "2026-03-01T12:00:00.000Z"
RANGES = (OffsetRange("t", 0, 10, 60), OffsetRange("t", 1, 0, 0))


def plan(positions: dict[tuple[str, int], int], *jobs: int) -> BackfillPlan:
    estimate = Estimate(
        object="o", upsert_count=1, delete_count=0, csv_bytes=500, file_count=1, job_count=1
    )
    return BackfillPlan(
        backfill=Backfill.begun(BackfillRequest(topics=("t",)), "0", RANGES, ["o"]),
        was_begun=False,
        folder="/spool",
        group_id="g",
        group_in_use=False,
        positions=positions,
        sampled_count=1,
        filtered_count=0,
        dead_lettered_count=0,
        estimates=tuple(msgspec.structs.replace(estimate, job_count=count) for count in jobs),
        free_bytes=10**12,
    )


def test_an_estimate_is_the_sample_scaled_up() -> None:
    """Ten records of 100,000: rows, deletes, bytes, files of 150 MB, jobs of 100 files."""
    sampled = SampleCounts()
    rows = [KeptRow("k", 1, 1, b"x" * 2_000_000)] * 6 + [KeptRow("k", 1, 1, b"")]
    fault = RowFault(0, PlainRecord("t"), RecordError(Reason.DECODE_SYNTAX))
    sampled.add(10, OfferedRows(rows, 2, [fault]), NOW)
    found = sampled.estimate("o", 100_000)
    assert (60_000, 10_000) == (found.upsert_count, found.delete_count)
    assert 120_000_000_000 + 10_000 * len(f"k,{NOW}\n") == found.csv_bytes
    assert (800 + 1, 8 + 1) == (found.file_count, found.job_count)
    assert (2, 1) == (sampled.filtered_count, sampled.dead_lettered_count)


def test_nothing_sampled_is_nothing_to_send() -> None:
    """An empty range has no files and no jobs."""
    found = SampleCounts().estimate("o", 0)
    assert (0, 0, 0) == (found.upsert_count, found.file_count, found.job_count)


@pytest.mark.parametrize(("jobs", "hours"), [((), 0), ((2, 18), 0), ((21,), 1), ((20, 21), 2)])
def test_the_limit_of_jobs_makes_hours(jobs: tuple[int, ...], hours: int) -> None:
    """Twenty jobs per hour: the twenty-first begins an hour after the first."""
    assert hours == plan({}, *jobs).limit_hours


@pytest.mark.parametrize(
    ("offset_range", "expected"),
    [((0, 1_000), (450, 550)), ((0, 60), (0, 60)), ((5, 5), (5, 5)), ((7, 107), (7, 107))],
)
def test_a_sample_is_from_the_middle(
    offset_range: tuple[int, int], expected: tuple[int, int]
) -> None:
    """A hundred offsets of the range, or all of them."""
    found = middle_of(OffsetRange("t", 0, *offset_range), 100)
    assert expected == (found.begin, found.end)


def test_streaming_continues_after_the_later_of_backfill_and_group() -> None:
    """The end of the backfill, or the later position of the group."""
    assert {("t", 0): 60, ("t", 1): 0} == plan({}).continues_from
    assert {("t", 0): 90, ("t", 1): 0} == plan({("t", 0): 90}).continues_from


def test_hand_over_skips_no_records() -> None:
    """A group before the range would never send the records in between."""
    with pytest.raises(
        Refusal, match=r"t\[0\]: group `g` is at offset 4, and the range begins at 10"
    ):
        refuse_gap(plan({("t", 0): 4}))
    refuse_gap(plan({("t", 0): 10}))
    refuse_gap(plan({}))
