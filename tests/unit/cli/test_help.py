"""The help of the command and its verbs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("verb", [(), ("config",)], ids=["program", "config"])
def test_every_verb_has_a_whole_summary_at_80_columns(
    verb: tuple[str, ...], run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No summary is cut off with dots."""
    monkeypatch.setenv("COLUMNS", "80")
    lines = run(*verb, "--help").out.splitlines()
    summaries = lines[lines.index("Commands:") + 1 :]
    assert [] == [line for line in summaries if not line.endswith(".") or line.endswith("...")]


def test_the_help_names_data_360(run: Callable[..., Any]) -> None:
    """With its former name once."""
    assert 1 == " ".join(run("--help").out.split()).count("Data 360 (formerly Data Cloud)")
