"""The helm-unittest suites of the chart, for people who change a fork of it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from tests.kubernetes.chart import CHART

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_suites_pass(require: Callable[[str], Path]) -> None:
    """All suites pass, and none is empty."""
    answer = subprocess.run(
        [require("helm-unittest"), "--strict", CHART],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert 0 == answer.returncode, answer.stdout + answer.stderr
    assert "Tests:       0" not in answer.stdout
