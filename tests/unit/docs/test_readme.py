"""The README and the other pages are true: the example works, links lead somewhere, sizes hold."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from consumer import __version__
from consumer.config.load import load
from tests.unit.docs.tables import ROOT, first_column, text_of

if TYPE_CHECKING:
    from pathlib import Path

README = text_of("README.md")
MOST_BYTES = 9_000
PAGES = [
    *("README.md", "ARCHITECTURE.md", "CHANGELOG.md"),
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")),
    *("bench/README.md", "tests/peers.md", "tests/bad-inputs.md"),
]


def anchors_of(document: str) -> set[str]:
    """Return the anchors of a page's headings, as a forge makes them."""
    return {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", document, re.MULTILINE)
    }


def broken_links(name: str, document: str) -> list[str]:
    """Return the links of a page that lead to no file or to no heading."""
    broken = []
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", document):
        path, _, anchor = target.partition("#")
        file = (ROOT / name).parent / path if path else ROOT / name
        if not file.exists() or (
            anchor and anchor not in anchors_of(file.read_text(encoding="utf-8"))
        ):
            broken.append(target)
    return broken


def test_it_can_be_read_in_two_minutes() -> None:
    """At most 9 KB: reference is in docs/."""
    assert len(README.encode()) <= MOST_BYTES


def test_the_first_configuration_loads(tmp_path: Path) -> None:
    """Exactly as printed there, with the two variables set."""
    schema, configuration = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    (tmp_path / "connector.yaml").write_text(schema)
    (tmp_path / "consumer.yaml").write_text(configuration)
    settings = load(
        tmp_path / "consumer.yaml",
        environ={"SF_CLIENT_ID": "id", "SF_CLIENT_SECRET": "made-up"},
        overrides=[],
    )
    assert [("shop.public.customers",)] == [route.topics for route in settings.routes]


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    """Every link to a file of the repository, and to a heading in it."""
    assert [] == broken_links(name, text_of(name))


@pytest.mark.parametrize("target", ["no-such-page.md", "README.md#no-such-heading", "#nowhere"])
def test_a_planted_broken_link_is_seen(target: str) -> None:
    """A missing file, a missing heading of another page, one of the same page."""
    assert [target] == broken_links("README.md", f"[here]({target})")


def test_the_changelog_has_this_version() -> None:
    """The version of the package has an entry."""
    assert f"## [{__version__}]" in text_of("CHANGELOG.md")


def test_a_missing_table_is_reported() -> None:
    """The reader of tables itself is red when a table goes."""
    with pytest.raises(LookupError, match="no table begins with"):
        first_column(README, "no such header")
