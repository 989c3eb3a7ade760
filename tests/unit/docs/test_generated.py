"""Generated pages are what the code says now."""

from __future__ import annotations

import ast

import pytest

from tests.unit.docs.generated import PAGES
from tests.unit.docs.holders import holders, marks
from tests.unit.docs.tables import ROOT


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_up_to_date(name: str) -> None:
    """`make docs` writes it."""
    assert (ROOT / name).read_text(encoding="utf-8") == PAGES[name](), "run `make docs`"


def test_every_guarantee_has_its_tests() -> None:
    """I1 to I19, each with at least two."""
    found = holders()
    assert [f"I{number}" for number in range(1, 20)] == sorted(
        found, key=lambda name: int(name[1:])
    )
    assert [] == [name for name, tests in found.items() if len(tests) < 2]


def test_marks_are_read_from_functions_and_methods() -> None:
    """One mark may name two guarantees; a function without a mark is not listed."""
    source = (
        "class Machine:\n"
        "    @pytest.mark.holds('I1', 'I7')\n"
        "    @invariant()\n"
        "    def order(self): ...\n"
        "def test_other(): ...\n"
    )
    assert [("order", "I1"), ("order", "I7")] == marks(ast.parse(source))
