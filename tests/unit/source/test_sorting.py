"""Messages are sorted into chunks, ends of partitions and errors."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from confluent_kafka import KafkaError

from consumer.clock import SystemClock
from consumer.model import PlainRecord
from consumer.source.active_errors import ActiveErrors
from consumer.source.broker_watch import BrokerWatch
from consumer.source.chunk_queue import ChunkQueue
from consumer.source.errors import ErrorClassifier
from consumer.source.offset_requests import OffsetRequests
from consumer.source.ownership import Ownership, StartPosition
from consumer.source.sorting import MessageSorter
from consumer.source.subscribed_topics import SubscribedTopics
from tests.unit.source.client import Answers

if TYPE_CHECKING:
    from confluent_kafka import Message

    from consumer.model import Assignment
    from consumer.source.port import Chunk, SourceEvents


class FakeMessage(PlainRecord):
    """A record, or an error, as the client returns it."""

    def __init__(
        self, partition: int, offset: int, code: int | None = None, topic: str | None = "t"
    ) -> None:
        super().__init__(topic or "", partition, offset, value=b"v")
        self._code = code
        self._named = topic

    def error(self) -> KafkaError | None:
        """Fake the client's method."""
        return None if self._code is None else KafkaError(self._code)

    def leader_epoch(self) -> int:
        """Fake the client's method: a new leader from offset 8 on."""
        return 3 if self.offset() < 8 else 4

    def topic(self) -> str:
        """Fake the client's method, which returns `None` for errors without a topic."""
        return cast("str", self._named)


class ApiUser:
    """Two partitions that are read from offset 5 on, and the receiver of the events."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.ended: list[str] = []
        self.client = Answers()
        self.ownership = Ownership()
        self.ownership.take([StartPosition(("t", 0), 5, 5), StartPosition(("t", 1), 5, 5)])
        self.chunk_queue = ChunkQueue(asyncio.get_running_loop(), cast("SourceEvents", self))
        active_errors = ActiveErrors(
            lambda reason, detail, assignment: self.events.append(
                f"held {reason} {assignment}: {detail}"
            ),
            lambda reason, assignment: self.events.append(f"released {reason} {assignment}"),
        )
        self.errors = ErrorClassifier(SystemClock(), active_errors, self.ended.append)
        offsets = OffsetRequests(Answers().as_administrator())
        watch = BrokerWatch(SubscribedTopics(("t",)), self.ownership, active_errors, offsets)
        self.sorting = MessageSorter(
            self.ownership, self.chunk_queue, active_errors, watch, self.errors
        )

    def chunk(self, chunk: Chunk) -> None:
        """A `SourceEvents` method."""
        self.events.append(
            f"{chunk.assignment.partition}: {[record.offset() for record in chunk.records]}"
        )

    def reached_end(self, assignment: Assignment, offset: int) -> None:
        """A `SourceEvents` method."""
        self.events.append(f"{assignment.partition}: end {offset}")

    async def sort(self, *messages: FakeMessage) -> None:
        """Sort the messages, and let the loop process the events."""
        self.sorting.sort(
            self.client.as_consumer(), [cast("Message", message) for message in messages]
        )
        self.chunk_queue.flush(0)
        await asyncio.sleep(0)


async def test_records_of_one_partition_are_one_chunk() -> None:
    """In any order of partitions."""
    api = ApiUser()
    await api.sort(FakeMessage(0, 5), FakeMessage(1, 5), FakeMessage(0, 6), FakeMessage(1, 9))
    assert ["0: [5, 6]", "1: [5, 9]"] == api.events


async def test_a_gap_in_the_log_is_normal() -> None:
    """Compaction and transactions leave offsets without records: nothing waits for them."""
    api = ApiUser()
    await api.sort(FakeMessage(0, 5))
    await api.sort(FakeMessage(0, 9), FakeMessage(0, 12))
    assert ["0: [5]", "0: [9, 12]"] == api.events


async def test_an_end_keeps_its_place_between_the_records() -> None:
    """The position may pass markers only once the records before them are known."""
    api = ApiUser()
    await api.sort(
        FakeMessage(0, 5),
        FakeMessage(1, 5),
        FakeMessage(0, 8, KafkaError._PARTITION_EOF),
        FakeMessage(0, 8),
    )
    assert ["0: [5]", "0: end 8", "1: [5]", "0: [8]"] == api.events


async def test_read_records_bring_their_leader_epoch() -> None:
    """A position is committed with the epoch of the record before it."""
    api = ApiUser()
    await api.sort(FakeMessage(0, 5), FakeMessage(0, 7), FakeMessage(0, 8), FakeMessage(0, 9))
    owned = api.ownership.at(("t", 0))
    assert owned is not None
    assert [3, 3, 4] == [
        api.ownership.to_commit(owned.assignment, position).leader_epoch for position in (6, 8, 10)
    ]


async def test_records_of_other_partitions_are_dropped() -> None:
    """The next owner reads them again."""
    api = ApiUser()
    await api.sort(
        FakeMessage(7, 5), FakeMessage(7, 6, KafkaError._PARTITION_EOF), FakeMessage(0, 5)
    )
    assert ["0: [5]"] == api.events


async def test_nothing_comes_twice_and_the_position_does_not_go_back() -> None:
    """After a new assignment of the partition, the client may return records of before."""
    api = ApiUser()
    await api.sort(FakeMessage(0, 5), FakeMessage(0, 6))
    await api.sort(
        FakeMessage(0, 6),
        FakeMessage(0, 7),
        FakeMessage(1, 3),
        FakeMessage(1, 4, KafkaError._PARTITION_EOF),
    )
    assert ["0: [5, 6]", "0: [7]"] == api.events


async def test_i10_a_lost_position_is_reported_with_offsets_and_not_read() -> None:
    """Once; the other partition continues."""
    api = ApiUser()
    api.client.watermarks = {("t", 0): (80, 120)}
    lost = KafkaError._AUTO_OFFSET_RESET
    await api.sort(
        FakeMessage(0, 5, lost),
        FakeMessage(0, 80),
        FakeMessage(0, 5, lost),
        FakeMessage(0, 120, KafkaError._PARTITION_EOF),
        FakeMessage(1, 5),
    )
    [held, other] = api.events
    assert held.startswith(
        "held OFFSET_LOST t[0]#1: t[0]: position 5 cannot be read; "
        "the partition has offsets 80 to 120: "
    )
    assert "1: [5]" == other


async def test_a_lost_position_without_offsets_is_reported_too() -> None:
    """The loss is certain; the offsets are only for the message."""
    api = ApiUser()
    api.client.silent = True
    await api.sort(FakeMessage(0, 5, KafkaError.OFFSET_OUT_OF_RANGE))
    assert api.events[0].startswith(
        "held OFFSET_LOST t[0]#1: t[0]: position 5 is not in the partition any more, and"
    )


async def test_a_batch_that_cannot_be_read_holds_its_partition_until_it_can() -> None:
    """The client fetches it again; nothing is skipped."""
    api = ApiUser()
    await api.sort(FakeMessage(0, 5, KafkaError._BAD_MSG))
    held = [*api.events]
    await api.sort(FakeMessage(0, 5))
    assert held[0].startswith("held BROKER t[0]#1: t[0]: _BAD_MSG")
    assert ["released BROKER t[0]#1", "0: [5]"] == api.events[1:]


async def test_a_topic_that_may_not_be_read_is_a_hold() -> None:
    """The client names the topic, and sometimes the partition."""
    api = ApiUser()
    await api.sort(FakeMessage(-1, 0, KafkaError.TOPIC_AUTHORIZATION_FAILED))
    assert api.events[0].startswith(
        "held AUTH None: TOPIC_AUTHORIZATION_FAILED: grant this user READ"
    )


async def test_a_group_that_may_not_be_used_is_a_hold() -> None:
    """It applies to no topic."""
    api = ApiUser()
    await api.sort(FakeMessage(-1, 0, KafkaError.GROUP_AUTHORIZATION_FAILED, topic=None))
    assert api.events[0].startswith(
        "held AUTH None: GROUP_AUTHORIZATION_FAILED: grant this user READ"
    )


async def test_an_eviction_is_neither_a_hold_nor_fatal() -> None:
    """The client joins again by itself."""
    api = ApiUser()
    await api.sort(FakeMessage(-1, 0, KafkaError._MAX_POLL_EXCEEDED, topic=None))
    assert ([], [], False) == (api.events, api.ended, api.errors.fatal)


async def test_a_fatal_error_is_reported_once() -> None:
    """A failed client repeats it with every call."""
    api = ApiUser()
    await api.sort(
        FakeMessage(-1, 0, KafkaError._FATAL, topic=None),
        FakeMessage(-1, 0, KafkaError._FENCED, topic=None),
    )
    assert ["_FATAL"] == [detail.partition(":")[0] for detail in api.ended]
