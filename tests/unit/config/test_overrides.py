"""Precedence of `--set`, environment, file and default."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumer.config.load import inspect, load

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.config.settings import Settings

SECRET = {"SF_SECRET": "a-secret"}
GROUP = "DATACLOUD_CONSUMER__KAFKA__GROUP_ID"


def loaded(path: Path, *options: str, **environ: str) -> Settings:
    """Load with options and variables."""
    return load(path, environ={**SECRET, **environ}, overrides=options)


def faults(path: Path, *options: str, **environ: str) -> list[str]:
    """Return the faults under options and variables."""
    return [
        str(fault)
        for fault in inspect(path, environ={**SECRET, **environ}, overrides=options).faults
    ]


def test_without_overrides_the_file_counts(consumer_yaml: Path) -> None:
    """Without overrides the value is the one in the file."""
    assert loaded(consumer_yaml).kafka.group_id == "shop"


def test_the_environment_goes_before_the_file(consumer_yaml: Path) -> None:
    """A variable replaces the file's value."""
    assert loaded(consumer_yaml, **{GROUP: "from-environment"}).kafka.group_id == "from-environment"


def test_the_option_goes_before_the_environment(consumer_yaml: Path) -> None:
    """`--set` replaces the values of both."""
    settings = loaded(consumer_yaml, "kafka.group_id=from-option", **{GROUP: "from-environment"})
    assert settings.kafka.group_id == "from-option"


def test_the_last_option_of_a_key_counts(consumer_yaml: Path) -> None:
    """A repeated option replaces the earlier one, such as that of a wrapper script."""
    assert loaded(consumer_yaml, "kafka.group_id=a", "kafka.group_id=b").kafka.group_id == "b"


def test_a_section_that_the_file_lacks_is_created(consumer_yaml: Path) -> None:
    """A key can be set if its section is not in the file."""
    assert loaded(consumer_yaml, "delivery.linger=2s").delivery.linger_s == 2.0


def test_numbers_may_look_like_text_keys(consumer_yaml: Path) -> None:
    """Variables have no types: a group id of digits is text."""
    assert loaded(consumer_yaml, **{GROUP: "42"}).kafka.group_id == "42"


def test_a_value_may_hold_equals_signs(consumer_yaml: Path) -> None:
    """Only the first equals sign separates path and value."""
    assert loaded(consumer_yaml, "salesforce.client_id=3MVG=x=").salesforce.client_id == "3MVG=x="


def test_a_property_keeps_its_dots(consumer_yaml: Path) -> None:
    """Below kafka.properties the rest of the path is one name."""
    settings = loaded(consumer_yaml, "kafka.properties.session.timeout.ms=30000")
    assert settings.kafka.properties["session.timeout.ms"] == "30000"


def test_a_property_by_its_variable(consumer_yaml: Path) -> None:
    """An underscore in the variable is a dot in the property."""
    settings = loaded(
        consumer_yaml, DATACLOUD_CONSUMER__KAFKA__PROPERTIES__SESSION_TIMEOUT_MS="30000"
    )
    assert settings.kafka.properties["session.timeout.ms"] == "30000"


def test_an_entry_of_a_list(consumer_yaml: Path) -> None:
    """Entries are numbered, after a dot or in brackets."""
    assert loaded(consumer_yaml, "routes.0.topics.0=other").routes[0].topics == ("other",)
    assert loaded(consumer_yaml, "routes[0].topics[0]=other").routes[0].topics == ("other",)


def test_an_entry_of_a_list_by_its_variable(consumer_yaml: Path) -> None:
    """Entries are numbered in variables too."""
    settings = loaded(consumer_yaml, DATACLOUD_CONSUMER__ROUTES__0__DELETES="ignore")
    assert settings.routes[0].deletes == "ignore"


def test_a_whole_list(consumer_yaml: Path) -> None:
    """A value in brackets is a list."""
    assert loaded(consumer_yaml, "routes.0.topics=[a, b]").routes[0].topics == ("a", "b")


def test_a_whole_mapping(consumer_yaml: Path) -> None:
    """A value in braces is a mapping."""
    settings = loaded(consumer_yaml, "routes.0.fields.email={from: mail, lower: true}")
    assert (
        settings.routes[0].fields["email"].source,
        settings.routes[0].fields["email"].lower,
    ) == ("mail", True)


def test_the_user_s_own_keys_keep_their_case(consumer_yaml: Path) -> None:
    """A variable matches an object of the file without regard to case."""
    text = (
        consumer_yaml.read_text("utf-8")
        .replace("customers:", "Customers:")
        .replace("object: c", "object: C")
    )
    consumer_yaml.write_text(text, "utf-8")
    schema = consumer_yaml.with_name("connector.yaml")
    schema.write_text(schema.read_text("utf-8").replace("customers:", "Customers:"), "utf-8")
    settings = loaded(
        consumer_yaml, DATACLOUD_CONSUMER__CONNECTOR__OBJECTS__CUSTOMERS__CATEGORY="other"
    )
    assert settings.connector.objects["Customers"].category == "other"


def test_null_removes_an_optional_key(consumer_yaml: Path) -> None:
    """An override with null removes an optional key."""
    settings = loaded(consumer_yaml, "connector.objects.customers.record_modified=null")
    assert settings.connector.objects["customers"].record_modified is None


def test_a_secret_may_come_from_its_own_variable(consumer_yaml: Path) -> None:
    """A secret in the variable of its key is used as it is, with brackets and references."""
    settings = loaded(consumer_yaml, DATACLOUD_CONSUMER__SALESFORCE__CLIENT_SECRET="[${x}")
    assert settings.salesforce.client_secret is not None
    assert settings.salesforce.client_secret.value == "[${x}"


def test_a_secret_on_the_command_line_is_refused(consumer_yaml: Path) -> None:
    """A secret in an option is refused, because all users of a machine can read its processes."""
    [fault] = faults(consumer_yaml, "salesforce.client_secret=hunter2")
    assert fault.startswith(
        "--set salesforce.client_secret: salesforce.client_secret: a secret must not be written as"
        " text"
    )
    assert "hunter2" not in fault


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (
            "kafka.grup_id=x",
            "--set kafka.grup_id: kafka.grup_id: unknown key `grup_id`; did you mean `group_id`?",
        ),
        (
            "delivery.batch_bytes=300000",
            (
                "--set delivery.batch_bytes: delivery.batch_bytes: expected at most 200000 bytes"
                " (the limit of an Ingestion API request), got `300000`"
            ),
        ),
        (
            "routes.7.object=x",
            (
                "--set routes.7.object: routes.7.object: expected the number of an entry, 0 to 0,"
                " or 1 for a new one; got `7`"
            ),
        ),
        (
            "kafka.group_id.x=1",
            (
                "--set kafka.group_id.x: kafka.group_id.x: `x` cannot be set: expected a mapping"
                " above it, got `shop`"
            ),
        ),
        (
            "routes.0.topics=[a",
            (
                "--set routes.0.topics: routes.0.topics: not valid YAML; write a list as [a, b],"
                " a mapping as {key: value}"
            ),
        ),
    ],
)
def test_a_wrong_option_is_named(consumer_yaml: Path, option: str, said: str) -> None:
    """The place of a fault in an option is the option."""
    assert [said] == faults(consumer_yaml, option)


@pytest.mark.parametrize("option", ["hunter2", "=hunter2", "hunter2=", "aHVudGVyMg==", "a hunter2"])
def test_text_without_a_path_is_not_shown(consumer_yaml: Path, option: str) -> None:
    """It may be a secret whose path was forgotten."""
    assert [
        "--set: config: expected path=value, such as kafka.group_id=x, got text without a path"
    ] == faults(consumer_yaml, option)


def test_a_wrong_variable_is_named(consumer_yaml: Path) -> None:
    """A misspelt variable is a fault."""
    assert [
        (
            "environment variable DATACLOUD_CONSUMER__DELIVERY__LINGERS: delivery.lingers:"
            " unknown key `lingers`; did you mean `linger`?"
        )
    ] == faults(consumer_yaml, DATACLOUD_CONSUMER__DELIVERY__LINGERS="1s")


def test_other_variables_are_ignored(consumer_yaml: Path) -> None:
    """The variable that names the file, and unrelated variables, are not keys."""
    assert [] == faults(
        consumer_yaml, DATACLOUD_CONSUMER_CONFIG="x", PATH="/bin", DATACLOUD_CONSUMER__="x"
    )
