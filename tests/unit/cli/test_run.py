"""`run`, as far as it gets without a broker or a tenant."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest


def test_a_daemon_that_cannot_be_built_leaves_nothing_open(
    run: Callable[..., Any], examples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason is the last line, and everything opened before is closed without a warning."""
    # The log of the whole process stays as it is.
    monkeypatch.setattr("consumer.cli.run.configure", lambda _log: None)
    occupied = tmp_path / "a-file"
    occupied.touch()
    ran = run(
        "run", "--config", str(examples / "bulk.yaml"), "--set", f"delivery.spool_dir={occupied}"
    )
    gc.collect()
    assert 70 == ran.code
    assert ran.err.strip().splitlines()[-1].startswith(f"fatal: cannot spool to {occupied}")
