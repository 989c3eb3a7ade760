"""Tables of Markdown files, as the tests compare them with the code."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[3]


def text_of(name: str) -> str:
    """Return a document of the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


def table(document: str, header: str) -> list[list[str]]:
    """Return the rows of the table whose header row begins so, cells without backticks.

    Raises: `LookupError` when there is none.
    """
    lines = document.splitlines()
    start = next((at for at, line in enumerate(lines) if line.startswith(f"| {header} |")), None)
    if start is None:
        message = f"no table begins with | {header} |"
        raise LookupError(message)
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().replace("`", "") for cell in line.strip().strip("|").split("|")])
    return rows


def first_column(document: str, header: str) -> list[str]:
    """Return the first cell of each row."""
    return [row[0] for row in table(document, header)]
