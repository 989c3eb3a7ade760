"""Progress bars on standard error, shown only on a terminal."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.theme import Theme

from consumer.admin.log import configure
from consumer.admin.settings import LogSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

# A bar has no colour while it moves, so that red and green only ever mean bad and good.
_COLOURS: Final = Theme(
    {
        "bar.complete": "none",
        "bar.pulse": "white",
        "bar.finished": "green",
        "progress.download": "none",
        "progress.elapsed": "none",
    }
)
_FAILED: Final = Theme({"bar.complete": "red", "bar.finished": "red"})


@contextmanager
def bars(name_width: int) -> Iterator[tuple[Progress, Console]]:
    """Set up the log and the progress display for the duration of the block.

    The display shows nothing until the first bar is added.
    """
    console = Console(stderr=True, highlight=False, theme=_COLOURS)
    moving = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    progress = Progress(
        TextColumn(f"{{task.description:>{name_width}}}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
        disable=not moving,
    )
    with progress:
        # `progress` has replaced sys.stderr by now. A log that is set up here writes above the bars
        # instead of into them.
        configure(LogSettings(level="warning", format="console"))
        yield progress, console


def mark_failed(console: Console) -> None:
    """Draw the bars in red from now on."""
    console.push_theme(_FAILED)
