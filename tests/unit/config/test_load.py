"""From a whole file to settings."""

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
    """Load a file that is in order."""
    return load(path, environ=ENVIRON, overrides=options)


def test_defaults_are_those_of_the_rooms(consumer_yaml: Path) -> None:
    """What the table writes and what the rooms hold are the same figures."""
    settings = loaded(consumer_yaml)
    assert (DeliverySettings(), DeadLetterSettings()) == (settings.delivery, settings.dead_letter)


def test_the_admin_port_is_on_by_default(consumer_yaml: Path) -> None:
    """Health is served on a loopback address."""
    settings = loaded(consumer_yaml)
    assert (settings.admin.host, settings.admin.port) == ("127.0.0.1", 8080)


def test_the_admin_port_can_be_off(consumer_yaml: Path) -> None:
    """`off` is a word in YAML 1.2, not a boolean."""
    assert loaded(consumer_yaml, "admin.listen=off").admin.host is None


def test_an_address_of_six_groups_is_taken(consumer_yaml: Path) -> None:
    """Brackets keep its colons apart from the port's."""
    settings = loaded(consumer_yaml, "admin.listen=[::1]:9000")
    assert (settings.admin.host, settings.admin.port) == ("::1", 9000)


def test_all_faults_are_raised_at_once(consumer_yaml: Path) -> None:
    """`load` gives every fault, each a line."""
    with pytest.raises(ConfigFaults) as raised:
        loaded(consumer_yaml, "delivery.in_flight=0", "log.level=loud", "kafka.start_at=never")
    assert len(raised.value.faults) == 3


def test_warnings_come_with_the_settings(consumer_yaml: Path) -> None:
    """I36: `debug` is taken, with a warning."""
    settings = loaded(consumer_yaml, "kafka.properties.debug=all")
    assert settings.kafka.properties["debug"] == "all"
    assert ["kafka.properties.debug: the client's debug lines"] == [
        warning.partition(" are many")[0].removeprefix("--set kafka.properties.debug: ")
        for warning in settings.warnings
    ]


def test_the_file_is_not_touched(consumer_yaml: Path) -> None:
    """Loading reads."""
    before = consumer_yaml.read_bytes()
    loaded(consumer_yaml)
    assert before == consumer_yaml.read_bytes()


def test_topics_of_all_routes_are_subscribed_once(consumer_yaml: Path) -> None:
    """A topic may stand in several routes."""
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
    """A word, or a moment in milliseconds."""
    assert start == loaded(consumer_yaml, f"kafka.start_at={written}").kafka.start_at


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("500ms", 0.5), ("30s", 30.0), ("5m", 300.0), ("0.5s", 0.5), ("0ms", 0.0)],
)
def test_durations(consumer_yaml: Path, written: str, seconds: float) -> None:
    """A number and its unit."""
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
    """A04: What a null value means where the route does not say."""
    assert tombstones == loaded(consumer_yaml, f"routes.0.format={name}").routes[0].tombstones


def test_a_flat_tombstone_is_a_delete() -> None:
    """The one format whose null value deletes by itself."""
    assert TOMBSTONES_BY_FORMAT["debezium_flat"] == "delete"


def test_brokers_as_a_list(consumer_yaml: Path) -> None:
    """A list and commas mean the same."""
    assert (
        loaded(consumer_yaml, "kafka.bootstrap_servers=[a:1, b:2]").kafka.bootstrap_servers
        == "a:1,b:2"
    )


def test_brokers_with_commas(consumer_yaml: Path) -> None:
    """Spaces around commas are no part of a name."""
    assert (
        loaded(consumer_yaml, "kafka.bootstrap_servers=a:1, b:2").kafka.bootstrap_servers
        == "a:1,b:2"
    )


def test_agreeing_properties_are_left_to_the_daemon(consumer_yaml: Path) -> None:
    """What the daemon sets itself may be written, and is not passed on."""
    settings = loaded(
        consumer_yaml,
        "kafka.properties.isolation.level=read_committed",
        "kafka.properties.acks=all",
    )
    assert settings.kafka.properties == {"security.protocol": "SSL"}


def test_boolean_properties_are_librdkafka_s(consumer_yaml: Path) -> None:
    """YAML's true is written as the client reads it."""
    text = consumer_yaml.read_text("utf-8").replace("SSL}", "SSL, socket.keepalive.enable: True}")
    consumer_yaml.write_text(text, "utf-8")
    assert loaded(consumer_yaml).kafka.properties["socket.keepalive.enable"] == "true"


def test_drain_timeout_bounds_the_hand_over(consumer_yaml: Path) -> None:
    """The source is told how long a revoke may take."""
    assert loaded(consumer_yaml, "delivery.drain_timeout=30s").kafka.drain_timeout_s == 30.0


def test_a_consumer_protocol_group_has_its_session_at_the_broker(consumer_yaml: Path) -> None:
    """With group.protocol=consumer there is no session time-out of the client's to compare with."""
    settings = loaded(
        consumer_yaml, "kafka.properties.group.protocol=consumer", "delivery.drain_timeout=50s"
    )
    assert settings.delivery.drain_timeout_s == 50.0


def test_the_object_has_its_schema_in_file_order(consumer_yaml: Path) -> None:
    """The schema file and the section become one value."""
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


def test_a_constant_null_is_told_from_none(consumer_yaml: Path) -> None:
    """`{const: null}` is a rule; its source is not given."""
    rule = loaded(consumer_yaml, "routes.0.fields.email={const: null}").routes[0].fields["email"]
    assert (None, msgspec.UNSET, msgspec.UNSET) == (rule.const, rule.source, rule.default)


def test_a_route_knows_its_line(consumer_yaml: Path) -> None:
    """Messages about a route point to it."""
    assert f"{consumer_yaml}:15" == loaded(consumer_yaml).routes[0].place


def test_where_keeps_types(consumer_yaml: Path) -> None:
    """A number is not its text."""
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


def test_a_broken_module_of_the_user_is_a_fault(consumer_yaml: Path) -> None:
    """What it raises while it is imported is named, with no traceback."""
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
def test_the_shipped_examples_are_in_order(name: str) -> None:
    """Once their variables are set, the examples load."""
    found = inspect(ROOT / "config" / f"{name}.yaml", environ=ENVIRON, overrides=[])
    assert () == found.faults
    assert found.settings is not None
