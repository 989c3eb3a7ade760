"""Which routes a backfill goes by, and where its range ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumer.errors import Refusal
from consumer.operations.backfill.routes import chosen_routes, extend_to_group_position
from consumer.operations.backfill.state import BackfillRequest
from consumer.operations.kafka.ranges import OffsetRange
from tests.unit.operations.backfill.backfill_files import settings_in

if TYPE_CHECKING:
    from pathlib import Path


def test_the_routes_that_take_the_topics_are_chosen(tmp_path: Path) -> None:
    """Each once, in the order of the file."""
    routes = chosen_routes(settings_in(tmp_path), BackfillRequest(topics=("visits", "customers")))
    assert ["customers", "visits"] == [route.object for route in routes]


@pytest.mark.parametrize(
    ("backfill_request", "message"),
    [
        (
            BackfillRequest(topics=("customers", "orders")),
            "no route takes topic `orders`; write one",
        ),
        (
            BackfillRequest(topics=("customers",), object="visits"),
            "no route takes topic `customers` into object `visits`",
        ),
        (
            BackfillRequest(topics=("parts",)),
            "object `parts` is in refresh_mode partial: a job writes whole rows",
        ),
    ],
    ids=["no route", "no route into the object", "partial rows"],
)
def test_what_no_job_can_do_is_refused(tmp_path: Path, backfill_request: BackfillRequest, message: str) -> None:
    """Before anything is read, by name."""
    with pytest.raises(Refusal, match=message):
        chosen_routes(settings_in(tmp_path), backfill_request)


@pytest.mark.parametrize(
    ("position", "end"),
    [(None, 60), (10, 60), (60, 60), (90, 90)],
    ids=["none", "before", "at its end", "behind"],
)
def test_a_range_ends_no_earlier_than_the_group_stands(position: int | None, end: int) -> None:
    """What the group has sent since would be overwritten by what was before it."""
    positions = {} if position is None else {("t", 0): position}
    found = extend_to_group_position(OffsetRange("t", 0, 40, 60, "older"), positions)
    assert (40, end) == (found.begin, found.end)
    assert found.remark.startswith("older")
    assert ("where the group stands" in found.remark) == (end > 60)


def test_nothing_is_not_read_on() -> None:
    """A partition without records in the range overwrites nothing."""
    assert OffsetRange("t", 0, 40, 40) == extend_to_group_position(OffsetRange("t", 0, 40, 40), {("t", 0): 90})
