"""The daemon as processes on a real Apache Kafka broker: kills, joins, leaves and signals."""

from __future__ import annotations

import json
import random
import signal
import time
from typing import TYPE_CHECKING, cast

import pytest
from confluent_kafka import Consumer, Producer

from tests.kafka.fleet import Fleet, await_that

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kafka.broker import KafkaBroker

pytestmark = pytest.mark.kafka

BASE_MS = 1_750_000_000_000
POISON = (
    b"{",
    b"[]",
    b'{"op":"x","before":null,"after":null}',
    b"\xff",
    b'{"op":"u","after":{"id":1.5},"source":{}}',
)


def produce(broker: KafkaBroker, topic: str, count: int, keys: int, seed: int) -> dict[str, int]:
    """Write Debezium changes, some of them deletes, and five poison records; return the fold, key to last `n`."""
    lots = random.Random(seed)  # noqa: S311 - a schedule, not a secret
    producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 50, "enable.idempotence": True})
    fold: dict[str, int] = {}
    poison_at = dict(zip(sorted(lots.sample(range(count), len(POISON))), POISON, strict=True))
    for n in range(count):
        key = lots.randrange(keys)
        kafka_key = json.dumps({"id": key}).encode()
        if n in poison_at:
            _send(producer, topic, b"poison", poison_at[n])
        op = "d" if lots.random() < 0.05 else "u"
        after = None if op == "d" else {"id": key, "email": f"{key}@example.com", "n": n, "padding": "x" * 300}
        value = {
            "op": op,
            "before": {"id": key},
            "after": after,
            "source": {"ts_ms": BASE_MS + n},
            "ts_ms": BASE_MS,
        }
        _send(producer, topic, kafka_key, json.dumps(value).encode())
        if op == "d":
            fold.pop(str(key), None)
            _send(producer, topic, kafka_key, None)
        else:
            fold[str(key)] = n
    producer.flush()
    return fold


def _send(producer: Producer, topic: str, key: bytes, value: bytes | None) -> None:
    while True:
        try:
            producer.produce(topic, key=key, value=value)
        except BufferError:
            producer.poll(0.1)
        else:
            producer.poll(0)
            return


def dead_letters(broker: KafkaBroker, topic: str) -> list[tuple[bytes | None, str]]:
    """Return value and reason of every letter, each source record once."""
    consumer = Consumer(
        {"bootstrap.servers": broker.bootstrap, "group.id": f"look-{topic}", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    end = sum(broker.end_offsets(topic).values())
    seen: dict[tuple[bytes, bytes], tuple[bytes | None, str]] = {}
    read = 0
    while read < end:
        message = consumer.poll(10)
        assert message is not None
        assert message.error() is None
        read += 1
        headers = dict(cast("list[tuple[str, bytes]]", message.headers()))
        place = (headers["__connect.errors.partition"], headers["__connect.errors.offset"])
        seen[place] = (message.value(), headers["datacloud.reason"].decode())
    consumer.close()
    return [*seen.values()]


def assert_settled(fleet: Fleet, broker: KafkaBroker, fold: dict[str, int], kills_ms: list[int]) -> None:
    """The end state of every storm: nothing lost, order per key, exactly the poison dead-lettered."""
    assert broker.end_offsets(fleet.topic) == broker.committed(fleet.group, fleet.topic)
    await_that(lambda: fleet.pending() == 0, "the tenant has applied everything", 10)
    rows = {key: row["n"] for key, row in fleet.rows().items()}
    assert {} == {
        key: (fold.get(key), rows.get(key)) for key in fold.keys() | rows.keys() if fold.get(key) != rows.get(key)
    }
    assert sorted(POISON) == sorted(value or b"" for value, _ in dead_letters(broker, f"{fleet.topic}.dead"))
    latest: dict[str, int] = {}
    kills_ms = [*kills_ms]
    for wall_ms, _, keys, versions in fleet.acceptances():
        if kills_ms and wall_ms > kills_ms[0]:
            # What a killed process had not committed is sent again, from an older change on.
            kills_ms.pop(0)
            latest.clear()
        for key, version in zip(keys, versions, strict=True):
            if version is not None:
                assert latest.get(key, 0) < version, f"key {key} went back"
                latest[key] = version


def committed_to_the_end(fleet: Fleet, broker: KafkaBroker) -> bool:
    """Tell whether the group stands at the end of every partition."""
    return broker.end_offsets(fleet.topic) == broker.committed(fleet.group, fleet.topic)


@pytest.mark.timeout(400)
def test_a_hundred_thousand_records_through_a_kill_and_two_members(
    kafka_broker: KafkaBroker, tmp_path: Path
) -> None:
    """100,000 changes over 6 partitions: kill -9 in the middle, a second member joins and leaves, SIGTERM."""
    topic = "storm"
    kafka_broker.create_topic(topic, 6)
    kafka_broker.create_topic(f"{topic}.dead", 2)
    fold = produce(kafka_broker, topic, 100_000, keys=8_000, seed=11)
    with Fleet(tmp_path, kafka_broker.bootstrap, topic, **{"session.timeout.ms": "6000"}) as fleet:
        fleet.faults("ingest every=40 status=503", "ingest every=57 reset after", "ingest nth=12 revoke-tokens")
        first = fleet.member("first")
        await_that(lambda: fleet.polled(first) > 20_000, "the first member is in the middle")
        first.send(signal.SIGKILL)
        first.ended()
        killed_ms = time.time_ns() // 1_000_000
        assert not committed_to_the_end(fleet, kafka_broker), "the kill came too late to mean anything"
        second = fleet.member("second")
        await_that(lambda: fleet.polled(second) > 5_000, "the second member works")
        third = fleet.member("third")
        await_that(lambda: bool((fleet.status(third) or {}).get("assignment")), "the third member has partitions")
        third.send(signal.SIGTERM)
        assert 0 == third.ended(), third.log.read_text()[-2000:]
        await_that(lambda: committed_to_the_end(fleet, kafka_broker), "all is committed", 240)
        second.send(signal.SIGTERM)
        assert 0 == second.ended(), second.log.read_text()[-2000:]
        assert_settled(fleet, kafka_broker, fold, [killed_ms])


@pytest.mark.timeout(300)
def test_terms_in_the_middle_repeat_nothing(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    """I5: SIGTERM under load, three times; with a tenant that answers, no change is accepted twice."""
    topic = "terms"
    kafka_broker.create_topic(topic, 4)
    kafka_broker.create_topic(f"{topic}.dead", 1)
    fold = produce(kafka_broker, topic, 30_000, keys=1_000_000, seed=12)
    with Fleet(tmp_path, kafka_broker.bootstrap, topic) as fleet:
        fleet.faults("ingest delay=200ms")
        for turn in range(3):
            # Small bodies and a small buffer: there is always much to come, and little to drain.
            member = fleet.member(f"turn-{turn}", batch_bytes="20KB", buffer_bytes="4MB", in_flight="8")
            await_that(lambda member=member: fleet.polled(member) > 3_000, "a member is in the middle")  # type: ignore[misc]
            assert not committed_to_the_end(fleet, kafka_broker)
            member.send(signal.SIGTERM)
            assert 0 == member.ended(), member.log.read_text()[-2000:]
        fleet.faults()
        last = fleet.member("last")
        await_that(lambda: committed_to_the_end(fleet, kafka_broker), "all is committed")
        last.send(signal.SIGTERM)
        assert 0 == last.ended()
        assert_settled(fleet, kafka_broker, fold, [])
        versions = [version for _, _, _, some in fleet.acceptances() for version in some if version is not None]
        assert len(versions) == len(set(versions)), "a change was accepted twice"


@pytest.mark.timeout(120)
def test_a_second_term_ends_at_once_and_loses_nothing(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    """A tenant that does not answer keeps the drain; a second SIGTERM does not wait; the next start has it all."""
    topic = "second-term"
    kafka_broker.create_topic(topic, 2)
    kafka_broker.create_topic(f"{topic}.dead", 1)
    fold = produce(kafka_broker, topic, 500, keys=100, seed=13)
    with Fleet(tmp_path, kafka_broker.bootstrap, topic, **{"session.timeout.ms": "6000"}) as fleet:
        fleet.faults("ingest delay=60s")
        member = fleet.member("stuck")
        await_that(lambda: fleet.polled(member) > 400, "the member has read")
        member.send(signal.SIGTERM)
        await_that(lambda: "draining" in member.log.read_text(), "it drains")
        member.send(signal.SIGTERM)
        assert 128 + signal.SIGTERM == member.ended(5)
        fleet.faults()
        killed_ms = time.time_ns() // 1_000_000
        again = fleet.member("again")
        await_that(lambda: committed_to_the_end(fleet, kafka_broker), "all is committed")
        again.send(signal.SIGTERM)
        assert 0 == again.ended()
        assert_settled(fleet, kafka_broker, fold, [killed_ms])
