"""Load a whole file into settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from consumer.config.load import inspect, load
from consumer.config.routes import TOMBSTONES_BY_FORMAT
from consumer.dead_letter.settings import DeadLetterSettings
from consumer.delivery.settings import DeliverySettings
from consumer.errors import ConfigFaults
from consumer.mapping.settings import FieldType

if TYPE_CHECKING:
    from consumer.config.settings import Settings

ROOT = Path(__file__).parents[3]
ENVIRON = {"SF_SECRET": "a-secret", "SF_CLIENT_ID": "an-app", "SF_CLIENT_SECRET": "a-secret"}


def loaded(path: Path, *options: str) -> Settings:
    """Load a valid file."""
    return load(path, environ=ENVIRON, overrides=options)


def test_defaults_are_those_of_the_packages(consumer_yaml: Path) -> None:
    """The defaults in the table of keys equal the defaults of the settings records."""
    settings = loaded(consumer_yaml)
    assert (DeliverySettings(), DeadLetterSettings()) == (settings.delivery, settings.dead_letter)


def test_the_admin_port_is_on_by_default(consumer_yaml: Path) -> None:
    """Health is served on a loopback address."""
    settings = loaded(consumer_yaml)
    assert (settings.admin.host, settings.admin.port) == ("127.0.0.1", 8080)


def test_the_admin_port_can_be_off(consumer_yaml: Path) -> None:
    """`off` is a word in YAML 1.2, not a boolean."""
    assert loaded(consumer_yaml, "admin.listen=off").admin.host is None


def test_an_ipv6_address_is_accepted(consumer_yaml: Path) -> None:
    """Brackets separate the colons of an IPv6 address from the port."""
    settings = loaded(consumer_yaml, "admin.listen=[::1]:9000")
    assert (settings.admin.host, settings.admin.port) == ("::1", 9000)


def test_all_faults_are_raised_at_once(consumer_yaml: Path) -> None:
    """`load` raises all faults, one line each."""
    with pytest.raises(ConfigFaults) as raised:
        loaded(consumer_yaml, "delivery.in_flight=0", "log.level=loud", "kafka.start_at=never")
    assert len(raised.value.faults) == 3


def test_warnings_come_with_the_settings(consumer_yaml: Path) -> None:
    """I36: `debug` is accepted with a warning."""
    settings = loaded(consumer_yaml, "kafka.properties.debug=all")
    assert settings.kafka.properties["debug"] == "all"
    [warning] = settings.warnings
    assert warning == (
        "--set kafka.properties.debug: kafka.properties.debug: debug makes the Kafka client log a"
        " lot; remove it when you are done"
    )


def test_the_file_is_not_touched(consumer_yaml: Path) -> None:
    """Loading does not change the file."""
    before = consumer_yaml.read_bytes()
    loaded(consumer_yaml)
    assert before == consumer_yaml.read_bytes()


def test_topics_of_all_routes_are_subscribed_once(consumer_yaml: Path) -> None:
    """A topic may occur in several routes."""
    route = "{topics: [shop.public.customers, other], format: json, object: customers}"
    assert loaded(consumer_yaml, f"routes.1={route}").kafka.topics == (
        "shop.public.customers",
        "other",
    )


@pytest.mark.parametrize(
    ("written", "start"),
    [
        ("latest", "latest"),
        ("2026-01-31T00:00:00Z", 1769817600000),
        ("2026-01-31T01:00:00.5+01:00", 1769817600500),
    ],
)
def test_start_at(consumer_yaml: Path, written: str, start: object) -> None:
    """A start is a word, or a time in milliseconds since the epoch."""
    assert start == loaded(consumer_yaml, f"kafka.start_at={written}").kafka.start_at


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("500ms", 0.5), ("30s", 30.0), ("5m", 300.0), ("0.5s", 0.5), ("0ms", 0.0)],
)
def test_durations(consumer_yaml: Path, written: str, seconds: float) -> None:
    """A duration is a number with a unit."""
    assert seconds == loaded(consumer_yaml, f"delivery.linger={written}").delivery.linger_s


@pytest.mark.parametrize(
    ("written", "size"),
    [("200000", 200_000), ("200KB", 200_000), ("64MiB", 67_108_864), ("1GB", 1_000_000_000)],
)
def test_sizes(consumer_yaml: Path, written: str, size: int) -> None:
    """KB is decimal, KiB binary."""
    assert size == loaded(consumer_yaml, f"delivery.buffer_bytes={written}").delivery.buffer_bytes


@pytest.mark.parametrize(("name", "tombstones"), [("json", "dead_letter"), ("debezium", "ignore")])
def test_tombstones_by_format(consumer_yaml: Path, name: str, tombstones: str) -> None:
    """A04: the format decides about a null value if the route does not."""
    assert tombstones == loaded(consumer_yaml, f"routes.0.format={name}").routes[0].tombstones


def test_a_flat_tombstone_is_a_delete() -> None:
    """debezium_flat is the only format whose null value is a delete by default."""
    assert TOMBSTONES_BY_FORMAT["debezium_flat"] == "delete"


def test_brokers_as_a_list(consumer_yaml: Path) -> None:
    """A list and commas mean the same."""
    assert (
        loaded(consumer_yaml, "kafka.bootstrap_servers=[a:1, b:2]").kafka.bootstrap_servers
        == "a:1,b:2"
    )


def test_brokers_with_commas(consumer_yaml: Path) -> None:
    """Spaces around commas are ignored."""
    assert (
        loaded(consumer_yaml, "kafka.bootstrap_servers=a:1, b:2").kafka.bootstrap_servers
        == "a:1,b:2"
    )


def test_agreeing_properties_are_left_to_the_daemon(consumer_yaml: Path) -> None:
    """A property that the daemon sets itself may be written, and is dropped."""
    settings = loaded(
        consumer_yaml,
        "kafka.properties.isolation.level=read_committed",
        "kafka.properties.acks=all",
    )
    assert settings.kafka.properties == {"security.protocol": "SSL"}


def test_boolean_properties_are_librdkafka_s(consumer_yaml: Path) -> None:
    """A boolean of YAML becomes the lower-case text that librdkafka reads."""
    text = consumer_yaml.read_text("utf-8").replace("SSL}", "SSL, socket.keepalive.enable: True}")
    consumer_yaml.write_text(text, "utf-8")
    assert loaded(consumer_yaml).kafka.properties["socket.keepalive.enable"] == "true"


def test_drain_timeout_bounds_a_revocation(consumer_yaml: Path) -> None:
    """The Kafka settings contain the drain timeout."""
    assert loaded(consumer_yaml, "delivery.drain_timeout=30s").kafka.drain_timeout_s == 30.0


def test_a_consumer_protocol_group_has_its_session_at_the_broker(consumer_yaml: Path) -> None:
    """With group.protocol=consumer the broker sets the session timeout, so it is not compared."""
    settings = loaded(
        consumer_yaml, "kafka.properties.group.protocol=consumer", "delivery.drain_timeout=50s"
    )
    assert settings.delivery.drain_timeout_s == 50.0


def test_the_object_has_its_schema_in_file_order(consumer_yaml: Path) -> None:
    """The fields of an object keep the order of the schema file."""
    target = loaded(consumer_yaml).connector.objects["customers"]
    expected = [
        ("id", FieldType.TEXT),
        ("email", FieldType.TEXT),
        ("updated_at", FieldType.DATE_TIME),
    ]
    assert expected == list(target.fields.items())


def test_a_rule_of_one_word_is_a_source(consumer_yaml: Path) -> None:
    """`email: mail` is `email: {from: mail}`."""
    assert (
        loaded(consumer_yaml, "routes.0.fields.email=mail").routes[0].fields["email"].source
        == "mail"
    )


def test_a_constant_null_differs_from_no_constant(consumer_yaml: Path) -> None:
    """`{const: null}` is a rule with a constant and without a source."""
    rule = loaded(consumer_yaml, "routes.0.fields.email={const: null}").routes[0].fields["email"]
    assert (None, msgspec.UNSET, msgspec.UNSET) == (rule.const, rule.source, rule.default)


def test_a_route_knows_its_line(consumer_yaml: Path) -> None:
    """A route has file and line for messages about it."""
    assert f"{consumer_yaml}:15" == loaded(consumer_yaml).routes[0].place


def test_where_keeps_types(consumer_yaml: Path) -> None:
    """Values of a filter keep their types."""
    where = (
        loaded(consumer_yaml, "routes.0.where={$envelope.op: [c, 1, true, null]}").routes[0].where
    )
    assert where == {"$envelope.op": ("c", 1, True, None)}


def test_a_custom_function_beside_the_file(
    consumer_yaml: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Modules are found beside the configuration."""
    consumer_yaml.with_name("rules_beside_the_file.py").write_text(
        "def customer(row, context): return row\n", "utf-8"
    )
    monkeypatch.setattr("sys.path", ["/no/such/folder"])
    custom = (
        loaded(consumer_yaml, "routes.0.custom=rules_beside_the_file:customer").routes[0].custom
    )
    assert custom is not None
    assert custom({"id": 1}, None) == {"id": 1}


def test_a_module_with_the_name_of_the_program_is_refused(consumer_yaml: Path) -> None:
    """The name `consumer` is the program's own package; the message says to rename the file."""
    consumer_yaml.with_name("consumer.py").write_text(
        "def rows(row, context): return row\n", "utf-8"
    )
    [fault] = inspect(
        consumer_yaml, environ=ENVIRON, overrides=["routes.0.custom=consumer:rows"]
    ).faults
    assert (
        "`consumer` is the name of this program's own package, so consumer.py beside this file"
        " cannot be imported; rename consumer.py and the module in this key"
    ) == fault.text


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("msgspec", "msgspec.py"),
        ("msgspec", "msgspec/__init__.py"),
        ("msgspec.rules", "msgspec/__init__.py"),
        ("time", "time.py"),
    ],
)
def test_a_module_with_the_name_of_a_library_is_refused(
    consumer_yaml: Path, name: str, file: str
) -> None:
    """Python has imported the other module, so the user's file would be ignored silently."""
    beside = consumer_yaml.parent / file
    beside.parent.mkdir(exist_ok=True)
    beside.write_text("def rows(row, context): return row\n", "utf-8")
    [fault] = inspect(
        consumer_yaml, environ=ENVIRON, overrides=[f"routes.0.custom={name}:rows"]
    ).faults
    package = name.partition(".")[0]
    assert fault.text.startswith(f"`{package}` is the name of an installed module (")
    assert fault.text.endswith(
        f"), so {file} beside this file cannot be imported; rename {file} and the module in this"
        " key"
    )


@pytest.mark.parametrize("key", ["salesforce.client_secret_file", "connector.schema_file"])
def test_a_path_with_a_nul_character_is_a_fault(consumer_yaml: Path, key: str) -> None:
    """The operating system takes no such path; the fault has the place of the key."""
    found = inspect(consumer_yaml, environ=ENVIRON, overrides=[f"{key}=a\0b"])
    assert "a path cannot contain a NUL character; write the path of a file" in [
        fault.text for fault in found.faults
    ]


@pytest.mark.parametrize(
    ("written", "expected"), [("''", ""), ('""', ""), ("_", "_"), ("null", "__"), (None, "__")]
)
def test_flat_prefix_may_be_empty(consumer_yaml: Path, written: str | None, expected: str) -> None:
    """Empty quotes mean no prefix; without the key it is Debezium's `__`."""
    text = consumer_yaml.read_text("utf-8").replace("format: debezium\n", "format: debezium_flat\n")
    line = "" if written is None else f"    flat_prefix: {written}\n"
    text = text.replace("format: debezium_flat\n", f"format: debezium_flat\n{line}")
    consumer_yaml.write_text(text, "utf-8")
    found = inspect(consumer_yaml, environ=ENVIRON, overrides=[])
    assert found.settings is not None
    assert [expected] == [route.flat_prefix for route in found.settings.routes]


def test_a_broken_module_of_the_user_is_a_fault(consumer_yaml: Path) -> None:
    """The message names the exception of the import, without a traceback."""
    consumer_yaml.with_name("broken_rules_of_the_user.py").write_text("1 / 0\n", "utf-8")
    found = inspect(
        consumer_yaml,
        environ=ENVIRON,
        overrides=["routes.0.custom=broken_rules_of_the_user:customer"],
    )
    assert [
        "module `broken_rules_of_the_user` cannot be imported: ZeroDivisionError: division by zero"
    ] == [fault.text.partition(";")[0] for fault in found.faults]


@pytest.mark.parametrize("name", ["consumer", "minimal", "sandbox", "bulk"])
def test_the_shipped_examples_are_valid(name: str) -> None:
    """The examples load when their variables are set."""
    found = inspect(ROOT / "config" / f"{name}.yaml", environ=ENVIRON, overrides=[])
    assert () == found.faults
    assert found.settings is not None
