"""Columns that rules read and no row has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from consumer.mapping.settings import FieldRule, RouteSettings
from consumer.operations.sampling.unseen_columns import unseen_columns

if TYPE_CHECKING:
    from consumer.mapping.settings import FormatName

COLUMNS = ("id", "email", "address")


def route(source: str, form: FormatName = "debezium") -> RouteSettings:
    """Return a route with one rule."""
    return RouteSettings(
        topics=("t",), object="o", format=form, fields={"x": FieldRule(source=source)}
    )


@pytest.mark.parametrize("form", ["json", "cloudevents", "goldengate", "salesforce_cdc"])
def test_where_columns_may_be_left_out_only_a_likely_slip_is_told(form: FormatName) -> None:
    """A null that is not sent is no mistake."""
    assert [] == list(unseen_columns(route("nickname", form), COLUMNS))
    assert [
        "fields.x reads `emial`, and no sampled row has that column; did you mean `email`?"
    ] == list(unseen_columns(route("emial", form), COLUMNS))


def test_the_first_step_of_a_path_is_the_column() -> None:
    """What is inside of it is another matter."""
    assert [] == list(unseen_columns(route("address.city"), COLUMNS))
    assert 1 == len(list(unseen_columns(route("home.city"), COLUMNS)))


def test_a_function_may_make_columns() -> None:
    """It is called before the rules read the row."""
    made = msgspec.structs.replace(route("full_name"), custom=lambda row, _context: row)
    assert [] == list(unseen_columns(made, COLUMNS))


@pytest.mark.parametrize(
    ("source", "told"), [("__op", 0), ("op", 1), ("$key", 0), ("$kafka.offset", 0)]
)
def test_what_is_beside_the_columns_is_none(source: str, told: int) -> None:
    """Marks of the flat form, the key, the record."""
    assert told == len(list(unseen_columns(route(source, "debezium_flat"), COLUMNS)))
