"""Columns that a route reads and no sampled row has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from consumer.mapping.settings import FieldRule, RouteSettings, RowSettings
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
def test_if_rows_may_lack_columns_only_a_misspelled_name_is_reported(form: FormatName) -> None:
    """A column may be absent because its value is null."""
    assert [] == list(unseen_columns(route("nickname", form), COLUMNS))
    assert [
        "fields.x reads column `emial`, but no sampled row has it; did you mean `email`?"
    ] == list(unseen_columns(route("emial", form), COLUMNS))


def test_the_first_step_of_a_path_is_the_column() -> None:
    """Members of a nested value are not checked."""
    assert [] == list(unseen_columns(route("address.city"), COLUMNS))
    assert 1 == len(list(unseen_columns(route("home.city"), COLUMNS)))


@pytest.mark.parametrize("form", ["debezium", "json"])
def test_a_column_with_a_dot_needs_quotes(form: FormatName) -> None:
    """A path without quotes that spells the name of a column is reported with the quotes."""
    columns = ("id", "address.zip")
    assert [
        "fields.x reads column `address`, but no sampled row has it; write '\"address.zip\"'"
    ] == list(unseen_columns(route("address.zip", form), columns))
    assert [] == list(unseen_columns(route('"address.zip"', form), columns))


def test_rows_inside_the_sampled_ones_are_not_checked() -> None:
    """With `row` the paths of the rules start inside the record."""
    made = msgspec.structs.replace(route("emial", "json"), row=RowSettings(source="data"))
    assert [] == list(unseen_columns(made, COLUMNS))


def test_a_custom_function_may_add_columns() -> None:
    """It is called before the rules read the row, so nothing is reported."""
    made = msgspec.structs.replace(route("full_name"), custom=lambda row, _context: row)
    assert [] == list(unseen_columns(made, COLUMNS))


@pytest.mark.parametrize(
    ("source", "count"), [("__op", 0), ("op", 1), ("$key", 0), ("$kafka.offset", 0)]
)
def test_members_beside_the_columns_are_not_reported(source: str, count: int) -> None:
    """Members that Debezium adds to a flat row, the key, the Kafka coordinates."""
    assert count == len(list(unseen_columns(route(source, "debezium_flat"), COLUMNS)))
