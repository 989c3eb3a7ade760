"""Every type of PostgreSQL, as a real Debezium wrote it in each mode and encoding.

Becomes what is written down.
"""

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


def numbers_spelt_alike(text: str) -> str:
    """Spell each number as the double that it is."""
    return FLOATING.sub(lambda found: repr(float(found[0])), text)


def is_floating(case: Case) -> bool:
    """Whether a column, or the members of its array, are binary floating-point numbers."""
    schema: dict[str, Any] = case.schema.get("items", case.schema)
    return schema["type"] in {"float", "double"}


def as_text(case: Case) -> FieldType:
    """Choose a string for every column."""
    del case
    return FieldType.TEXT


def test_every_column_becomes_what_is_written_down() -> None:
    """With a schema and without, as each type of a connector's schema.

    `type_page.py` writes it anew.
    """
    assert OUTCOMES.read_text(encoding="utf-8").splitlines() == expected_lines()


def test_the_page_says_what_happens() -> None:
    """Its tables are those that the same command writes."""
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text


@pytest.mark.parametrize("choose", [natural, as_text])
def test_avro_becomes_what_a_schema_in_json_becomes(choose: Callable[[Case], FieldType]) -> None:
    """Each value of each column under each mode, byte for byte; floating-point numbers by value."""
    for case in cases():
        target = choose(case)
        in_json, in_avro = sent(case, target, "schema"), sent(case, target, "avro")
        if is_floating(case):
            in_json, in_avro = (
                [*map(numbers_spelt_alike, in_json)],
                [*map(numbers_spelt_alike, in_avro)],
            )
        assert in_json == in_avro, case.column


def test_every_column_arrives_or_is_said_not_to() -> None:
    """A type that the connector leaves out is one that the page lists."""
    listed = PAGE.read_text(encoding="utf-8").partition("## Types that do not arrive")[2]
    for mode, each in MODES.items():
        for table in each.tables:
            for column in missing(mode, table):
                assert f"| `{TABLES[table][column].type}` |" in listed


def test_with_a_rule_a_record_without_schema_becomes_the_same() -> None:
    """But as a string: where no rule tells that text or a figure is a time.

    It is sent as it stands.
    """
    differing = {
        (case.sql_type.partition("(")[0], target)
        for case in cases()
        for target in (FieldType.TEXT, natural(case))
        if _values(sent(case, target, "schema")) != _values(sent(case, target, "schemaless"))
    }
    assert {
        (name, FieldType.TEXT) for name in ("date", "time", "timestamp", "timestamptz")
    } == differing


def _values(became: list[str]) -> list[object]:
    return [None if isinstance(one, Refused) else json.loads(one) for one in became]
