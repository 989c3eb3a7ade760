"""Fingerprint and listing of the effective settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.config.effective import MASK, lines
from consumer.config.load import inspect, load

if TYPE_CHECKING:
    from pathlib import Path

ENVIRON = {"SF_SECRET": "a-secret"}


def sha(path: Path, *options: str, **environ: str) -> str:
    """Return the fingerprint under options and variables."""
    return load(path, environ={**ENVIRON, **environ}, overrides=options).config_sha256


def listed(path: Path, *options: str, **environ: str) -> dict[str, tuple[object, str]]:
    """Return value and origin by path."""
    found = inspect(path, environ={**ENVIRON, **environ}, overrides=options)
    assert found.settings is not None
    assert found.tree is not None
    return {
        line.path: (line.value, line.origin.replace(f"{path.parent}/", ""))
        for line in lines(found.tree)
    }


def test_the_fingerprint_is_the_same_twice(consumer_yaml: Path) -> None:
    """The fingerprint does not depend on time or on the process."""
    assert sha(consumer_yaml) == sha(consumer_yaml)


def test_the_fingerprint_ignores_the_source_of_a_value(consumer_yaml: Path) -> None:
    """The same value from an option is the same configuration."""
    assert sha(consumer_yaml) == sha(consumer_yaml, "kafka.group_id=shop", "delivery.linger=0.5s")


def test_the_fingerprint_ignores_the_folder(consumer_yaml: Path) -> None:
    """A configuration mounted in another folder is the same configuration."""
    elsewhere = consumer_yaml.parent / "elsewhere"
    elsewhere.mkdir()
    for name in ("consumer.yaml", "connector.yaml"):
        (elsewhere / name).write_text(consumer_yaml.with_name(name).read_text("utf-8"), "utf-8")
    assert sha(consumer_yaml) == sha(elsewhere / "consumer.yaml")


def test_the_fingerprint_ignores_secrets(consumer_yaml: Path) -> None:
    """The fingerprint cannot be used to test passwords."""
    with_password = (
        "kafka.properties.sasl.mechanisms=PLAIN",
        "kafka.properties.security.protocol=SASL_SSL",
    )
    first = sha(
        consumer_yaml,
        *with_password,
        DATACLOUD_CONSUMER__KAFKA__PROPERTIES__SASL_USERNAME="u",
        DATACLOUD_CONSUMER__KAFKA__PROPERTIES__SASL_PASSWORD="one",
    )
    second = sha(
        consumer_yaml,
        *with_password,
        DATACLOUD_CONSUMER__KAFKA__PROPERTIES__SASL_USERNAME="u",
        DATACLOUD_CONSUMER__KAFKA__PROPERTIES__SASL_PASSWORD="two",
        SF_SECRET="another",
    )
    assert first == second


def test_the_fingerprint_changes_with_a_setting(consumer_yaml: Path) -> None:
    """A setting of delivery is part of the fingerprint."""
    assert sha(consumer_yaml) != sha(consumer_yaml, "delivery.batch_bytes=100000")


def test_the_fingerprint_changes_with_the_digits_of_a_number(consumer_yaml: Path) -> None:
    """The digits of a constant are sent as written, so 1.5 and 1.50 differ."""
    rule = "routes.0.fields.email.const="
    assert sha(consumer_yaml, f"{rule}1.5") != sha(consumer_yaml, f"{rule}1.50")


def test_the_fingerprint_changes_with_the_schema(consumer_yaml: Path) -> None:
    """The connector's fields are part of the configuration."""
    before = sha(consumer_yaml)
    schema = consumer_yaml.with_name("connector.yaml")
    schema.write_text(schema.read_text("utf-8") + "        more: {type: string}\n", "utf-8")
    assert before != sha(consumer_yaml)


def test_a_value_of_the_file_has_its_line(consumer_yaml: Path) -> None:
    """The source of a value of the file is file, line and column."""
    assert ("shop", "consumer.yaml:3:13") == listed(consumer_yaml)["kafka.group_id"]


def test_a_default_is_listed_as_default(consumer_yaml: Path) -> None:
    """Keys that are not in the file are listed too."""
    assert ("500ms", "default") == listed(consumer_yaml)["delivery.linger"]


def test_the_source_is_the_variable(consumer_yaml: Path) -> None:
    """The source of a key from the environment is its variable."""
    name = "DATACLOUD_CONSUMER__KAFKA__GROUP_ID"
    assert ("x", f"environment variable {name}") == listed(consumer_yaml, **{name: "x"})[
        "kafka.group_id"
    ]


def test_the_source_is_the_option(consumer_yaml: Path) -> None:
    """The source of a key from the command line is the option."""
    assert ("x", "--set kafka.group_id") == listed(consumer_yaml, "kafka.group_id=x")[
        "kafka.group_id"
    ]


def test_a_reference_names_its_variable(consumer_yaml: Path) -> None:
    """A secret is masked; the name of its variable is shown."""
    assert (MASK, "consumer.yaml:8:18, ${SF_SECRET}") == listed(consumer_yaml)[
        "salesforce.client_secret"
    ]


def test_a_secret_property_is_masked(consumer_yaml: Path) -> None:
    """I36: a secret property is masked, also with `debug: all` and from the environment."""
    listing = listed(
        consumer_yaml,
        "kafka.properties.debug=all",
        DATACLOUD_CONSUMER__KAFKA__PROPERTIES__SSL_KEY_PASSWORD="hunter2",
    )
    assert MASK == listing["kafka.properties.ssl.key.password"][0]
    assert "hunter2" not in repr(listing)


def test_no_secret_shows_in_the_settings(consumer_yaml: Path) -> None:
    """The representation of the settings contains no secret."""
    assert "a-secret" not in repr(load(consumer_yaml, environ=ENVIRON, overrides=[]))
