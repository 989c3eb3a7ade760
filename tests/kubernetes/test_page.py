"""docs/kubernetes.md: values render, manifests are valid, the list of alerts is complete."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.kubernetes.chart import ROOT, SCENARIOS, VERSIONS, manifests, only, rendered

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kubernetes.kubeconform import Conforming

PAGE = (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
MANIFESTS = [block for block in BLOCKS if block.startswith("apiVersion:")]
VALUES = [block for block in BLOCKS if not block.startswith("apiVersion:")]


def test_the_page_has_both_kinds() -> None:
    """The page has manifests and values, so the tests below check something."""
    assert MANIFESTS
    assert VALUES


@pytest.mark.parametrize("block", MANIFESTS)
def test_a_manifest_is_valid(block: str, conforming: Conforming) -> None:
    """A manifest is valid as it is on the page."""
    answer = conforming(block, VERSIONS[-1])
    assert 0 == answer.returncode, answer.stdout + answer.stderr


@pytest.mark.parametrize("block", VALUES)
@pytest.mark.usefixtures("helm")
def test_values_render(block: str, conforming: Conforming, tmp_path: Path) -> None:
    """Helm renders the values, and the result is valid."""
    (tmp_path / "values.yaml").write_text(block, encoding="utf-8")
    answer = conforming(rendered(tmp_path / "values.yaml"), VERSIONS[-1])
    assert 0 == answer.returncode, answer.stdout + answer.stderr


def test_secrets_of_the_values_are_those_of_the_manifests(helm: Path) -> None:
    """The manifests of the page create every Secret that its values name."""
    assert helm.exists()
    named = {name for block in VALUES for name in re.findall(r"existingSecret: ([a-z-]+)", block)}
    made = {
        manifest["metadata"]["name"]
        for block in MANIFESTS
        for manifest in manifests(block)
        if manifest["kind"] in {"Secret", "ExternalSecret"}
    }
    assert named == made


def test_every_alert_is_listed(helm: Path) -> None:
    """The page lists every alert in the order of the rules."""
    assert helm.exists()
    spec = only(manifests(rendered(SCENARIOS["monitoring"])), "PrometheusRule")["spec"]
    alerts = [rule["alert"] for group in spec["groups"] for rule in group["rules"]]
    assert alerts == re.findall(r"^\| (DatacloudConsumer\w+) \|", PAGE, re.MULTILINE)
