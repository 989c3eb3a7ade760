"""The type of the schema registry decides which keys it has, and which client reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumer.config.load import inspect, load_mapping
from consumer.registry.settings import GlueSettings, RegistrySettings
from tests.unit.docs.tables import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.config.load import Inspection

ENVIRON = {"SF_CLIENT_ID": "an-app", "SF_CLIENT_SECRET": "a-secret"}


def written(folder: Path, section: str) -> Path:
    """Write the smallest configuration with a section for the registry."""
    text = (ROOT / "config" / "minimal.yaml").read_text("utf-8")
    path = folder / "consumer.yaml"
    group = "  group_id: datacloud-consumer\n"
    path.write_text(text.replace(group, f"{group}  schema_registry: {section}\n"))
    with path.open("a") as file:
        file.write("    encoding: avro\n")
    (folder / "connector.yaml").write_text((ROOT / "config" / "connector.yaml").read_text("utf-8"))
    return path


def found(folder: Path, section: str) -> Inspection:
    return inspect(written(folder, section), environ=ENVIRON, overrides=[])


def test_glue_needs_a_region(tmp_path: Path) -> None:
    """And nothing else: credentials come from the process."""
    inspected = found(tmp_path, "{type: glue, region: us-gov-west-1}")
    assert inspected.settings is not None
    assert GlueSettings(region="us-gov-west-1") == inspected.settings.registry
    assert "glue" == inspected.settings.registry_type


@pytest.mark.parametrize("kind", ["", "type: confluent, "])
def test_confluent_is_the_default(kind: str, tmp_path: Path) -> None:
    """With its address."""
    inspected = found(tmp_path, f"{{{kind}url: https://registry.example.com}}")
    assert inspected.settings is not None
    assert RegistrySettings(url="https://registry.example.com") == inspected.settings.registry
    assert "confluent" == inspected.settings.registry_type


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it, before a record is read."""
    monkeypatch.setattr(
        "consumer.extras.find_spec", lambda name: None if name == "botocore" else name
    )
    faults = found(tmp_path, "{type: glue, region: eu-west-1}").faults
    assert [
        "`glue` needs an extra that is not installed; pip install datacloud-consumer[glue]"
    ] == [fault.text for fault in faults]
    assert ["kafka.schema_registry.type"] == [fault.path for fault in faults]


@pytest.mark.parametrize(
    ("section", "kind"),
    [
        ("{type: glue}", "glue"),
        ("{type: glue, region: '${NOT_SET}'}", "glue"),
        ("{url: '${NOT_SET}'}", "confluent"),
        ("[]", "confluent"),
        ("null", "confluent"),
    ],
)
def test_mapping_reads_only_the_type(section: str, kind: str, tmp_path: Path) -> None:
    """The rest of the section is not checked, and nothing of it is expanded."""
    settings = load_mapping(written(tmp_path, section), environ={}, overrides=[])
    assert kind == settings.registry_type


def test_the_type_may_come_from_an_override(tmp_path: Path) -> None:
    """As every other value."""
    path = written(tmp_path, "{region: eu-west-1}")
    settings = load_mapping(path, environ={}, overrides=["kafka.schema_registry.type=glue"])
    assert "glue" == settings.registry_type
