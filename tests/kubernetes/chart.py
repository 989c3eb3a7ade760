"""Run Helm on the chart, and read the manifests that it renders."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ruamel.yaml import YAML

from tests.kubernetes.tools import tool

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT: Final = Path(__file__).parents[2]
CHART: Final = ROOT / "helm" / "datacloud-consumer"
SCENARIOS: Final = {
    path.name.removesuffix("-values.yaml"): path
    for path in sorted((CHART / "ci").glob("*-values.yaml"))
}
NAMESPACE: Final = "data"
RELEASE: Final = "shop"
VERSIONS: Final = ("1.27.0", "1.30.0", "1.34.0", "1.37.0")
"""Versions of Kubernetes that manifests are held against: the oldest that the chart takes to the
newest."""

Manifest = dict[str, Any]


def helm(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run Helm; the caller checks the result."""
    return subprocess.run(
        [tool("helm").path, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def rendered(values: Path, *more: str) -> str:
    """Render the chart with a file of values; an error is the test's failure."""
    answer = helm("template", RELEASE, CHART, "--namespace", NAMESPACE, "--values", values, *more)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def manifests(text: str) -> list[Manifest]:
    """Read a stream of manifests."""
    return [document for document in YAML(typ="safe", pure=True).load_all(text) if document]


def only(found: Iterable[Manifest], kind: str) -> Manifest:
    """Return the one manifest of a kind."""
    (manifest,) = [manifest for manifest in found if manifest["kind"] == kind]
    return manifest
