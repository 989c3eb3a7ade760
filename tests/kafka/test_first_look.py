"""`config init` and `lint --sample` with a real broker.

They end by themselves, and leave no group.
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


def test_sampling_leaves_no_group(
    kafka_broker: KafkaBroker, run: Callable[..., Any], tmp_path: Path
) -> None:
    """A configuration is created from recorded tables, and its lint samples them.

    Afterwards the broker has no group of the sampler.
    """
    producer = Producer({"bootstrap.servers": kafka_broker.bootstrap})
    for topic in TOPICS:
        kafka_broker.create_topic(topic, 3, {"retention.ms": "-1"})
    for topic, key, value, headers in recorded():
        if topic in TOPICS:
            producer.produce(topic, value, key, headers=list(headers))
    assert 0 == producer.flush(20)
    topics = [word for topic in TOPICS for word in ("--topic", topic)]
    started = run(
        "config",
        "init",
        "--bootstrap",
        kafka_broker.bootstrap,
        "--output-dir",
        str(tmp_path),
        *topics,
    )
    assert (0, "") == (started.code, started.err)
    linted = run("lint", "--sample", "-c", str(tmp_path / "consumer.yaml"))
    # One recorded event is a TRUNCATE, a dead letter: more than the fuse's share of the sample.
    assert (1, 2) == (linted.code, linted.out.count(" records: "))
    assert "ENVELOPE_TRUNCATE" in linted.out
    groups = (
        AdminClient({"bootstrap.servers": kafka_broker.bootstrap}).list_consumer_groups().result(20)
    )
    assert "datacloud-consumer-sample" not in {group.group_id for group in groups.valid}


def test_an_aborted_record_is_not_sampled(
    kafka_broker: KafkaBroker, run: Callable[..., Any], tmp_path: Path
) -> None:
    """The transaction was aborted; the marker at the end does not make the sampler wait."""
    kafka_broker.create_topic("rolled.back", 1, {"retention.ms": "-1"})
    producer = Producer(
        {"bootstrap.servers": kafka_broker.bootstrap, "transactional.id": "first-look"}
    )
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce("rolled.back", b'{"id":1}', partition=0)
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
        "rolled.back",
    )
    assert (1, True) == (ran.code, "topic `rolled.back` is empty" in ran.err)


def test_a_missing_topic_is_reported(
    kafka_broker: KafkaBroker, run: Callable[..., Any], tmp_path: Path
) -> None:
    """With the brokers that were asked; the request creates no topic."""
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
