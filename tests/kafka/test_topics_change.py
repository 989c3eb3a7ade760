"""Changes of topics while daemons read them, or while none runs.

Retention, transactions, new partitions, deletion and recreation.
"""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Producer

from tests.kafka.fleet import Fleet, Process, await_that
from tests.kafka.judgement import await_the_end, judge
from tests.kafka.topics import PROTOCOLS, topic_of
from tests.kafka.traffic import Traffic, change

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.kafka.broker import KafkaBroker

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]

QUICK = {"topic.metadata.refresh.interval.ms": "500"}


def new_topic(broker: KafkaBroker, partitions: int) -> tuple[str, Traffic]:
    """Return a topic with its dead-letter topic, and the traffic for it."""
    topic = topic_of(broker, partitions)
    broker.create_topic(f"{topic}.dead", 1)
    return topic, Traffic(broker.bootstrap, topic, partitions, keys=10**12, seed=3)


def term(member: Process) -> None:
    member.send(signal.SIGTERM)
    assert 0 == member.ended(), member.log.read_text()[-2000:]


@pytest.mark.holds("I10")
def test_records_lost_to_retention_are_a_hold_and_never_a_jump(
    kafka_broker: KafkaBroker, tmp_path: Path
) -> None:
    """I10: every page shows it, the position stays, the other partition continues.

    An operator can end the hold.
    """
    topic, traffic = new_topic(kafka_broker, 2)
    traffic.write(400)
    with Fleet(tmp_path, kafka_broker.bootstrap, topic) as fleet:
        first = fleet.member("first")
        await_the_end(fleet, kafka_broker)
        term(first)
        before = kafka_broker.committed(fleet.group, topic)
        traffic.write(400)
        kafka_broker.delete_records(topic, 0, before[0] + 20)
        second = fleet.member("second")
        await_that(lambda: {0: "OFFSET_LOST"} == fleet.holds(second), "partition 0 is held")
        traffic.write(100)
        await_that(
            lambda: (
                kafka_broker.committed(fleet.group, topic)[1] == kafka_broker.end_offsets(topic)[1]
            ),
            "the other partition continues",
        )
        status, ready = fleet.page(second, "/readyz?verbose")
        assert 503 == status
        assert "OFFSET_LOST" in ready
        assert f"{topic}[0]" in ready
        assert (
            'datacloud_consumer_hold{reason="OFFSET_LOST"} 1.0' in fleet.page(second, "/metrics")[1]
        )
        assert 200 == fleet.page(second, "/livez")[0]
        assert before[0] == kafka_broker.committed(fleet.group, topic)[0]
        term(second)
        assert before[0] == kafka_broker.committed(fleet.group, topic)[0]
        kafka_broker.set_position(fleet.group, topic, {0: before[0] + 20})
        third = fleet.member("third")
        await_the_end(fleet, kafka_broker)
        term(third)
        gone = {
            n
            for n, place in traffic.places.items()
            if place.partition == 0 and before[0] <= place.offset < before[0] + 20
        }
        assert gone, "void: retention deleted no unread record"
        traffic.fold = {key: n for key, n in traffic.fold.items() if n not in gone}
        traffic.poison = {
            place: value
            for place, value in traffic.poison.items()
            if place.partition == 1 or not before[0] <= place.offset < before[0] + 20
        }
        assert 0 == judge(fleet, kafka_broker, traffic)["duplicates"]


def test_aborted_records_are_never_sent_and_markers_leave_no_lag(
    kafka_broker: KafkaBroker, tmp_path: Path
) -> None:
    """I2: committed and aborted transactions, the last of them aborted.

    The group reaches the very end.
    """
    topic, traffic = new_topic(kafka_broker, 2)
    producer = Producer(
        {
            "bootstrap.servers": kafka_broker.bootstrap,
            "transactional.id": topic,
            "transaction.timeout.ms": 10_000,
        }
    )
    producer.init_transactions(20)
    with Fleet(tmp_path, kafka_broker.bootstrap, topic) as fleet:
        member = fleet.member("one")
        for turn in range(10):
            producer.begin_transaction()
            for key in range(20):
                producer.produce(
                    topic, key=str(key), value=change(key, 20 * turn + key), partition=key % 2
                )
            if turn % 3 == 0:
                producer.flush(20)
                producer.abort_transaction(20)
            else:
                producer.commit_transaction(20)
        await_the_end(fleet, kafka_broker)
        status = fleet.status(member)
        assert status is not None
        assert [0, 0] == [each["lag"] for each in status["assignment"]]
        term(member)
        assert {str(key): 20 * 8 + key for key in range(20)} == {
            key: row["n"] for key, row in fleet.rows().items()
        }
        sent = {
            version
            for each in fleet.acceptances()
            for version in each.versions
            if version is not None
        }
        aborted = {20 * turn + key for turn in (0, 3, 6, 9) for key in range(20)}
        assert set() == {version // 1000 % 1000 for version in sent} & aborted
    assert 0 == traffic.written


def test_new_partitions_are_read_from_their_beginning(
    kafka_broker: KafkaBroker, tmp_path: Path
) -> None:
    """I10: records written before our metadata had the partition are not skipped.

    Whatever `start_at` is.
    """
    topic, traffic = new_topic(kafka_broker, 2)
    traffic.write(200)
    with Fleet(tmp_path, kafka_broker.bootstrap, topic, QUICK) as fleet:
        first = fleet.member("first")
        await_the_end(fleet, kafka_broker)
        with traffic.flowing(per_second=500):
            for total in (4, 6):
                kafka_broker.add_partitions(topic, total)
                traffic.partitions = total
                await_that(
                    lambda total=total: total == fleet.owned(first),  # type: ignore[misc]
                    f"all {total} partitions are read",
                )
        await_the_end(fleet, kafka_broker)
        assert all(kafka_broker.end_offsets(topic).values()), (
            "void: nothing was written to the new partitions"
        )
        term(first)
        assert 0 == judge(fleet, kafka_broker, traffic)["duplicates"]


def write_again(
    broker: KafkaBroker, topic: str, counts: Sequence[int], generation: int
) -> dict[str, int]:
    """Write rows to a recreated topic, this many to each partition, with keys used only there.

    Returns: the rows.
    """
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    rows = {}
    places = [partition for partition, count in enumerate(counts) for _ in range(count)]
    for number, partition in enumerate(places):
        key, n = 10**13 + number, 10_000 * generation + number
        rows[str(key)] = n
        producer.produce(
            topic, key=json.dumps({"id": key}), value=change(key, n), partition=partition
        )
    assert 0 == producer.flush(20)
    return rows


def await_rows(fleet: Fleet, broker: KafkaBroker, expected: dict[str, int]) -> None:
    """Wait until the tenant has exactly these rows, and the group's position is at the end."""
    await_that(
        lambda: (
            fleet.pending() == 0
            and expected == {key: row["n"] for key, row in fleet.rows().items()}
        ),
        "every record came",
        40,
    )
    await_the_end(fleet, broker, 30)


@pytest.mark.parametrize("properties", PROTOCOLS)
def test_a_recreated_topic_is_read_from_its_beginning(
    kafka_broker: KafkaBroker, tmp_path: Path, properties: dict[str, str]
) -> None:
    """I10: deleted under a running daemon.

    It is created again with fewer and then with more records than before.
    """
    topic, traffic = new_topic(kafka_broker, 2)
    traffic.write(200)
    with Fleet(tmp_path, kafka_broker.bootstrap, topic, QUICK | properties) as fleet:
        member = fleet.member("one")
        await_the_end(fleet, kafka_broker)
        expected = dict(traffic.fold)
        for generation, count in enumerate((25, 500), start=1):
            kafka_broker.delete_topic(topic)
            await_that(lambda: fleet.owned(member) == 0, "the group has noticed")
            kafka_broker.create_topic(topic, 2)
            expected |= write_again(kafka_broker, topic, [count, count], generation)
            await_rows(fleet, kafka_broker, expected)
        assert set() == fleet.reasons(member)
        term(member)


@pytest.mark.holds("I10")
@pytest.mark.parametrize(
    ("properties", "times"),
    [
        *(pytest.param(*protocol.values, 5, id=f"more-{protocol.id}") for protocol in PROTOCOLS),
        pytest.param({}, 1, id="same-cooperative"),
        pytest.param({}, 0.25, id="fewer-cooperative"),
    ],
)
def test_a_topic_recreated_at_once_is_read_from_its_beginning(
    kafka_broker: KafkaBroker, tmp_path: Path, properties: dict[str, str], times: float
) -> None:
    """I10: a classic group does not notice.

    The topic's id shows it, however many records there are now.
    """
    topic, traffic = new_topic(kafka_broker, 2)
    traffic.write(200)
    with Fleet(tmp_path, kafka_broker.bootstrap, topic, properties) as fleet:
        member = fleet.member("one")
        await_the_end(fleet, kafka_broker)
        ends = kafka_broker.end_offsets(topic)
        kafka_broker.delete_topic(topic)
        kafka_broker.create_topic(topic, 2)
        counts = [int(ends[partition] * times) for partition in range(2)]
        expected = traffic.fold | write_again(kafka_broker, topic, counts, 1)
        await_rows(fleet, kafka_broker, expected)
        await_that(lambda: set() == fleet.reasons(member), "nothing is held", 10)
        term(member)
        assert dict(enumerate(counts)) == kafka_broker.committed(fleet.group, topic)


def test_a_topic_recreated_while_no_daemon_runs_starts_at_start_at(
    kafka_broker: KafkaBroker, tmp_path: Path
) -> None:
    """The brokers drop a group's positions with the topic.

    At the next start it is a topic that was never read.
    """
    topic, traffic = new_topic(kafka_broker, 2)
    traffic.write(200)
    with Fleet(tmp_path, kafka_broker.bootstrap, topic) as fleet:
        first = fleet.member("first")
        await_the_end(fleet, kafka_broker)
        term(first)
        kafka_broker.delete_topic(topic)
        kafka_broker.create_topic(topic, 2)
        await_that(
            lambda: {} == kafka_broker.committed(fleet.group, topic), "the positions are gone", 10
        )
        expected = traffic.fold | write_again(kafka_broker, topic, [500, 500], 1)
        again = fleet.member("again")
        await_rows(fleet, kafka_broker, expected)
        term(again)
