"""docs/mapping-tests.md is true: its files load, and its tests print what stands under them."""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest

from consumer.operations.mapping_tests.files import OUTCOME_MEMBERS
from consumer.operations.mapping_tests.keys import EXPECT, TEST
from tests.unit.docs.tables import first_column, table, text_of
from tests.unit.docs.test_format_pages import AROUND, blocks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PAGE = text_of("docs/mapping-tests.md")
SCHEMA, CONFIGURATION, *FILES = blocks(PAGE, "yaml")
PRINTED = blocks(PAGE, "text")


@pytest.mark.parametrize(
    ("written", "printed"), list(zip(FILES, PRINTED, strict=True)), ids=["passes", "fails"]
)
def test_the_examples_print_what_is_shown(
    written: str,
    printed: str,
    tmp_path: Path,
    run: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Line by line, places included."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "connector.yaml").write_text(SCHEMA)
    (tmp_path / "consumer.yaml").write_text(CONFIGURATION + AROUND)
    (tmp_path / "shop.test.yaml").write_text(written)
    assert printed.splitlines() == run("test").out.splitlines()


def test_every_key_of_a_test_is_described() -> None:
    """In the order of the table that reads the file."""
    assert list(TEST.keys) == first_column(PAGE, "key")


def test_every_member_of_an_outcome_is_described() -> None:
    """As the reader judges them."""
    said = {outcome: re.findall(r"\w+", members) for outcome, members in table(PAGE, "`outcome`")}
    assert {
        outcome: [key.name for key in keys] for outcome, keys in OUTCOME_MEMBERS.items()
    } == said
    assert {"outcome", *chain(*said.values())} == set(EXPECT.keys)
