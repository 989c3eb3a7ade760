"""I15: the memory of a daemon whose tenant does not answer, with a long log of any record size."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, NamedTuple

import pytest
from confluent_kafka import Producer

from bench.usage import rss_peak_kib
from tests.kafka.fleet import Fleet, await_that
from tests.kafka.topics import topic_of
from tests.kafka.traffic import BASE_MS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.kafka.broker import KafkaBroker

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

MOST_MIB = 256
BUFFER_BYTES = 64 * 1024 * 1024
PARTITIONS = 6


class Shape(NamedTuple):
    """The number of records, and the bytes of each that are sent and that are left out."""

    records: int
    sent_bytes: int
    left_out_bytes: int = 0


LARGE = Shape(900, 190_000)
MIDDLING = Shape(9_000, 20_000)
NARROWED = Shape(60_000, 10, 3_000)
SMALL = Shape(1_000_000, 200)


def write(broker: KafkaBroker, topic: str, shape: Shape) -> None:
    """Write a log of Debezium inserts that hardly compress."""
    rng = random.Random(3)  # noqa: S311 - filling, not a secret
    filling = rng.randbytes(1_000_000).hex()
    producer = Producer(
        {
            "bootstrap.servers": broker.bootstrap,
            "linger.ms": 20,
            "batch.size": 900_000,
            "compression.type": "lz4",
        }
    )
    for n in range(shape.records):
        start = rng.randrange(len(filling) // 2)
        row = {
            "id": n,
            "email": filling[start : start + shape.sent_bytes],
            "padding": filling[start : start + shape.left_out_bytes],
        }
        value = json.dumps({"op": "c", "before": None, "after": row, "source": {"ts_ms": BASE_MS}})
        while True:
            try:
                producer.produce(topic, value, key=json.dumps({"id": n}), partition=n % PARTITIONS)
            except BufferError:
                producer.poll(0.1)
            else:
                break
        producer.poll(0)
    assert 0 == producer.flush(60)


def is_steady(look: Callable[[], int]) -> Callable[[], bool]:
    """Return a condition that is true once a number above 0 has not changed for many checks."""
    seen: list[int] = []

    def check() -> bool:
        seen.append(look())
        return seen[-1] > 0 and len(seen) > 40 and len({*seen[-40:]}) == 1

    return check


@pytest.mark.holds("I15")
@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(LARGE, id="190-kb"),
        pytest.param(MIDDLING, id="20-kb"),
        pytest.param(NARROWED, id="3-kb-of-which-little-is-sent"),
        pytest.param(SMALL, id="a-million-behind"),
    ],
)
def test_memory_stays_under_its_bound(
    kafka_broker: KafkaBroker, tmp_path: Path, shape: Shape
) -> None:
    """I15: with a full buffer while the tenant does not answer.

    And under full load once it answers again.
    """
    topic = topic_of(kafka_broker, PARTITIONS)
    kafka_broker.create_topic(f"{topic}.dead", 1)
    write(kafka_broker, topic, shape)
    with Fleet(tmp_path, kafka_broker.bootstrap, topic) as fleet:
        fleet.faults("ingest delay=10m")
        member = fleet.member("one")
        await_that(is_steady(lambda: fleet.polled(member)), "its buffer is full")
        stalled_mib = rss_peak_kib(member.process.pid) / 1024
        status = fleet.status(member)
        assert status is not None
        assert BUFFER_BYTES < status["buffer_bytes"] < 1.25 * BUFFER_BYTES
        fleet.faults()
        enough = min(shape.records, 300_000)
        await_that(lambda: fleet.polled(member) >= enough, "it continues to read")
        peak_mib = rss_peak_kib(member.process.pid) / 1024
        print(f"resident: {stalled_mib:.0f} MiB stalled, {peak_mib:.0f} MiB at most")  # noqa: T201 - the figures
        assert peak_mib <= MOST_MIB
