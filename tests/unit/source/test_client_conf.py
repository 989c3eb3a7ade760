"""What the client is made with."""

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


def test_what_the_daemon_owns_wins() -> None:
    """Even should a property slip through the check of the file."""
    conf = client_conf(settings(auto_offset_reset="latest", enable_auto_commit="true"), {})
    assert ("error", "false") == (conf["auto.offset.reset"], conf["enable.auto.commit"])


def test_what_the_daemon_only_prefers_is_the_users() -> None:
    """Sizes and strategies are."""
    conf = client_conf(
        settings(queued_max_messages_kbytes="64", partition_assignment_strategy="range"), {}
    )
    assert ("64", "range") == (
        conf["queued.max.messages.kbytes"],
        conf["partition.assignment.strategy"],
    )


def test_the_brokers_own_protocol_takes_no_strategy() -> None:
    """The client refuses one beside it."""
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
def test_whether_single_partitions_move(properties: dict[str, str], *, expected: bool) -> None:
    """The wrong way of assigning is an error of the client."""
    assert expected is is_incremental(properties)


@pytest.mark.parametrize(
    ("protocol", "expression"),
    [("classic", "^a|^b"), ("consumer", "^(^a|^b).*")],
    ids=["client", "brokers"],
)
def test_expressions_are_written_for_who_reads_them(protocol: str, expression: str) -> None:
    """The client looks for them in a name, the brokers want all of the name to fit."""
    assert ["t", expression] == subscription(settings(group_protocol=protocol))


def test_the_client_knows_every_name() -> None:
    """A default that the client does not know would stop every daemon."""
    assert [] == check(dict(DEFAULTS))
    Consumer(client_conf(settings(), {"log_level": "0"})).close()


def test_the_owned_ones_are_refused_in_the_file() -> None:
    """What we overwrite must not be written as if it counted."""
    contrary = {name: "read_uncommitted" if name == "isolation.level" else "x" for name in OWNED}
    assert sorted(OWNED) == sorted(name for name, _ in check(contrary))
