"""ARCHITECTURE.md agrees with the tree: its layers and its folders."""

from __future__ import annotations

import re

from tests.unit.docs.tables import ROOT, first_column, text_of

DOCUMENT = text_of("ARCHITECTURE.md")
MOST_BYTES = 30_000


def test_it_can_be_read_in_one_go() -> None:
    """At most 30 KB; the map of files is another page."""
    assert len(DOCUMENT.encode()) <= MOST_BYTES


def test_every_layer_is_described() -> None:
    """As the architecture test names them, lowest first."""
    layers = re.search(
        r"^([A-Z, ]+) = range\(8\)$", text_of("tests/test_architecture.py"), re.MULTILINE
    )
    assert layers is not None
    assert layers[1].lower().split(", ") == first_column(DOCUMENT, "layer")


def test_every_folder_has_its_line() -> None:
    """The repository's folders and the packages; built and hidden folders aside."""
    built = {"build", "dist"}
    listed = " ".join(first_column(DOCUMENT, "folder")).split()
    folders = [path for path in ROOT.iterdir() if path.name not in built]
    packages = [path for path in (ROOT / "consumer").iterdir() if path.name != "__pycache__"]
    found = {
        f"{path.relative_to(ROOT)}/"
        for path in (*folders, *packages)
        if path.is_dir() and path.name[0] not in "._" and any(path.rglob("*.*"))
    }
    assert found == set(listed)


def test_every_test_folder_has_its_line() -> None:
    """In docs/testing.md."""
    found = {
        f"{path.name}/"
        for path in (ROOT / "tests").iterdir()
        if path.is_dir() and path.name[0] not in "._" and any(path.rglob("*.*"))
    }
    assert found == set(first_column(text_of("docs/testing.md"), "tests"))
