"""`run`, as far as it comes without a broker or a tenant."""

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
    """The reason is the last line.

    What had been opened before it is closed, and complains of nothing.
    """
    monkeypatch.setattr(
        "consumer.cli.run.configure", lambda _log: None
    )  # it is the whole process's
    occupied = tmp_path / "a-file"
    occupied.touch()
    ran = run(
        "run", "--config", str(examples / "bulk.yaml"), "--set", f"delivery.spool_dir={occupied}"
    )
    gc.collect()
    assert 70 == ran.code
    assert ran.err.strip().splitlines()[-1].startswith(f"fatal: cannot spool to {occupied}")
