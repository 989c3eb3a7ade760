"""The colours of progress bars."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumer.cli.bars import bars, mark_failed

if TYPE_CHECKING:
    from rich.console import Console


def colour(console: Console, style: str) -> str | None:
    """Return the name of a style's colour, `None` if it has none."""
    found = console.get_style(style).color
    return None if found is None else found.name


@pytest.mark.usefixtures("log_as_it_is")
def test_a_bar_has_a_colour_only_at_its_end() -> None:
    """Green for a finished one, red for both states after a failure."""
    with bars(8) as (_, console):
        assert (None, "green") == (colour(console, "bar.complete"), colour(console, "bar.finished"))
        mark_failed(console)
        assert ("red", "red") == (colour(console, "bar.complete"), colour(console, "bar.finished"))
