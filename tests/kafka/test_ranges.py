"""Ranges on a real broker: found, read to the last record and no further.

Whatever holes the log has.
"""

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


def settings(broker: KafkaBroker, group: str = "bystanders") -> KafkaSettings:
    return KafkaSettings(bootstrap_servers=broker.bootstrap, group_id=group, topics=("unused",))


def found(
    broker: KafkaBroker, topic: str, begin: RangeBound | None = None, end: RangeBound | None = None
) -> list[OffsetRange]:
    with RangeFinder(settings(broker)) as finder:
        return finder.offset_ranges(topic, begin, end)


def read_all(broker: KafkaBroker, offset_ranges: list[OffsetRange]) -> list[bytes]:
    """Read stretches until they are complete, and return the values."""
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
    """Write values in transactions of which each is committed, or aborted."""
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
    """Of each partition from the first offset to the one before the last, though more is there."""
    topic = topic_of(kafka_broker, 2)
    for partition in range(2):
        produce(kafka_broker, topic, numbers(5_000), partition)
    offset_ranges = found(kafka_broker, topic, AtOffset(100), AtOffset(4_100))
    assert [(100, 4_100), (100, 4_100)] == [(one.begin, one.end) for one in offset_ranges]
    assert sorted(numbers(4_000, 100) * 2) == sorted(read_all(kafka_broker, offset_ranges))


def test_a_range_by_time_is_found_in_each_partition(kafka_broker: KafkaBroker) -> None:
    """The first record that is not older begins it.

    The first that is not before its end is left out.
    """
    topic = topic_of(kafka_broker, 3, retention_ms="-1")
    for at_s in range(1, 6):
        produce(kafka_broker, topic, [b"%d" % at_s], 0, timestamp=at_s * 1000)
    produce(kafka_broker, topic, [b"early"], 1, timestamp=1)
    offset_ranges = found(kafka_broker, topic, AtTime(2_000), AtTime(4_000))
    assert [(1, 3), (1, 1), (0, 0)] == [(one.begin, one.end) for one in offset_ranges]
    assert [b"2", b"3"] == read_all(kafka_broker, offset_ranges)


def test_what_was_aborted_is_passed_wherever_it_lies(kafka_broker: KafkaBroker) -> None:
    """In the middle, and as all that is left up to the end.

    Markers and aborted records neither end nor keep it.
    """
    topic = topic_of(kafka_broker)
    lost, kept = [b"lost"] * 5, [b"kept"]
    transact(kafka_broker, topic, (kept, True), (lost, False), (kept, True), (lost, False))
    (whole,) = found(kafka_broker, topic)
    assert (0, 16) == (whole.begin, whole.end)
    assert [b"kept", b"kept"] == read_all(kafka_broker, [whole])


def test_a_range_that_ends_among_aborted_records_is_complete(kafka_broker: KafkaBroker) -> None:
    """The next record that can be read is beyond it; that one tells, and is not given."""
    topic = topic_of(kafka_broker)
    transact(kafka_broker, topic, ([b"kept"], True), ([b"lost"] * 5, False), ([b"beyond"], True))
    assert [b"kept"] == read_all(kafka_broker, [OffsetRange(topic, 0, 0, 4)])
    assert [] == read_all(kafka_broker, [OffsetRange(topic, 0, 2, 6)])


def test_an_open_transaction_is_beyond_the_end(kafka_broker: KafkaBroker) -> None:
    """Nobody knows yet whether it happened."""
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


def test_compaction_leaves_holes_that_are_no_end(kafka_broker: KafkaBroker) -> None:
    """Before the range's end, and at it: what is left is read, and the range is complete."""
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
    put(
        b"c", b"11", 5_000
    )  # later than `segment.ms`: what came before lies in a segment that may be compacted
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


def test_a_reader_goes_on_where_another_was(kafka_broker: KafkaBroker) -> None:
    """Its positions are all that the next needs: nothing twice, nothing left out."""
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


def test_the_groups_positions_are_asked_and_never_moved(kafka_broker: KafkaBroker) -> None:
    """A range is read beside the group, under its name."""
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


def test_records_that_go_before_they_are_read_are_not_passed_over(
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


def test_a_broker_that_dies_is_outlasted(kafka_broker: KafkaBroker) -> None:
    """What the client complains of is shown meanwhile.

    Then it goes on, nothing twice and nothing left out.
    """
    topic = topic_of(kafka_broker)
    written = [
        b"%d" % number + b"." * 1_000 for number in range(20_000)
    ]  # more than the client keeps unread
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
    """Read until something is so."""
    while not is_over():
        assert time.monotonic() < give_up_s, (reader.positions, reader.trouble)
        for records in reader.read(0.1, most=100).values():
            values += [cast("bytes", record.value()) for record in records]


def test_a_topic_or_a_partition_that_is_not_there_is_refused(kafka_broker: KafkaBroker) -> None:
    """By name, with what there is."""
    with RangeFinder(settings(kafka_broker)) as finder:
        with pytest.raises(Refusal, match="topic `nowhere-at-all` does not exist"):
            finder.offset_ranges("nowhere-at-all", None, None)
        topic = topic_of(kafka_broker, 2)
        with pytest.raises(Refusal, match="expected a partition from 0 to 1, got 7"):
            finder.offset_ranges(topic, None, None, [7])
