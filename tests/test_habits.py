"""Habits of the code base, read from the files.

No file does six jobs, and no test waits and hopes.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LONGEST = 450
"""Lines of a file of the package: a longer one does several jobs."""

OUT_OF_TIME = ("unit", "properties", "contract", "golden", "fuzz", "bad_config", "simulation")
"""Tests that own their time or need none. A broker, a browser and the demonstration live in real
time."""

SOURCES = sorted((ROOT / "consumer").rglob("*.py"))
TESTS = sorted(path for folder in OUT_OF_TIME for path in (ROOT / "tests" / folder).rglob("*.py"))


def name_of(path: Path) -> str:
    """Return a file's place in the repository."""
    return str(path.relative_to(ROOT))


def waits_in(tree: ast.AST, *, virtual: bool) -> list[int]:
    """Return the lines that wait for the wall clock.

    `time.sleep`, and `asyncio.sleep` outside of virtual time.
    """
    lines = []
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "sleep"
        ):
            called = ast.unparse(node.func)
            waits = called == "asyncio.sleep" and not virtual and ast.unparse(node.args[0]) != "0"
            if called == "time.sleep" or waits:
                lines.append(node.lineno)
    return lines


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_no_file_needs_a_table_of_contents(path: Path) -> None:
    """A file has one job, and is read in one go."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize("path", TESTS, ids=name_of)
def test_no_test_waits_for_the_clock(path: Path) -> None:
    """What has to happen is waited for, or time is the test's own."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert [] == waits_in(tree, virtual="simulation" in path.parts)


@pytest.mark.parametrize(
    ("source", "virtual"),
    [
        ("import time\ntime.sleep(1)", False),
        ("import time\ntime.sleep(1)", True),
        ("import asyncio\nasync def f() -> None:\n    await asyncio.sleep(0.1)", False),
    ],
    ids=["thread", "thread-in-virtual-time", "loop"],
)
def test_a_planted_wait_is_seen(source: str, *, virtual: bool) -> None:
    """The reader itself is red on each kind."""
    assert waits_in(ast.parse(source), virtual=virtual)


def asks_for_headers(call: ast.Call) -> bool:
    """Tell whether a call asks for headers, directly or through `methodcaller`."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr == "headers"
    return ast.unparse(call) == "methodcaller('headers')"


@pytest.mark.parametrize("source", ["record.headers()", "methodcaller('headers')"])
def test_the_question_for_headers_is_seen(source: str) -> None:
    """The check itself, on both forms."""
    assert asks_for_headers(ast.parse(source, mode="eval").body)  # type: ignore[arg-type]  # a call, as it stands there


def test_headers_are_read_in_one_place() -> None:
    """What the client returns for a name that is not UTF-8 must not be touched.

    See `consumer/headers.py`.
    """
    asked = {
        name_of(path)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and asks_for_headers(node)
    }
    assert {"consumer/headers.py"} == asked
