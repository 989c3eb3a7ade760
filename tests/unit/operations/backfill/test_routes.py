"""Routes that a backfill uses, and where its range ends."""

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
    """Each route once, in the order of the file."""
    routes = chosen_routes(settings_in(tmp_path), BackfillRequest(topics=("visits", "customers")))
    assert ["customers", "visits"] == [route.object for route in routes]


@pytest.mark.parametrize(
    ("backfill_request", "message"),
    [
        (
            BackfillRequest(topics=("customers", "orders")),
            "no route takes topic `orders`; check --topic, or add a route for it",
        ),
        (
            BackfillRequest(topics=("customers",), object="visits"),
            "no route takes topic `customers` into object `visits`",
        ),
        (
            BackfillRequest(topics=("parts",)),
            "object `parts` has refresh_mode partial: a bulk job writes whole rows",
        ),
    ],
    ids=["no route", "no route into the object", "partial rows"],
)
def test_a_request_that_no_job_can_serve_is_refused(
    tmp_path: Path, backfill_request: BackfillRequest, message: str
) -> None:
    """The request is refused before anything is read."""
    with pytest.raises(Refusal, match=message):
        chosen_routes(settings_in(tmp_path), backfill_request)


@pytest.mark.parametrize(
    ("position", "end"),
    [(None, 60), (10, 60), (60, 60), (90, 90)],
    ids=["none", "before", "at its end", "behind"],
)
def test_a_range_ends_at_the_groups_position_or_later(position: int | None, end: int) -> None:
    """Otherwise older rows would overwrite those that the group has sent since."""
    positions = {} if position is None else {("t", 0): position}
    found = extend_to_group_position(OffsetRange("t", 0, 40, 60, "older"), positions)
    assert (40, end) == (found.begin, found.end)
    assert found.remark.startswith("older")
    assert ("the group's position" in found.remark) == (end > 60)


def test_an_empty_range_is_not_extended() -> None:
    """A partition without records in the range overwrites no row."""
    assert OffsetRange("t", 0, 40, 40) == extend_to_group_position(
        OffsetRange("t", 0, 40, 40), {("t", 0): 90}
    )
