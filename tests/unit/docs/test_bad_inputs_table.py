"""The table of bad inputs agrees with the tests: every id has a row, with the tested outcome."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.docs.tables import ROOT, table, text_of
from tests.unit.mapping.test_bad_inputs import CASES

if TYPE_CHECKING:
    from collections.abc import Iterator

IDS = {
    "A": (
        "01 02 04 05 06 07 08 09 10 11 12 15 16 19 20 22 24 25 26 29 30 32 33 34 35 36 38 39 46"
        " 47 50"
    ),
    "B": "02 03 05 06 14 19 26 29 30",
    "C": "01 02 03 05 06 07 09 10 11 15 17 20 21",
    "D": "01 02 03 04 05 06 07 08 09 12 13 20 21 22 25 27 28 29 30 32 33 34 36 37 39",
    "E": "01 04 05 06 07 09 12 14 17 18",
    "F": "01 02 03 08 18 19 20 24 30",
    "H": "04 07 11 13 14 19",
    "CRM": " ".join(f"{number:02}" for number in range(1, 34)),
}
ROWS = table(text_of("tests/bad-inputs.md"), "id") + table(text_of("tests/bad-inputs.md"), "CRM id")
MAPPED = [row for row in ROWS if "CASES" in row[3].split(", ")]
NAMED = [(row[0], test) for row in ROWS for test in row[3].split(", ") if test != "CASES"]


def outcomes_of(identifier: str) -> Iterator[str]:
    """Yield the outcomes of all cases of an id, in the words of the table."""
    for case in CASES:
        if str(case.id).partition("-")[0] == identifier:
            expected: Any = case.values[0].expected  # type: ignore[union-attr]  # a case is never a mark
            yield expected if isinstance(expected, str) else expected[0]


def functions(path: str) -> dict[str, str]:
    """Return the source text of every function of a file, with its decorators."""
    source = text_of(path)
    found = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            found[node.name] = "\n".join(source.splitlines()[first - 1 : node.end_lineno])
    return found


def test_every_id_has_a_row() -> None:
    """The rows are in order, and no id has two."""
    assert [group + number for group, numbers in IDS.items() for number in numbers.split()] == [
        row[0] for row in ROWS
    ]


def test_every_row_is_complete() -> None:
    """A row has id, input, outcome and at least one test."""
    assert [] == [row for row in ROWS if len(row) != 4 or not all(row)]


@pytest.mark.parametrize("row", MAPPED, ids=lambda row: row[0])
def test_the_cases_have_the_outcomes_of_the_row(row: list[str]) -> None:
    """The first case of an id has the first outcome; each other outcome has a case, too."""
    expected = [
        one.removeprefix("dead-letter ").removeprefix("filtered ") for one in row[2].split(", ")
    ]
    seen = list(outcomes_of(row[0]))

    assert expected[:1] == seen[:1]
    assert [] == [one for one in expected if one not in seen]


@pytest.mark.parametrize(("identifier", "test"), NAMED)
def test_a_listed_test_exists_and_names_the_id(identifier: str, test: str) -> None:
    """In its name, docstring or parameters; the name of a configuration file begins with the id."""
    path, _, name = test.partition("::")
    if not name:
        assert (ROOT / path).is_file()
        assert path.rpartition("/")[2].startswith(f"{identifier}-")
        return
    assert identifier.lower() in functions(path)[name].lower()
