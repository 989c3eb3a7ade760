"""Every PostgreSQL type, written by a real Debezium in each mode and encoding, maps as expected."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from consumer.mapping.settings import FieldType
from tests.golden.debezium_types import MODES, TABLES
from tests.golden.type_lines import expected_lines
from tests.golden.type_outcomes import Refused, cases, missing, natural, sent
from tests.golden.type_page import OUTCOMES, PAGE, page

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.golden.type_outcomes import Case

FLOATING = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


def with_one_spelling(text: str) -> str:
    """Return text in which each number is written as its double."""
    return FLOATING.sub(lambda found: repr(float(found[0])), text)


def is_floating(case: Case) -> bool:
    """Whether a column, or its array's elements, are binary floating-point numbers."""
    schema: dict[str, Any] = case.schema.get("items", case.schema)
    return schema["type"] in {"float", "double"}


def as_text(case: Case) -> FieldType:
    """Choose a string for every column."""
    del case
    return FieldType.TEXT


def test_every_column_has_the_expected_outcome() -> None:
    """With and without a schema, for each field type; `type_page.py` writes the expected file."""
    assert OUTCOMES.read_text(encoding="utf-8").splitlines() == expected_lines()


def test_the_tables_of_the_page_are_current() -> None:
    """The tables are those that `type_page.py` writes."""
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text


@pytest.mark.parametrize("choose", [natural, as_text])
def test_avro_maps_like_json_with_a_schema(choose: Callable[[Case], FieldType]) -> None:
    """Each value of each column and mode, byte for byte; floating-point numbers by value."""
    for case in cases():
        target = choose(case)
        in_json, in_avro = sent(case, target, "schema"), sent(case, target, "avro")
        if is_floating(case):
            in_json, in_avro = (
                [*map(with_one_spelling, in_json)],
                [*map(with_one_spelling, in_avro)],
            )
        assert in_json == in_avro, case.column


def test_every_column_arrives_or_is_listed_as_missing() -> None:
    """The page lists every type that the connector leaves out."""
    listed = PAGE.read_text(encoding="utf-8").partition("## Types that do not arrive")[2]
    for mode, each in MODES.items():
        for table in each.tables:
            for column in missing(mode, table):
                assert f"| `{TABLES[table][column].type}` |" in listed


def test_a_rule_replaces_the_schema() -> None:
    """A record without a schema maps the same with a rule, except for times sent to a string.

    No rule says that text or a number is a time there, so the value is sent unchanged. No rule
    reads the items of an array either.
    """
    differing = {
        (re.sub(r"\(.*?\)", "", case.sql_type), target)
        for case in cases()
        for target in (FieldType.TEXT, natural(case))
        if _values(sent(case, target, "schema")) != _values(sent(case, target, "schemaless"))
    }
    times = ("date", "time", "timestamp", "timestamptz")
    arrays = (f"{name}[]" for name in ("numeric", *times))
    assert {(name, FieldType.TEXT) for name in (*times, *arrays)} == differing


def _values(outcomes: list[str]) -> list[object]:
    return [None if isinstance(one, Refused) else json.loads(one) for one in outcomes]
