"""Reference pages list what the code has: reasons, rules, holds, metrics and guarantees."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from consumer.errors import HoldReason, Reason
from consumer.model import FilterRule
from tests.unit.admin.test_metrics import PROMISED
from tests.unit.docs.tables import ROOT, first_column, table, text_of

if TYPE_CHECKING:
    from enum import StrEnum

PAGES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))


@pytest.mark.parametrize(
    ("header", "names"),
    [("reason", Reason), ("hold", HoldReason), ("rule", FilterRule)],
    ids=["reasons", "holds", "filter rules"],
)
def test_closed_lists_are_complete(header: str, names: type[StrEnum]) -> None:
    """Each member of the list has its row, in the order of the code."""
    assert [str(member) for member in names] == first_column(text_of("docs/reasons.md"), header)


@pytest.mark.parametrize("header", ["reason", "hold"])
def test_each_says_what_to_do(header: str) -> None:
    """The last cell is never empty."""
    assert [] == [row for row in table(text_of("docs/reasons.md"), header) if not row[-1]]


def test_metrics_are_the_promised_ones() -> None:
    """Name, type and labels."""
    listed = {
        (name, kind, tuple(filter(None, labels.split(", "))))
        for name, kind, labels, _ in table(text_of("docs/metrics.md"), "name")
    }
    assert PROMISED == listed


def test_guarantees_are_numbered_through() -> None:
    """I1 to I19."""
    guarantees = re.findall(r"^\| (I\d+) \| \*\*", text_of("docs/guarantees.md"), re.MULTILINE)
    assert [f"I{number}" for number in range(1, 20)] == guarantees


def test_the_index_names_every_page() -> None:
    """A page that is not in docs/README.md is not found."""
    index = text_of("docs/README.md")
    targets = {f"docs/{target}" for target in re.findall(r"\]\(([\w/-]+\.md)", index)}
    assert set(PAGES) - {"docs/README.md"} == targets
