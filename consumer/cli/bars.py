"""Bars of what takes long, on standard error.

They move on a terminal and are not there elsewhere.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from consumer.admin.log import configure
from consumer.admin.settings import LogSettings

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def bars(name_width: int) -> Iterator[tuple[Progress, Console]]:
    """Set up log and display for as long as the block lasts.

    Nothing is shown before the first bar.
    """
    console = Console(stderr=True, highlight=False)
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
        # Now, so that log lines go above the bars: while they are shown, standard error is theirs.
        configure(LogSettings(level="warning", format="console"))
        yield progress, console
