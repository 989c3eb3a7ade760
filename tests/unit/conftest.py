"""Fixtures that run the command in this process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from consumer.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLES = Path(__file__).parents[2] / "config"


class Ran(NamedTuple):
    """The result of a command."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Return a function that runs the command with these arguments."""
    monkeypatch.setenv("SF_CLIENT_ID", "an-app")
    monkeypatch.setenv("SF_CLIENT_SECRET", "a-secret")
    monkeypatch.delenv("DATACLOUD_CONSUMER_CONFIG", raising=False)

    def call(*words: str) -> Ran:
        monkeypatch.setattr("sys.argv", ["datacloud-consumer", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        code = ended.value.code
        return Ran(code if isinstance(code, int) else 0, captured.out, captured.err)

    return call


@pytest.fixture
def examples() -> Path:
    """Return the folder of example files."""
    return EXAMPLES
