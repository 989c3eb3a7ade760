"""Shows progress on standard error: a bar for each step on a terminal, lines elsewhere."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from consumer.cli.bars import bars

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.progress import Progress, TaskID

LINE_S: Final = 5.0
"""Without a bar: seconds between two lines of the same step, at least."""


@contextmanager
def on_screen() -> Iterator[ProgressLine]:
    """Set up log and display for the block; nothing is shown before the first step."""
    with bars(8) as (progress, console):
        yield ProgressLine(progress, console)


class ProgressLine:
    """Shows one bar for each step, and what is waited for."""

    def __init__(self, progress: Progress, console: Console) -> None:
        self._progress = progress
        self._console = console
        self._bars: dict[str, TaskID] = {}
        self._waiting = ""
        self._last_line: tuple[str, float] = ("", 0.0)

    def step(self, name: str, done: int, total: int, note: str = "") -> None:
        """Show the progress of a step."""
        if name not in self._bars:
            self._bars[name] = self._progress.add_task(name, total=total, note="")
        waiting = f", waiting: {self._waiting}" if self._waiting else ""
        self._progress.update(
            self._bars[name], completed=done, total=total, note=f"{note}{waiting}"
        )
        if self._progress.disable:
            self._line(
                f"{name} {note}",
                f"{name} {done:,} of {total:,}{', ' * bool(note)}{note}",
                done == total,
            )

    def waits(self, reason: str) -> None:
        """Show what is waited for; an empty reason ends it."""
        if reason == self._waiting:
            return
        self._waiting = reason
        for bar in self._bars.values():
            self._progress.update(bar, note=f"waiting: {reason}" if reason else "")
        if self._progress.disable and reason:
            self._console.print(f"waiting: {reason}", soft_wrap=True, markup=False)

    def over(self) -> None:
        """Stop the bars: later output goes below them."""
        self._progress.stop()

    def _line(self, step: str, text: str, is_last: bool) -> None:  # noqa: FBT001 - private; the end of a step is always shown
        shown, shown_s = self._last_line
        now_s = time.monotonic()
        if step != shown or is_last or now_s - shown_s >= LINE_S:
            self._last_line = (step, now_s)
            self._console.print(text, soft_wrap=True, markup=False)
