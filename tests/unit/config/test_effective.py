"""What holds in the end: its fingerprint, and its listing."""

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
    """Nothing of the moment is in it."""
    assert sha(consumer_yaml) == sha(consumer_yaml)


def test_the_fingerprint_does_not_know_where_a_value_came_from(consumer_yaml: Path) -> None:
    """The same value by another way is the same configuration."""
    assert sha(consumer_yaml) == sha(consumer_yaml, "kafka.group_id=shop", "delivery.linger=0.5s")


def test_the_fingerprint_does_not_know_the_folder(consumer_yaml: Path) -> None:
    """A configuration that is mounted elsewhere is the same one."""
    elsewhere = consumer_yaml.parent / "elsewhere"
    elsewhere.mkdir()
    for name in ("consumer.yaml", "connector.yaml"):
        (elsewhere / name).write_text(consumer_yaml.with_name(name).read_text("utf-8"), "utf-8")
    assert sha(consumer_yaml) == sha(elsewhere / "consumer.yaml")


def test_the_fingerprint_does_not_know_secrets(consumer_yaml: Path) -> None:
    """Nobody can try passwords against it."""
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
    """A figure that shapes what is sent is in it."""
    assert sha(consumer_yaml) != sha(consumer_yaml, "delivery.batch_bytes=100000")


def test_the_fingerprint_changes_with_the_digits_of_a_number(consumer_yaml: Path) -> None:
    """They are sent as they stand."""
    rule = "routes.0.fields.email.const="
    assert sha(consumer_yaml, f"{rule}1.5") != sha(consumer_yaml, f"{rule}1.50")


def test_the_fingerprint_changes_with_the_schema(consumer_yaml: Path) -> None:
    """The connector's fields are part of the configuration."""
    before = sha(consumer_yaml)
    schema = consumer_yaml.with_name("connector.yaml")
    schema.write_text(schema.read_text("utf-8") + "        more: {type: string}\n", "utf-8")
    assert before != sha(consumer_yaml)


def test_a_value_of_the_file_has_its_line(consumer_yaml: Path) -> None:
    """File, line and column."""
    assert ("shop", "consumer.yaml:3:13") == listed(consumer_yaml)["kafka.group_id"]


def test_a_default_is_called_one(consumer_yaml: Path) -> None:
    """What nobody wrote is listed too."""
    assert ("500ms", "default") == listed(consumer_yaml)["delivery.linger"]


def test_a_variable_s_key_names_it(consumer_yaml: Path) -> None:
    """A key from the environment."""
    name = "DATACLOUD_CONSUMER__KAFKA__GROUP_ID"
    assert ("x", f"environment variable {name}") == listed(consumer_yaml, **{name: "x"})[
        "kafka.group_id"
    ]


def test_an_option_is_named(consumer_yaml: Path) -> None:
    """A key from the command line."""
    assert ("x", "--set kafka.group_id") == listed(consumer_yaml, "kafka.group_id=x")[
        "kafka.group_id"
    ]


def test_a_reference_names_its_variable(consumer_yaml: Path) -> None:
    """A secret is masked, its variable is not."""
    assert (MASK, "consumer.yaml:8:18, ${SF_SECRET}") == listed(consumer_yaml)[
        "salesforce.client_secret"
    ]


def test_a_secret_property_is_masked(consumer_yaml: Path) -> None:
    """I36: also under `debug: all` and wherever it came from."""
    listing = listed(
        consumer_yaml,
        "kafka.properties.debug=all",
        DATACLOUD_CONSUMER__KAFKA__PROPERTIES__SSL_KEY_PASSWORD="hunter2",
    )
    assert MASK == listing["kafka.properties.ssl.key.password"][0]
    assert "hunter2" not in repr(listing)


def test_no_secret_shows_in_the_settings(consumer_yaml: Path) -> None:
    """A settings value that is printed by accident shows none."""
    assert "a-secret" not in repr(load(consumer_yaml, environ=ENVIRON, overrides=[]))
