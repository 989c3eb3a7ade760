"""Generate values.schema.json and README.md of the chart from values.yaml (`make chart`)."""

from __future__ import annotations

import json
from typing import Any, Final

from consumer.config import documents
from tests.kubernetes.chart import CHART
from tests.kubernetes.values_file import Key, keys

GIVEN_BY_THE_CHART: Final = {"connector": "schema_file", "salesforce": "client_id"}
"""Required keys of the configuration that the chart can set, by section."""

_INTRODUCTION: Final = """# datacloud-consumer

Runs [datacloud-consumer](../../README.md), which sends Kafka topics to Data 360 (formerly Data
Cloud), on Kubernetes. [docs/kubernetes.md](../../docs/kubernetes.md) shows how to install it, step
by step. The folder [ci](ci) contains example values.

`make chart` generates this file from [values.yaml](values.yaml). Types and ranges are in
[values.schema.json](values.schema.json). Helm validates `config` with the schema of the daemon
before it installs anything.

| key | default | meaning |
|---|---|---|
"""


def values_schema() -> str:
    """Return the JSON Schema that Helm validates values with."""
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Values of the chart datacloud-consumer",
        **_closed(),
    }
    schema["properties"]["global"] = {"type": "object"}
    for key in keys(CHART / "values.yaml"):
        _place(schema, key)
    schema["properties"]["config"] |= {"if": {"minProperties": 1}, "then": _configuration()}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def readme() -> str:
    """Return the chart's README."""
    return _INTRODUCTION + "".join(
        f"| `{'.'.join(key.path)}` | {_shown(key.default)} | {key.description} |\n"
        for key in keys(CHART / "values.yaml")
    )


def _closed() -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": {}}


def _place(schema: dict[str, Any], key: Key) -> None:
    """Add a key to the schema; the sections above it accept no undescribed keys."""
    for name in key.path[:-1]:
        schema = schema["properties"].setdefault(name, _closed())
    schema["properties"][key.path[-1]] = key.schema


def _configuration() -> dict[str, Any]:
    """Return the daemon's schema without the keys that the chart sets."""
    schema: dict[str, Any] = documents.json_schema()
    return {
        **{name: part for name, part in schema.items() if name not in {"$schema", "title"}},
        "properties": {name: _filled_in(name, part) for name, part in schema["properties"].items()},
    }


def _filled_in(name: str, part: dict[str, Any]) -> dict[str, Any]:
    given = GIVEN_BY_THE_CHART.get(name)
    return (
        part
        if given is None
        else {**part, "required": [key for key in part["required"] if key != given]}
    )


def _shown(default: Any) -> str:  # noqa: ANN401 - any YAML value
    return "" if default in ("", None, [], {}) else f"`{json.dumps(default)}`"


def _write() -> None:
    (CHART / "values.schema.json").write_text(values_schema(), encoding="utf-8")
    (CHART / "README.md").write_text(readme(), encoding="utf-8")


if __name__ == "__main__":
    _write()
