"""Read CustomResourceDefinitions from the Go modules that publish them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from tests.kubernetes.tools import DEFINITIONS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kubernetes.chart import Manifest


def definitions() -> list[Manifest] | None:
    """Return the definitions; None where they were not fetched."""
    paths = [path for wanted in DEFINITIONS for path in wanted.paths]
    if not all(path.exists() for path in paths):
        return None
    return [YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")) for path in paths]


def write_schemas(found: list[Manifest], folder: Path) -> None:
    """Write one JSON Schema per kind and version, as `kubeconform` looks for them."""
    for definition in (manifest["spec"] for manifest in found):
        for version in definition["versions"]:
            schema = _strict(version["schema"]["openAPIV3Schema"])
            name = f"{definition['names']['kind'].lower()}_{version['name']}.json"
            (folder / name).write_text(json.dumps(schema), encoding="utf-8")


def _strict(schema: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """Refuse keys that a definition does not have; the API server would drop them silently."""
    if isinstance(schema, list):
        return [_strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {name: _strict(part) for name, part in schema.items()}
    if (
        isinstance(schema.get("properties"), dict)
        and "x-kubernetes-preserve-unknown-fields" not in schema
    ):
        strict.setdefault("additionalProperties", False)
    return strict
