"""The configuration of the Kafka client."""

from __future__ import annotations

import pytest
from confluent_kafka import Consumer

from consumer.source.client_conf import DEFAULTS, OWNED, client_conf, is_incremental, subscription
from consumer.source.properties import check
from consumer.source.settings import KafkaSettings


def settings(**properties: str) -> KafkaSettings:
    dotted = {name.replace("_", "."): value for name, value in properties.items()}
    return KafkaSettings(
        bootstrap_servers="127.0.0.1:1", group_id="g", topics=("t", "^a|^b"), properties=dotted
    )


def test_owned_properties_win() -> None:
    """Even if a property passes the check of the file."""
    conf = client_conf(settings(auto_offset_reset="latest", enable_auto_commit="true"), {})
    assert ("error", "false") == (conf["auto.offset.reset"], conf["enable.auto.commit"])


def test_defaults_can_be_overridden() -> None:
    """For example sizes and strategies."""
    conf = client_conf(
        settings(queued_max_messages_kbytes="64", partition_assignment_strategy="range"), {}
    )
    assert ("64", "range") == (
        conf["queued.max.messages.kbytes"],
        conf["partition.assignment.strategy"],
    )


def test_the_consumer_protocol_has_no_strategy() -> None:
    """The client rejects one with it."""
    assert "partition.assignment.strategy" not in client_conf(
        settings(group_protocol="consumer"), {}
    )


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        pytest.param({}, True, id="default"),
        pytest.param({"partition.assignment.strategy": "range,roundrobin"}, False, id="eager"),
        pytest.param(
            {"partition.assignment.strategy": "cooperative-sticky"}, True, id="cooperative"
        ),
        pytest.param({"group.protocol": "consumer"}, True, id="next-generation"),
        pytest.param({"group.protocol": "classic"}, True, id="classic"),
    ],
)
def test_incremental_protocols_are_recognised(
    properties: dict[str, str], *, expected: bool
) -> None:
    """The wrong way of assigning is an error of the client."""
    assert expected is is_incremental(properties)


@pytest.mark.parametrize(
    ("protocol", "expression"),
    [("classic", "^a|^b"), ("consumer", "^(^a|^b).*")],
    ids=["client", "brokers"],
)
def test_expressions_are_written_for_their_reader(protocol: str, expression: str) -> None:
    """The client searches them in a name; the brokers require the whole name to match."""
    assert ["t", expression] == subscription(settings(group_protocol=protocol))


def test_the_client_knows_every_default() -> None:
    """A default that the client does not know would stop every daemon."""
    assert [] == check(dict(DEFAULTS))
    Consumer(client_conf(settings(), {"log_level": "0"})).close()


def test_owned_properties_are_rejected_in_the_file() -> None:
    """A value that is overwritten must not look effective."""
    contrary = {name: "read_uncommitted" if name == "isolation.level" else "x" for name in OWNED}
    assert sorted(OWNED) == sorted(name for name, _ in check(contrary))
