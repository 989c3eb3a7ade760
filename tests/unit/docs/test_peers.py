"""The table of failures of similar projects names files and tests that exist.

Each row has its five columns, and no failure or planted mistake is listed twice.
"""

from __future__ import annotations

import ast
import re

import pytest

from tests.unit.docs.tables import ROOT, table, text_of

ROWS = table(text_of("tests/peers.md"), "failure")
FEWEST = 45
PREVENTED = sorted({path for row in ROWS for path in row[2].split(", ")})
RED = sorted({test for row in ROWS for test in row[3].split(", ")})


def functions_of(name: str) -> set[str]:
    """Return every function of a file, methods included."""
    tree = ast.parse(text_of(name))
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_every_row_is_whole() -> None:
    """Failure, thread, place, test, and how it was planted."""
    assert [] == [row for row in ROWS if len(row) != 5 or not all(row)]


def test_there_are_enough_and_none_twice() -> None:
    """Each failure and each planted mistake is listed once."""
    failures, plants = [row[0] for row in ROWS], [row[4] for row in ROWS]
    assert len(ROWS) >= FEWEST
    assert len(ROWS) == len({*failures}) == len({*plants})


@pytest.mark.parametrize("seen", [row[1] for row in ROWS])
def test_a_thread_is_named_by_repository_and_number(seen: str) -> None:
    """So a reader can look it up."""
    assert re.fullmatch(r"[\w.-]+/[\w.-]+#\d+", seen)


@pytest.mark.parametrize("path", PREVENTED)
def test_a_file_that_prevents_exists(path: str) -> None:
    """The file that prevents the failure is in the repository."""
    assert (ROOT / path).is_file()


@pytest.mark.parametrize("red", RED)
def test_a_test_that_is_named_exists(red: str) -> None:
    """The file is in the repository and has the test."""
    found = re.fullmatch(r"(tests/[\w/]+\.py)::(test_\w+)", red)
    assert found is not None
    assert found[2] in functions_of(found[1])
