"""Ranges of offsets on a real broker: found, and read exactly, despite holes in the log."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, cast

import pytest
from confluent_kafka import Producer

from consumer.errors import Refusal
from consumer.operations.kafka.range_bounds import AtOffset, AtTime
from consumer.operations.kafka.range_reader import RangeReader
from consumer.operations.kafka.ranges import OffsetRange, RangeFinder
from consumer.source.settings import KafkaSettings
from tests.kafka.topics import group_name, numbers, produce, topic_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.operations.kafka.range_bounds import RangeBound
    from tests.kafka.broker import KafkaBroker

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]

PATIENCE_S = 30.0


def settings(broker: KafkaBroker, group: str = "standalone") -> KafkaSettings:
    return KafkaSettings(bootstrap_servers=broker.bootstrap, group_id=group, topics=("unused",))


def found(
    broker: KafkaBroker, topic: str, begin: RangeBound | None = None, end: RangeBound | None = None
) -> list[OffsetRange]:
    with RangeFinder(settings(broker)) as finder:
        return finder.offset_ranges(topic, begin, end)


def read_all(broker: KafkaBroker, offset_ranges: list[OffsetRange]) -> list[bytes]:
    """Read offset ranges until they are complete, and return the values."""
    values: list[bytes] = []
    give_up_s = time.monotonic() + PATIENCE_S
    with RangeReader(settings(broker), offset_ranges) as reader:
        while not reader.is_complete:
            assert time.monotonic() < give_up_s, (reader.positions, reader.trouble)
            for records in reader.read(0.1).values():
                values += [cast("bytes", record.value()) for record in records]
        assert {one.place: one.end for one in offset_ranges} == reader.positions
    return values


def transact(broker: KafkaBroker, topic: str, *steps: tuple[list[bytes], bool]) -> None:
    """Write values in transactions, each of which is committed or aborted."""
    producer = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": topic})
    producer.init_transactions(20)
    for values, is_committed in steps:
        producer.begin_transaction()
        for value in values:
            producer.produce(topic, value, partition=0)
        producer.flush(20)
        if is_committed:
            producer.commit_transaction(20)
        else:
            producer.abort_transaction(20)


def test_a_range_by_offset_is_read_exactly(kafka_broker: KafkaBroker) -> None:
    """In each partition from the first offset to the one before the last, though there is more."""
    topic = topic_of(kafka_broker, 2)
    for partition in range(2):
        produce(kafka_broker, topic, numbers(5_000), partition)
    offset_ranges = found(kafka_broker, topic, AtOffset(100), AtOffset(4_100))
    assert [(100, 4_100), (100, 4_100)] == [(one.begin, one.end) for one in offset_ranges]
    assert sorted(numbers(4_000, 100) * 2) == sorted(read_all(kafka_broker, offset_ranges))


def test_a_range_by_time_is_found_in_each_partition(kafka_broker: KafkaBroker) -> None:
    """It starts with the first record that is not older.

    It ends before the first record that is not before its end.
    """
    topic = topic_of(kafka_broker, 3, retention_ms="-1")
    for at_s in range(1, 6):
        produce(kafka_broker, topic, [b"%d" % at_s], 0, timestamp=at_s * 1000)
    produce(kafka_broker, topic, [b"early"], 1, timestamp=1)
    offset_ranges = found(kafka_broker, topic, AtTime(2_000), AtTime(4_000))
    assert [(1, 3), (1, 1), (0, 0)] == [(one.begin, one.end) for one in offset_ranges]
    assert [b"2", b"3"] == read_all(kafka_broker, offset_ranges)


def test_aborted_records_are_skipped_everywhere(kafka_broker: KafkaBroker) -> None:
    """In the middle and at the end: they neither end the range nor delay its end."""
    topic = topic_of(kafka_broker)
    lost, kept = [b"lost"] * 5, [b"kept"]
    transact(kafka_broker, topic, (kept, True), (lost, False), (kept, True), (lost, False))
    (whole,) = found(kafka_broker, topic)
    assert (0, 16) == (whole.begin, whole.end)
    assert [b"kept", b"kept"] == read_all(kafka_broker, [whole])


def test_a_range_that_ends_among_aborted_records_is_complete(kafka_broker: KafkaBroker) -> None:
    """The next readable record is after the range; it shows the end, and is not returned."""
    topic = topic_of(kafka_broker)
    transact(kafka_broker, topic, ([b"kept"], True), ([b"lost"] * 5, False), ([b"beyond"], True))
    assert [b"kept"] == read_all(kafka_broker, [OffsetRange(topic, 0, 0, 4)])
    assert [] == read_all(kafka_broker, [OffsetRange(topic, 0, 2, 6)])


def test_an_open_transaction_is_after_the_end(kafka_broker: KafkaBroker) -> None:
    """It may still be aborted."""
    topic = topic_of(kafka_broker)
    produce(kafka_broker, topic, numbers(3))
    producer = Producer({"bootstrap.servers": kafka_broker.bootstrap, "transactional.id": topic})
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce(topic, b"open", partition=0)
    producer.flush(20)
    (whole,) = found(kafka_broker, topic)
    assert (0, 3) == (whole.begin, whole.end)
    assert numbers(3) == read_all(kafka_broker, [whole])
    producer.abort_transaction(20)


def test_holes_of_compaction_do_not_end_a_range(kafka_broker: KafkaBroker) -> None:
    """Inside the range and at its end: the other records are read, and the range is complete."""
    topic = topic_of(
        kafka_broker,
        cleanup_policy="compact",
        segment_ms="1000",
        min_cleanable_dirty_ratio="0.01",
        retention_ms="-1",
    )
    producer = Producer({"bootstrap.servers": kafka_broker.bootstrap, "linger.ms": 0})

    def put(key: bytes, value: bytes, at_ms: int) -> None:
        producer.produce(topic, value, key, partition=0, timestamp=at_ms)
        assert 0 == producer.flush(20)

    for at in range(10):
        put(b"a" if at % 2 else b"b", b"%d" % at, 1_000 + at)
    put(b"c", b"10", 1_100)
    # Later than `segment.ms`: the earlier records are in a segment that may be compacted.
    put(b"c", b"11", 5_000)
    pause, give_up_s = threading.Event(), time.monotonic() + 60
    while (left := read_all(kafka_broker, found(kafka_broker, topic))) != [
        b"8",
        b"9",
        b"10",
        b"11",
    ]:
        assert time.monotonic() < give_up_s, left
        pause.wait(0.2)
    assert [] == read_all(kafka_broker, [OffsetRange(topic, 0, 0, 8)])
    assert [b"8", b"9", b"10"] == read_all(kafka_broker, [OffsetRange(topic, 0, 3, 11)])


def test_a_reader_continues_at_the_positions_of_another(kafka_broker: KafkaBroker) -> None:
    """The next reader needs only the positions: no record twice, none missing."""
    topic = topic_of(kafka_broker)
    produce(kafka_broker, topic, numbers(3_000))
    (whole,) = found(kafka_broker, topic)
    first: list[bytes] = []
    with RangeReader(settings(kafka_broker), [whole]) as reader:
        while len(first) < 500:
            for records in reader.read(0.1, most=100).values():
                first += [cast("bytes", record.value()) for record in records]
        (rest,) = (
            OffsetRange(topic, 0, position, whole.end) for position in reader.positions.values()
        )
    assert numbers(3_000) == first + read_all(kafka_broker, [rest])


def test_the_groups_positions_are_read_and_never_changed(kafka_broker: KafkaBroker) -> None:
    """A range is read under the group's name, without joining the group."""
    topic, group = topic_of(kafka_broker, 2), group_name()
    produce(kafka_broker, topic, numbers(10))
    kafka_broker.set_position(group, topic, {0: 4})
    with RangeFinder(settings(kafka_broker, group)) as finder:
        offset_ranges = finder.offset_ranges(topic, None, None)
        assert {(topic, 0): 4} == finder.positions([one.place for one in offset_ranges])
    with RangeReader(settings(kafka_broker, group), offset_ranges) as reader:
        while not reader.is_complete:
            reader.read(0.1)
    assert {0: 4} == kafka_broker.committed(group, topic)


def test_records_that_are_deleted_before_they_are_read_are_not_skipped(
    kafka_broker: KafkaBroker,
) -> None:
    """Retention between finding and reading: refused, with the place."""
    topic = topic_of(kafka_broker)
    produce(kafka_broker, topic, numbers(10))
    (whole,) = found(kafka_broker, topic)
    kafka_broker.delete_records(topic, 0, 6)
    with pytest.raises(
        Refusal, match=rf"{topic}\[0\]: the records from offset 0 on were deleted before they"
    ):
        read_all(kafka_broker, [whole])


def test_reading_continues_after_a_broker_outage(kafka_broker: KafkaBroker) -> None:
    """The client's error is shown meanwhile.

    Then reading continues; no record is read twice, none is missing.
    """
    topic = topic_of(kafka_broker)
    # More than the client's queue holds.
    written = [b"%d" % number + b"." * 1_000 for number in range(20_000)]
    produce(kafka_broker, topic, written)
    (whole,) = found(kafka_broker, topic)
    values: list[bytes] = []
    give_up_s = time.monotonic() + 90
    with RangeReader(settings(kafka_broker), [whole]) as reader:
        read_into(values, reader, lambda: len(values) > 0, give_up_s)
        kafka_broker.kill()
        try:
            read_into(values, reader, lambda: bool(reader.trouble), give_up_s)
        finally:
            kafka_broker.start()
        read_into(values, reader, lambda: reader.is_complete, give_up_s)
        assert "" == reader.trouble
    assert written == values


def read_into(
    values: list[bytes], reader: RangeReader, is_over: Callable[[], bool], give_up_s: float
) -> None:
    """Read until a condition holds."""
    while not is_over():
        assert time.monotonic() < give_up_s, (reader.positions, reader.trouble)
        for records in reader.read(0.1, most=100).values():
            values += [cast("bytes", record.value()) for record in records]


def test_a_missing_topic_or_partition_is_refused(kafka_broker: KafkaBroker) -> None:
    """The error names it, and what exists."""
    with RangeFinder(settings(kafka_broker)) as finder:
        with pytest.raises(Refusal, match="topic `nowhere-at-all` does not exist"):
            finder.offset_ranges("nowhere-at-all", None, None)
        topic = topic_of(kafka_broker, 2)
        with pytest.raises(Refusal, match="expected a partition from 0 to 1, got 7"):
            finder.offset_ranges(topic, None, None, [7])
