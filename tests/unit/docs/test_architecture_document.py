"""ARCHITECTURE.md agrees with the tree.

Its file map, its folders, and the tests that it says hold the promises.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest

from tests.unit.docs.file_map import file_map, written_map
from tests.unit.docs.tables import ROOT, first_column, table, text_of

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENT = text_of("ARCHITECTURE.md")
PROMISES = table(DOCUMENT, "promise")
HOLDERS = [(promise, holder) for promise, holders in PROMISES for holder in holders.split(", ")]


def names_in(path: Path) -> set[str]:
    """Return every function of a test file, methods included."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_the_file_map_is_the_tree() -> None:
    """A file that comes, goes or says something else: `python tests/unit/docs/file_map.py`."""
    assert file_map().splitlines() == written_map().splitlines()


@pytest.mark.parametrize(
    ("header", "folder"), [("folder", "."), ("tests", "tests")], ids=["repository", "tests"]
)
def test_every_folder_has_its_line(header: str, folder: str) -> None:
    """What is built or hidden aside."""
    built = {"consumer", "build", "dist"}
    found = {
        f"{path.name}/"
        for path in (ROOT / folder).iterdir()
        if path.is_dir()
        and path.name[0] not in "._"
        and path.name not in built
        and any(path.rglob("*.*"))
    }
    assert found == set(first_column(DOCUMENT, header))


def test_every_promise_has_its_tests() -> None:
    """I1 to I19, in order."""
    assert [f"I{number}" for number in range(1, 20)] == [
        promise.split()[0] for promise, _ in PROMISES
    ]


@pytest.mark.parametrize(("promise", "holder"), HOLDERS)
def test_a_test_that_is_named_exists(promise: str, holder: str) -> None:
    """The file, and in it the test or the invariant of a state machine."""
    found = re.fullmatch(r"(tests/[\w/]+\.py)::(\w+)", holder)
    assert found is not None, promise
    assert found[2] in names_in(ROOT / found[1])


def test_every_floor_of_the_house_is_described() -> None:
    """As the architecture test names them, lowest first."""
    house = text_of("tests/test_architecture.py")
    floors = re.search(r"^([A-Z, ]+) = range\(8\)$", house, re.MULTILINE)
    assert floors is not None
    named = {"edge": "edges"}
    assert [named.get(name, name) for name in floors[1].lower().split(", ")] == first_column(
        DOCUMENT, "floor"
    )
