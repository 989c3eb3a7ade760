"""Get program and chart of the previous version of the chart from the Git history."""

from __future__ import annotations

import io
import subprocess
import tarfile
from typing import TYPE_CHECKING

from tests.kubernetes.chart import CHART, ROOT

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, place: Path) -> Path | None:
    """Write a folder of the previous version to another folder; `None` without history."""
    changes = _git("log", "--format=%H", "-G^version:", "--", str(CHART / "Chart.yaml")).split()
    if not changes:
        return None
    # The oldest change is the chart's beginning, and has nothing before it.
    before = changes[0].decode() + ("^" if len(changes) > 1 else "")
    within = place.relative_to(ROOT)
    with tarfile.open(fileobj=io.BytesIO(_git("archive", before, str(within)))) as archive:
        archive.extractall(folder, filter="data")
    return folder / within


def _git(*arguments: str) -> bytes:
    """Run git; what it cannot say is nothing."""
    return subprocess.run(
        ["git", *arguments],  # noqa: S607 - the machine's own git
        cwd=ROOT,
        capture_output=True,
        timeout=60,
        check=False,
    ).stdout
