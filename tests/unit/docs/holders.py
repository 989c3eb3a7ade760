"""The table of guarantees and the tests that hold them, read from the marks on the tests."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[3]
PAGE: Final = "docs/testing.md"
BEGIN: Final = "<!-- holders -->\n"
END: Final = "<!-- end of holders -->\n"
MARK: Final = "pytest.mark.holds"


def holders() -> dict[str, list[str]]:
    """Return the tests of each guarantee, as `file::function`."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for name, guarantee in marks(ast.parse(path.read_text(encoding="utf-8"))):
            found[guarantee].append(f"{path.relative_to(ROOT)}::{name}")
    return found


def marks(tree: ast.AST) -> list[tuple[str, str]]:
    """Return each marked function with its guarantee; one with two guarantees comes twice."""
    return [
        (node.name, str(argument.value))
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == MARK
        for argument in decorator.args
        if isinstance(argument, ast.Constant)
    ]


def testing_page() -> str:
    """Return the page with the table as it is now; the rest of the page stays."""
    page = (ROOT / PAGE).read_text(encoding="utf-8")
    before, after = page.partition(BEGIN)[0], page.partition(END)[2]
    return before + BEGIN + _table() + END + after


def _table() -> str:
    rows = ["| guarantee | Held by |", "|---|---|"]
    found = holders()
    for guarantee in sorted(found, key=lambda name: int(name[1:])):
        tests = "<br>".join(f"`{test}`" for test in found[guarantee])
        rows.append(f"| {guarantee} | {tests} |")
    return "".join(f"{row}\n" for row in rows)
