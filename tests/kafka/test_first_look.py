"""`config init` and `lint --sample` against a real broker.

It ends by itself, and no group is there afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from tests.contract.first_topics import recorded
from tests.unit.conftest import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.kafka.broker import KafkaBroker

__all__ = ["run"]

pytestmark = pytest.mark.kafka

TOPICS = ("pg_schemas_enabled.shop.public.customers", "dbz36-schemas-off.nos.inv.orders")


def test_a_first_look_leaves_no_trace(
    kafka_broker: KafkaBroker, run: Callable[..., Any], tmp_path: Path
) -> None:
    """Recorded tables become a configuration, its lint samples them.

    And the broker knows of no group.
    """
    producer = Producer({"bootstrap.servers": kafka_broker.bootstrap})
    for topic in TOPICS:
        kafka_broker.create_topic(topic, 3, {"retention.ms": "-1"})
    for topic, key, value, headers in recorded():
        if topic in TOPICS:
            producer.produce(topic, value, key, headers=list(headers))
    assert 0 == producer.flush(20)
    named = [word for topic in TOPICS for word in ("--topic", topic)]
    started = run(
        "config",
        "init",
        "--bootstrap",
        kafka_broker.bootstrap,
        "--output-dir",
        str(tmp_path),
        *named,
    )
    assert (0, "") == (started.code, started.err)
    linted = run("lint", "--sample", "-c", str(tmp_path / "consumer.yaml"))
    assert (0, 2) == (linted.code, linted.out.count(" records: "))
    groups = (
        AdminClient({"bootstrap.servers": kafka_broker.bootstrap}).list_consumer_groups().result(20)
    )
    assert "datacloud-consumer-sample" not in {group.group_id for group in groups.valid}


def test_an_aborted_record_is_not_sampled(
    kafka_broker: KafkaBroker, run: Callable[..., Any], tmp_path: Path
) -> None:
    """What was taken back is nobody's record, and the marker at the end does not make it wait."""
    kafka_broker.create_topic("taken.back", 1, {"retention.ms": "-1"})
    producer = Producer(
        {"bootstrap.servers": kafka_broker.bootstrap, "transactional.id": "first-look"}
    )
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce("taken.back", b'{"id":1}', partition=0)
    producer.flush(20)
    producer.abort_transaction(20)
    ran = run(
        "config",
        "init",
        "--bootstrap",
        kafka_broker.bootstrap,
        "--output-dir",
        str(tmp_path),
        "--topic",
        "taken.back",
    )
    assert (1, True) == (ran.code, "topic `taken.back` is empty" in ran.err)


def test_a_topic_that_is_not_there_is_said(
    kafka_broker: KafkaBroker, run: Callable[..., Any], tmp_path: Path
) -> None:
    """With the brokers that were asked; nothing is created by asking."""
    ran = run(
        "config",
        "init",
        "--bootstrap",
        kafka_broker.bootstrap,
        "--output-dir",
        str(tmp_path),
        "--topic",
        "nix",
    )
    message = (
        f"topic `nix` does not exist at {kafka_broker.bootstrap}, or this user may not describe"
    )
    assert (1, f"{message} it\n") == (ran.code, ran.err)
