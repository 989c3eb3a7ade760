"""The README says what the program is.

Its tables are the code's closed lists, and its example works.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import typer

from consumer import __version__
from consumer.cli import app, exits
from consumer.config.load import load
from consumer.errors import HoldReason, Reason
from consumer.model import FilterRule
from tests.unit.admin.test_metrics import PROMISED
from tests.unit.docs.tables import ROOT, first_column, table, text_of

if TYPE_CHECKING:
    from enum import StrEnum
    from pathlib import Path

README = text_of("README.md")


def test_verbs_are_those_of_the_program() -> None:
    """In the order of the help."""
    command = typer.main.get_command(app)
    assert list(getattr(command, "commands", {})) == first_column(README, "verb")


def test_every_part_of_a_verb_is_named() -> None:
    """Verbs that have parts of their own: the row names each."""
    command = typer.main.get_command(app)
    said = {row[0]: row[1] for row in table(README, "verb")}
    for name, verb in getattr(command, "commands", {}).items():
        for part in getattr(verb, "commands", {}):
            assert part in said[name]


def test_exit_codes_are_those_of_the_program() -> None:
    """All of them, in order."""
    codes = sorted(value for name, value in vars(exits).items() if name.isupper())
    assert codes == [int(code) for code in first_column(README, "exit code")]


@pytest.mark.parametrize(
    ("header", "names"),
    [("reason", Reason), ("hold", HoldReason), ("rule", FilterRule)],
    ids=["reasons", "holds", "filter rules"],
)
def test_closed_lists_are_complete(header: str, names: type[StrEnum]) -> None:
    """Each member of the list has its row, in the order of the code."""
    assert [str(member) for member in names] == first_column(README, header)


def test_metrics_are_the_promised_ones() -> None:
    """Name, type and labels."""
    said = {
        (name, kind, tuple(filter(None, labels.split(", "))))
        for name, kind, labels, _ in table(README, "name")
    }
    assert PROMISED == said


def test_promises_are_numbered_through() -> None:
    """I1 to I19."""
    promises = re.findall(r"^\| (I\d+) \| \*\*", README, re.MULTILINE)
    assert [f"I{number}" for number in range(1, 20)] == promises


def test_the_first_configuration_loads(tmp_path: Path) -> None:
    """As it stands there, with the two variables set."""
    schema, configuration = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    (tmp_path / "connector.yaml").write_text(schema)
    (tmp_path / "consumer.yaml").write_text(configuration)
    settings = load(
        tmp_path / "consumer.yaml",
        environ={"SF_CLIENT_ID": "id", "SF_CLIENT_SECRET": "made-up"},
        overrides=[],
    )
    assert [("shop.public.customers",)] == [route.topics for route in settings.routes]


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"])
def test_links_lead_somewhere(name: str) -> None:
    """Every link to a file of the repository, and every anchor of this document."""
    document = text_of(name)
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", document, re.MULTILINE)
    }
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", document):
        path, _, anchor = target.partition("#")
        assert (ROOT / path).exists(), target
        assert path or anchor in anchors, target


def test_the_changelog_has_this_version() -> None:
    """The version of the package has an entry."""
    assert f"## [{__version__}]" in text_of("CHANGELOG.md")


def test_a_table_that_is_not_there_is_said() -> None:
    """The reader of tables itself is red when a table goes."""
    with pytest.raises(LookupError, match="no table begins with"):
        first_column(README, "no such header")
