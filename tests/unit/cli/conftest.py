"""The command line's own."""

from __future__ import annotations

import pytest


@pytest.fixture
def log_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a verb that shows a bar leave the log alone, which is the whole process's."""
    monkeypatch.setattr("consumer.cli.bars.configure", lambda _log: None)
