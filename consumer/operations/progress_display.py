"""The interface through which a replay or a backfill shows its progress."""

from __future__ import annotations

from typing import Protocol


class ProgressDisplay(Protocol):
    """Shows the progress of a replay or a backfill to a person."""

    def step(self, name: str, done: int, total: int, note: str = "") -> None:
        """Show that `done` of `total` units of this step are done."""
        ...

    def waits(self, reason: str) -> None:
        """Show what the operation is waiting for. An empty reason ends the wait."""
        ...
