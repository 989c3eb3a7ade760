"""The chart's written files are up to date, and every key of values.yaml is told of."""

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


def untold(
    values: dict[str, Any], told: set[tuple[str, ...]], at: tuple[str, ...] = ()
) -> Iterator[str]:
    """Yield the keys of which nothing is said, neither of themselves nor of what they are in."""
    for name, value in values.items():
        path = (*at, name)
        if path in told:
            continue
        if isinstance(value, dict) and any(key[: len(path)] == path for key in told):
            yield from untold(value, told, path)
        else:
            yield ".".join(path)


def test_schema_is_what_the_values_and_the_configuration_say() -> None:
    """`make chart` writes it."""
    assert values_schema() == (CHART / "values.schema.json").read_text(encoding="utf-8"), (
        "run `make chart`"
    )


def test_readme_is_what_the_values_say() -> None:
    """`make chart` writes it."""
    assert readme() == (CHART / "README.md").read_text(encoding="utf-8"), "run `make chart`"


def test_every_key_is_told_of() -> None:
    """A key without a sentence would be missing in both files."""
    told = {key.path for key in keys(CHART / "values.yaml")}
    assert [] == list(untold(load(CHART / "values.yaml"), told))


def test_a_key_without_a_sentence_is_seen(tmp_path: Path) -> None:
    """The reader itself is red on one."""
    (tmp_path / "values.yaml").write_text(
        "# -- Told.\none: 1\npart:\n  # -- Told.\n  two: 2\n  # a remark\n  three: 3\n"
    )
    told = {key.path for key in keys(tmp_path / "values.yaml")}
    assert ["part.three"] == list(untold(load(tmp_path / "values.yaml"), told))


def test_the_chart_is_of_this_version() -> None:
    """Its appVersion is the tag of the image."""
    assert __version__ == load(CHART / "Chart.yaml")["appVersion"]


def test_annotations_are_what_artifact_hub_reads() -> None:
    """Texts under its names; the changes are a list in a text, each of a kind that it knows."""
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
