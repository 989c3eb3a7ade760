"""Definitions of other people's kinds, as their own Go modules carry them: nothing of them is kept here."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML


@dataclass(frozen=True)
class Module:
    """A Go module and the definitions in it that the chart or its documentation use."""

    name: str
    folder: str
    files: tuple[str, ...]


MODULES: Final = (
    Module(
        "github.com/prometheus-operator/prometheus-operator@v0.85.0",
        "example/prometheus-operator-crd",
        tuple(
            f"monitoring.coreos.com_{kind}.yaml" for kind in ("servicemonitors", "podmonitors", "prometheusrules")
        ),
    ),
    Module(
        "github.com/kedacore/keda/v2@v2.21.0",
        "config/crd/bases",
        ("keda.sh_scaledobjects.yaml", "keda.sh_triggerauthentications.yaml"),
    ),
    Module(
        "github.com/external-secrets/external-secrets@v1.3.2",
        "config/crds/bases",
        ("external-secrets.io_externalsecrets.yaml", "external-secrets.io_clustersecretstores.yaml"),
    ),
)


def files() -> list[Path]:
    """Return the definitions on disk; Go fetches a module once and holds it against the checksum database."""
    return [_folder(module) / name for module in MODULES for name in module.files]


def write_schemas(folder: Path) -> Path:
    """Write one JSON Schema per kind and version, as `kubeconform` looks for them."""
    for path in files():
        definition = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))["spec"]
        for version in definition["versions"]:
            schema = _strict(version["schema"]["openAPIV3Schema"])
            name = f"{definition['names']['kind'].lower()}_{version['name']}.json"
            (folder / name).write_text(json.dumps(schema), encoding="utf-8")
    return folder


def _folder(module: Module) -> Path:
    answer = subprocess.run(
        ["go", "mod", "download", "-json", module.name],  # noqa: S607 - where Go is, is the machine's choice
        env={**os.environ, "GOWORK": "off"},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    return Path(json.loads(answer.stdout)["Dir"]) / module.folder


def _strict(schema: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """Refuse keys that a definition does not know, which the API server would drop without a word."""
    if isinstance(schema, list):
        return [_strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {name: _strict(part) for name, part in schema.items()}
    if isinstance(schema.get("properties"), dict) and "x-kubernetes-preserve-unknown-fields" not in schema:
        strict.setdefault("additionalProperties", False)
    return strict
