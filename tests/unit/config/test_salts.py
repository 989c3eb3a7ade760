"""The salt of `hash`: a secret from a file or the environment, without which nothing is mapped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumer.config.effective import lines
from consumer.config.load import inspect, load, load_mapping
from consumer.errors import ConfigFaults

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.config.load import Inspection

ENVIRON = {"SF_CLIENT_SECRET": "made-up", "SALT": "from-the-environment"}
SCHEMA = """\
openapi: 3.0.3
components:
  schemas: {customers: {type: object, properties: {id: {type: string}, name: {type: string}}}}
"""
CONFIGURATION = """\
kafka: {{bootstrap_servers: "localhost:9092", group_id: salts}}
salesforce: {{flow: client_credentials, client_id: id, client_secret: "${{SF_CLIENT_SECRET}}"}}
connector:
  name: shop
  schema_file: connector.yaml
  objects: {{customers: {{primary_key: id, category: other}}}}
routes:
  - topics: [customers]
    object: customers
    fields: {{name: {{from: name, hash: sha256, {salt}}}}}
"""


def written(folder: Path, salt: str) -> Path:
    """Write a configuration whose rule has this salt."""
    (folder / "connector.yaml").write_text(SCHEMA)
    path = folder / "consumer.yaml"
    path.write_text(CONFIGURATION.format(salt=salt))
    return path


def salt_in(found: Inspection) -> str | None:
    """Return the salt that was read."""
    assert found.settings is not None
    salt = found.settings.routes[0].fields["name"].salt
    assert salt is not None
    return salt.value


@pytest.mark.parametrize(
    ("salt", "content", "expected"),
    [
        pytest.param("salt_file: salt", " pepper\n", "pepper", id="file"),
        pytest.param("salt: '${SALT}'", "", "from-the-environment", id="environment"),
    ],
)
def test_salt_is_read_with_the_configuration(
    salt: str, content: str, expected: str, tmp_path: Path
) -> None:
    """A file is relative to the configuration; white space around its text is not the salt."""
    (tmp_path / "salt").write_text(content)
    found = inspect(written(tmp_path, salt), environ=ENVIRON, overrides=[])

    assert expected == salt_in(found)


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff"], ids=["empty", "blank", "not-text"])
def test_file_without_a_salt_is_a_fault(content: bytes, tmp_path: Path) -> None:
    """A hash without its salt is another hash."""
    (tmp_path / "salt").write_bytes(content)
    found = inspect(written(tmp_path, "salt_file: salt"), environ=ENVIRON, overrides=[])

    assert [True] == ["write the salt into it" in fault.text for fault in found.faults]


def test_missing_file_is_a_warning_of_lint_and_a_fault_of_commands_that_map(tmp_path: Path) -> None:
    """The file may be mounted later, but no value may be hashed without it."""
    path = written(tmp_path, "salt_file: salt")
    found = inspect(path, environ=ENVIRON, overrides=[])

    salts = [warning for warning in found.warnings if warning.path.endswith("salt_file")]
    assert [True] == ["does not exist" in warning.text for warning in salts]
    assert ((), None) == (found.faults, salt_in(found))
    for read in (load, load_mapping):
        with pytest.raises(ConfigFaults, match=r"fields\.name\.salt_file: file .* does not exist"):
            read(path, environ=ENVIRON, overrides=[])


def test_salt_is_in_no_listing_and_no_fingerprint(tmp_path: Path) -> None:
    """A fingerprint with the salt could confirm a guessed one."""
    first = inspect(written(tmp_path, "salt: '${SALT}'"), environ=ENVIRON, overrides=[])
    other = inspect(tmp_path / "consumer.yaml", environ=ENVIRON | {"SALT": "another"}, overrides=[])
    assert first.settings is not None
    assert other.settings is not None
    assert first.tree is not None

    assert first.settings.config_sha256 == other.settings.config_sha256
    assert "***" in [line.value for line in lines(first.tree) if line.path.endswith(".salt")]
    assert "from-the-environment" not in repr(first.settings)
