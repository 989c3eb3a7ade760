"""The generated files of the chart are up to date, and every key of values.yaml is described."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from consumer import __version__
from tests.kubernetes.chart import CHART, SCENARIOS
from tests.kubernetes.chart_files import readme, values_schema
from tests.kubernetes.values_file import keys

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def load(path: Path) -> Any:  # noqa: ANN401 - any YAML value
    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))


def undescribed(
    values: dict[str, Any], described: set[tuple[str, ...]], at: tuple[str, ...] = ()
) -> Iterator[str]:
    """Yield the keys that neither have a description nor are below a described key."""
    for name, value in values.items():
        path = (*at, name)
        if path in described:
            continue
        if isinstance(value, dict) and any(key[: len(path)] == path for key in described):
            yield from undescribed(value, described, path)
        else:
            yield ".".join(path)


def test_the_schema_is_up_to_date() -> None:
    """`make chart` generates it."""
    assert values_schema() == (CHART / "values.schema.json").read_text(encoding="utf-8"), (
        "run `make chart`"
    )


def test_the_readme_is_up_to_date() -> None:
    """`make chart` generates it."""
    assert readme() == (CHART / "README.md").read_text(encoding="utf-8"), "run `make chart`"


def test_every_key_is_described() -> None:
    """Every key has a description, which both generated files need."""
    described = {key.path for key in keys(CHART / "values.yaml")}
    assert [] == list(undescribed(load(CHART / "values.yaml"), described))


def test_a_key_without_a_description_is_reported(tmp_path: Path) -> None:
    """The check itself fails for a key without a description."""
    (tmp_path / "values.yaml").write_text(
        "# -- Described.\none: 1\npart:\n  # -- Described.\n  two: 2\n  # a remark\n  three: 3\n"
    )
    described = {key.path for key in keys(tmp_path / "values.yaml")}
    assert ["part.three"] == list(undescribed(load(tmp_path / "values.yaml"), described))


def test_the_chart_has_this_version() -> None:
    """The appVersion is the version of the package, and the tag of the image."""
    assert __version__ == load(CHART / "Chart.yaml")["appVersion"]


def test_annotations_are_what_artifact_hub_reads() -> None:
    """Artifact Hub reads texts with its names; the changes are a YAML list in a text."""
    annotations = load(CHART / "Chart.yaml")["annotations"]
    known = {"category", "license", "operator", "prerelease", "containsSecurityUpdates", "changes"}
    assert known == {name.removeprefix("artifacthub.io/") for name in annotations}
    assert all(isinstance(text, str) for text in annotations.values())
    for flag in ("operator", "prerelease", "containsSecurityUpdates"):
        assert annotations[f"artifacthub.io/{flag}"] in {"true", "false"}
    for change in YAML(typ="safe", pure=True).load(annotations["artifacthub.io/changes"]):
        assert {"kind", "description"} == set(change)
        assert change["kind"] in {"added", "changed", "deprecated", "removed", "fixed", "security"}


def test_scenarios_are_many() -> None:
    """Each tells in its first line what it is for."""
    assert len(SCENARIOS) >= 12
    for path in SCENARIOS.values():
        assert path.read_text(encoding="utf-8").startswith("# "), path


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenarios_hold_no_secret(name: str) -> None:
    """Credentials are names of Secrets."""
    credentials = load(SCENARIOS[name])["credentials"]
    allowed = {
        "existingSecret",
        "key",
        "usernameKey",
        "passwordKey",
        "certificateKey",
        "privateKeyKey",
    }
    assert set().union(*credentials.values()) <= allowed
