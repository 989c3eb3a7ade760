"""Prepare the strict Kubernetes schemas of the package `kubernetes-validate`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KINDS: Final = (
    "configmap-v1",
    "deployment-apps-v1",
    "horizontalpodautoscaler-autoscaling-v2",
    "namespace-v1",
    "networkpolicy-networking-v1",
    "pod-v1",
    "poddisruptionbudget-policy-v1",
    "secret-v1",
    "service-v1",
    "serviceaccount-v1",
    "statefulset-apps-v1",
)
_DEFINED: Final = "#/$defs/"


def write(package: Path, folder: Path) -> None:
    """Write the schemas of one version to a folder, so that each kind is one file."""
    definitions = json.loads((package / "_definitions.json").read_text(encoding="utf-8"))["$defs"]
    for kind in KINDS:
        schema = json.loads((package / f"{kind}.json").read_text(encoding="utf-8"))
        needed: dict[str, Any] = {}
        _bulk_batch(schema, definitions, needed)
        text = json.dumps({**schema, "definitions": needed})
        (folder / f"{kind}.json").write_text(
            text.replace(f"/api/_definitions.json{_DEFINED}", "#/definitions/").replace(
                _DEFINED, "#/definitions/"
            ),
            encoding="utf-8",
        )


def _bulk_batch(schema: Any, definitions: dict[str, Any], needed: dict[str, Any]) -> None:  # noqa: ANN401 - any part
    for name in _named(schema):
        if name not in needed:
            needed[name] = definitions[name]
            _bulk_batch(definitions[name], definitions, needed)


def _named(schema: Any) -> Iterator[str]:  # noqa: ANN401 - any part of a schema
    if isinstance(schema, dict):
        for name, part in schema.items():
            if name == "$ref" and isinstance(part, str):
                yield part.rpartition(_DEFINED)[2]
            else:
                yield from _named(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _named(part)
