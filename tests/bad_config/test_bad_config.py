"""Each file beside this one holds one mistake.

Its first lines are what must be said about it, to the letter.
"""

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
    """Read the header lines of one word."""
    lines = path.read_text("utf-8").splitlines()
    return [line.removeprefix(f"# {word}: ") for line in lines if line.startswith(f"# {word}: ")]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_mistake_is_said_where_it_is(path: Path) -> None:
    """The faults and warnings of a file are exactly the ones in its header, in this order."""
    found = inspect(path, environ=ENVIRON, overrides=[])
    said = [str(fault).replace(f"{FOLDER}/", "") for fault in found.faults]
    warned = [str(warning).replace(f"{FOLDER}/", "") for warning in found.warnings]
    assert (expected(path, "expect"), expected(path, "warning")) == (said, warned)
    assert (found.settings is None) == bool(said)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_file_expects_something(path: Path) -> None:
    """A file without a header would prove nothing."""
    assert expected(path, "expect") + expected(path, "warning")


@pytest.mark.holds("I17")
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_no_secret_is_repeated(path: Path) -> None:
    """Neither a secret of the environment nor one written into the file shows in a finding."""
    found = inspect(path, environ=ENVIRON, overrides=[])
    text = "\n".join(map(str, found.faults + found.warnings))
    assert not [secret for secret in ("a-secret", "hunter") if secret in text]


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
def test_a_mistake_of_a_connector_schema_is_said_where_it_is(path: Path) -> None:
    """The findings of a schema file are exactly the ones in its header, in this order."""
    findings = Findings()
    tried(read_connector_schema, path, findings, Location("consumer.yaml", 1, 1))
    folder = f"{FOLDER}/schemas/"
    said = [str(fault).replace(folder, "") for fault in findings.faults]
    warned = [str(warning).replace(folder, "") for warning in findings.warnings]
    assert (expected(path, "expect"), expected(path, "warning")) == (said, warned)
    assert said + warned
