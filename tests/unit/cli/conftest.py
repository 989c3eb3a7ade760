"""Fixtures of the command line's tests."""

from __future__ import annotations

import pytest


@pytest.fixture
def log_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a verb with a progress bar from configuring the log of the whole process."""
    monkeypatch.setattr("consumer.cli.bars.configure", lambda _log: None)
