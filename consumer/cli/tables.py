"""The style of the tables that verbs print on standard output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Collection


def table(title: str, *columns: str, figures: Collection[str]) -> Table:
    """Return an empty table; the columns named in `figures` are right-aligned and never wrapped."""
    made = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
    )
    for name in columns:
        is_figure = name in figures
        made.add_column(name, justify="right" if is_figure else "left", no_wrap=is_figure)
    return made
