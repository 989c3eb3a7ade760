"""The file map of ARCHITECTURE.md: one line per file, said by the file itself.

`python tests/unit/docs/file_map.py` writes it anew.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[3]
DOCUMENT: Final = ROOT / "ARCHITECTURE.md"
BEGIN: Final = "<!-- file map: python tests/unit/docs/file_map.py -->\n```text\n"
END: Final = "```\n<!-- end of the file map -->\n"

JOURNEY: Final = (
    "model", "errors", "clock", "masking", "hosts", "pause", "holds", "source", "decoding", "mapping", "batching",
    "delivery", "auth", "transport", "dead_letter", "offsets", "pipeline", "config", "admin", "preflight", "facts",
    "daemon", "serve", "sandbox", "operations", "cli",
)  # fmt: skip
"""The order of reading; what is not named comes after, by name."""

FOLDERS: Final = {
    "page": (
        "The page of the sandbox tenant: HTML, CSS and JavaScript, without anything from elsewhere."
    ),
    "shop": "The sample shop's connector schema and configuration.",
    "status_page": (
        "The daemon's own page: HTML, CSS and JavaScript, without anything from elsewhere."
    ),
}
"""Folders without Python."""


def file_map() -> str:
    """Return the map of the package as it is now."""
    return "".join(f"{line}\n" for line in _lines(ROOT / "consumer"))


def written_map() -> str:
    """Return the map that stands in the document."""
    document = DOCUMENT.read_text(encoding="utf-8")
    return document[document.index(BEGIN) + len(BEGIN) : document.index(END)]


def _lines(package: Path) -> list[str]:
    lines = []
    for path in sorted(_parts(package), key=_place):
        lines.append(_line(path.name + "/" * path.is_dir(), _said(path), 0))
        if path.is_dir():
            lines += [
                _line(part.name + "/" * part.is_dir(), _said(part), 2) for part in _parts(path)
            ]
    return lines


def _parts(folder: Path) -> list[Path]:
    """Return the files and folders that have something to say.

    A room speaks by its own `__init__`.
    """
    return sorted(
        path
        for path in folder.iterdir()
        if (path.is_dir() and path.name != "__pycache__")
        or (path.suffix == ".py" and path.stem != "__init__")
    )


def _place(path: Path) -> tuple[int, str]:
    return (JOURNEY.index(path.stem) if path.stem in JOURNEY else len(JOURNEY), path.name)


def _said(path: Path) -> str:
    """Return the first line of a module's docstring."""
    if path.name in FOLDERS:
        return FOLDERS[path.name]
    source = path / "__init__.py" if path.is_dir() else path
    said = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    return said.partition("\n")[0]


def _line(name: str, said: str, indent: int) -> str:
    return f"{' ' * indent}{name:<{28 - indent}}{said}".rstrip()


def _write() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    before, after = document.partition(BEGIN)[0], document.partition(END)[2]
    DOCUMENT.write_text(before + BEGIN + file_map() + END + after, encoding="utf-8")


if __name__ == "__main__":
    _write()
