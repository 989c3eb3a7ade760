"""The page about mapping: `map` prints what each example shows, and every rule has an example."""

from __future__ import annotations

import io
import re
from textwrap import indent
from typing import TYPE_CHECKING, Any

import pytest

from consumer.config.rule_keys import RULE
from consumer.mapping.regex import LONGEST_OF_LARGE, LONGEST_PATTERN, LONGEST_TEXT
from consumer.mapping.time_format import SYMBOLS
from tests.unit.docs.tables import text_of
from tests.unit.docs.test_format_pages import blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PAGE = text_of("docs/mapping.md")
CONNECTOR, SCHEMA = blocks(PAGE, "yaml")[1:3]
SALT = "pepper\n"
_BLOCK = re.compile(r"```(yaml|json)\n(.*?)```", re.DOTALL)


def examples() -> Iterator[Any]:
    """Yield each example: the keys of its route, the records, and the lines that `map` prints."""
    for section in re.split(r"\n##+ ", PAGE):
        title = section.partition("\n")[0]
        route = ""
        shown: list[str] = []
        for language, text in _BLOCK.findall(section):
            if language == "json":
                shown.append(text)
            elif text.startswith("object:"):
                route = text
        for records, printed in zip(shown[::2], shown[1::2], strict=True):
            yield pytest.param(route, records, printed, id=title)


@pytest.mark.parametrize(("route", "records", "printed"), list(examples()))
def test_map_prints_what_is_shown(  # noqa: PLR0917 - fixtures beside the example
    route: str,
    records: str,
    printed: str,
    tmp_path: Path,
    run: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Line by line, on the command line."""
    written = indent(route, "    ").removeprefix("    ")
    routes = f"routes:\n  - topics: [shop.customers]\n    {written}"
    (tmp_path / "consumer.yaml").write_text(CONNECTOR + routes)
    (tmp_path / "connector.yaml").write_text(SCHEMA)
    (tmp_path / "salt").write_text(SALT)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(records.encode()), "utf-8"))
    ran = run("map", "-c", str(tmp_path / "consumer.yaml"), "--topic", "shop.customers")

    assert ("", printed) == (ran.err, ran.out)


def test_every_rule_has_an_example() -> None:
    """A heading names the rule, or its text does, and the example uses it."""
    used = "".join(route for route, *_ in (example.values for example in examples()))
    keys = {f"{key}:" for key in RULE.keys} - {"salt:", "from:"}

    assert set() == {key for key in keys if key not in used}


def test_every_symbol_of_a_format_is_described() -> None:
    """In the table of symbols."""
    table = PAGE.partition("| symbols |")[2].partition("\n\n")[0]

    assert set(SYMBOLS) == set(re.findall(r"`([A-Za-z]+)`", table.replace("`Z`", "")))


def test_the_limits_of_patterns_are_the_programs() -> None:
    """The numbers stand in one sentence."""
    sentence = (
        f"A pattern has at most {LONGEST_PATTERN:,} characters, and text at most {LONGEST_TEXT:,}"
        f" ({LONGEST_OF_LARGE:,} for a large pattern"
    )

    assert sentence in " ".join(PAGE.split())
