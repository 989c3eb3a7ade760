"""The JSON Schema of the file accepts the same files as the program, and refuses wrong shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from consumer.config.documents import json_schema
from consumer.config.load import inspect

ROOT = Path(__file__).parents[3]
VALIDATOR = Draft202012Validator(json_schema())
GOOD = sorted(
    path
    for path in (ROOT / "config").glob("*.yaml")
    if "connector" not in path.name and ".test." not in path.name
)
MISTAKES = sorted((ROOT / "tests" / "bad_config").glob("*.yaml"))
OF_SHAPE = ("unknown key", "required; expected", "expected ")
"""First words of messages about the shape of a file, which a JSON Schema can check."""


BEYOND = {
    "I42-acks",  # the properties of librdkafka are checked by the client
    "admin-listen-port-too-high",  # the parts of an address
    "broker-port-too-high",
    "broker-with-http",
    "broker-without-port-number",
    "registry-without-url",  # required by another key
    "duration-too-long",  # an amount with a unit
    "I18-batch-bytes-binary-unit",
}
"""Wrong values that a JSON Schema cannot detect."""


def content(path: Path) -> Any:  # noqa: ANN401 - any YAML value
    """Read a file as an editor does; `None` when it is not valid YAML."""
    try:
        return YAML(typ="safe", pure=True).load(path.read_text("utf-8"))
    except (YAMLError, RecursionError, ValueError):
        return None


def faults_of_shape(path: Path) -> list[str]:
    """Return the faults of a file that concern only its shape."""
    found = inspect(path, environ={"SF_SECRET": "s", "EMPTY": ""}, overrides=[])
    return [
        fault.text
        for fault in found.faults
        if fault.place.source == str(path) and fault.text.startswith(OF_SHAPE)
    ]


def test_it_is_a_schema() -> None:
    """It is valid by the meta-schema of its dialect."""
    Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.name)
def test_examples_are_valid(path: Path) -> None:
    """An editor marks nothing in a file that the program accepts."""
    assert [] == [error.message for error in VALIDATOR.iter_errors(content(path))]


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in MISTAKES
        if path.stem not in BEYOND and content(path) and faults_of_shape(path)
    ],
    ids=lambda path: path.stem,
)
def test_mistakes_of_shape_are_refused(path: Path) -> None:
    """Unknown keys, missing keys, wrong types and words outside of a list are refused."""
    assert not VALIDATOR.is_valid(content(path))


def test_enough_mistakes_are_of_shape() -> None:
    """The test above has at least 35 files to check."""
    assert 35 <= sum(1 for path in MISTAKES if content(path) and faults_of_shape(path))


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in MISTAKES
        if not inspect(path, environ={"SF_SECRET": "s", "EMPTY": ""}, overrides=[]).faults
    ],
    ids=lambda path: path.stem,
)
def test_a_file_with_only_warnings_is_valid(path: Path) -> None:
    """The schema is never stricter than the program."""
    assert [] == [error.message for error in VALIDATOR.iter_errors(content(path))]
