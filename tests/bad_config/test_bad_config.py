"""Each file in this folder has a mistake, and its first lines are the exact expected findings."""

from __future__ import annotations

from pathlib import Path

import pytest

from consumer.config.connector_schema import read_connector_schema
from consumer.config.findings import Findings, Location, tried
from consumer.config.load import inspect

FOLDER = Path(__file__).parent
CONFIGS = sorted(path for path in FOLDER.glob("*.yaml") if path.name != "connector.yaml")
SCHEMAS = sorted((FOLDER / "schemas").glob("*.yaml"))
ENVIRON = {"SF_SECRET": "a-secret", "EMPTY": ""}


def expected(path: Path, word: str) -> list[str]:
    """Return the expected findings of one kind from the header of a file."""
    lines = path.read_text("utf-8").splitlines()
    return [line.removeprefix(f"# {word}: ") for line in lines if line.startswith(f"# {word}: ")]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_mistake_is_reported_with_its_place(path: Path) -> None:
    """The faults and warnings of a file are exactly the ones in its header, in this order."""
    found = inspect(path, environ=ENVIRON, overrides=[])
    faults = [str(fault).replace(f"{FOLDER}/", "") for fault in found.faults]
    warnings = [str(warning).replace(f"{FOLDER}/", "") for warning in found.warnings]
    assert (expected(path, "expect"), expected(path, "warning")) == (faults, warnings)
    assert (found.settings is None) == bool(faults)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_file_expects_something(path: Path) -> None:
    """Every file expects at least one finding."""
    assert expected(path, "expect") + expected(path, "warning")


@pytest.mark.holds("I17")
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_no_secret_is_shown(path: Path) -> None:
    """No finding contains a secret from the environment or from the file."""
    found = inspect(path, environ=ENVIRON, overrides=[])
    text = "\n".join(map(str, found.faults + found.warnings))
    assert not [secret for secret in ("a-secret", "hunter") if secret in text]


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
def test_a_mistake_in_a_connector_schema_is_reported_with_its_place(path: Path) -> None:
    """The findings of a schema file are exactly the ones in its header, in this order."""
    findings = Findings()
    tried(read_connector_schema, path, findings, Location("consumer.yaml", 1, 1))
    folder = f"{FOLDER}/schemas/"
    faults = [str(fault).replace(folder, "") for fault in findings.faults]
    warnings = [str(warning).replace(folder, "") for warning in findings.warnings]
    assert (expected(path, "expect"), expected(path, "warning")) == (faults, warnings)
    assert faults + warnings
