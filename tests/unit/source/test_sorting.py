"""Messages become chunks and ends."""

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
from consumer.source.ownership import Ownership, StartPosition
from consumer.source.sorting import MessageSorter
from tests.unit.source.client import Answers

if TYPE_CHECKING:
    from confluent_kafka import Message

    from consumer.model import Assignment
    from consumer.source.port import Chunk, SourceEvents


class Told(PlainRecord):
    """A record, or an error, as the client hands it over."""

    def __init__(
        self, partition: int, offset: int, code: int | None = None, topic: str | None = "t"
    ) -> None:
        super().__init__(topic or "", partition, offset, value=b"v")
        self._code = code
        self._named = topic

    def error(self) -> KafkaError | None:
        """Stand in for the client's method."""
        return None if self._code is None else KafkaError(self._code)

    def leader_epoch(self) -> int:
        """Stand in for the client's method: a new leader from offset 8 on."""
        return 3 if self.offset() < 8 else 4

    def topic(self) -> str:
        """Stand in for the client's method, which gives `None` for errors of no topic."""
        return cast("str", self._named)


class ApiUser:
    """Two partitions being read from 5 on, and who listens."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.ended: list[str] = []
        self.client = Answers()
        self.ownership = Ownership()
        self.ownership.take([StartPosition(("t", 0), 5, 5), StartPosition(("t", 1), 5, 5)])
        self.hand_over = ChunkQueue(asyncio.get_running_loop(), cast("SourceEvents", self))
        active_errors = ActiveErrors(
            lambda reason, detail, assignment: self.heard.append(
                f"held {reason} {assignment}: {detail}"
            ),
            lambda reason, assignment: self.heard.append(f"released {reason} {assignment}"),
        )
        self.errors = ErrorClassifier(SystemClock(), active_errors, self.ended.append)
        watch = BrokerWatch(("t",), self.ownership, active_errors)
        self.sorting = MessageSorter(
            self.ownership, self.hand_over, active_errors, watch, self.errors
        )

    def chunk(self, chunk: Chunk) -> None:
        """A `SourceEvents` method."""
        self.heard.append(
            f"{chunk.assignment.partition}: {[record.offset() for record in chunk.records]}"
        )

    def reached_end(self, assignment: Assignment, offset: int) -> None:
        """A `SourceEvents` method."""
        self.heard.append(f"{assignment.partition}: end {offset}")

    async def sort(self, *messages: Told) -> None:
        """Sort, and let the loop hear it."""
        self.sorting.sort(
            self.client.as_consumer(), [cast("Message", message) for message in messages]
        )
        self.hand_over.flush(0)
        await asyncio.sleep(0)


async def test_records_of_one_partition_are_one_chunk() -> None:
    """However they are mixed."""
    api = ApiUser()
    await api.sort(Told(0, 5), Told(1, 5), Told(0, 6), Told(1, 9))
    assert ["0: [5, 6]", "1: [5, 9]"] == api.heard


async def test_a_gap_in_the_log_is_read_across() -> None:
    """Compaction and transactions leave offsets without records: nothing waits for them."""
    api = ApiUser()
    await api.sort(Told(0, 5))
    await api.sort(Told(0, 9), Told(0, 12))
    assert ["0: [5]", "0: [9, 12]"] == api.heard


async def test_an_end_stands_between_what_came_before_and_after_it() -> None:
    """The position may pass over markers only once the records before them are known."""
    api = ApiUser()
    await api.sort(Told(0, 5), Told(1, 5), Told(0, 8, KafkaError._PARTITION_EOF), Told(0, 8))
    assert ["0: [5]", "0: end 8", "1: [5]", "0: [8]"] == api.heard


async def test_what_is_read_is_known_by_its_leader() -> None:
    """A position is committed with the epoch of the record before it.

    Across a change of leaders too.
    """
    api = ApiUser()
    await api.sort(Told(0, 5), Told(0, 7), Told(0, 8), Told(0, 9))
    owned = api.ownership.at(("t", 0))
    assert owned is not None
    assert [3, 3, 4] == [
        api.ownership.to_commit(owned.assignment, position).leader_epoch for position in (6, 8, 10)
    ]


async def test_what_is_not_ours_is_dropped() -> None:
    """Its next owner reads it again."""
    api = ApiUser()
    await api.sort(Told(7, 5), Told(7, 6, KafkaError._PARTITION_EOF), Told(0, 5))
    assert ["0: [5]"] == api.heard


async def test_nothing_comes_twice_and_the_position_does_not_go_back() -> None:
    """Of a client that was given the partition anew, a leftover may still arrive."""
    api = ApiUser()
    await api.sort(Told(0, 5), Told(0, 6))
    await api.sort(Told(0, 6), Told(0, 7), Told(1, 3), Told(1, 4, KafkaError._PARTITION_EOF))
    assert ["0: [5, 6]", "0: [7]"] == api.heard


async def test_i10_a_lost_position_is_told_with_figures_and_read_no_more() -> None:
    """Once, and the other partition goes on."""
    api = ApiUser()
    api.client.watermarks = {("t", 0): (80, 120)}
    lost = KafkaError._AUTO_OFFSET_RESET
    await api.sort(
        Told(0, 5, lost),
        Told(0, 80),
        Told(0, 5, lost),
        Told(0, 120, KafkaError._PARTITION_EOF),
        Told(1, 5),
    )
    [held, other] = api.heard
    assert held.startswith(
        "held OFFSET_LOST t[0]#1: t[0]: position 5, but the partition holds 80 to 120: "
    )
    assert "1: [5]" == other


async def test_a_lost_position_without_figures_is_told_all_the_same() -> None:
    """The loss is certain; the figures are for the reader."""
    api = ApiUser()
    api.client.silent = True
    await api.sort(Told(0, 5, KafkaError.OFFSET_OUT_OF_RANGE))
    assert api.heard[0].startswith(
        "held OFFSET_LOST t[0]#1: t[0]: position 5, but the partition does not hold it"
    )


async def test_a_batch_that_cannot_be_read_holds_its_partition_until_it_can() -> None:
    """The client asks for it again; nothing is skipped."""
    api = ApiUser()
    await api.sort(Told(0, 5, KafkaError._BAD_MSG))
    held = [*api.heard]
    await api.sort(Told(0, 5))
    assert held[0].startswith("held BROKER t[0]#1: t[0]: _BAD_MSG")
    assert ["released BROKER t[0]#1", "0: [5]"] == api.heard[1:]


async def test_a_topic_that_may_not_be_read_is_a_hold() -> None:
    """The client names the topic and sometimes the partition."""
    api = ApiUser()
    await api.sort(Told(-1, 0, KafkaError.TOPIC_AUTHORIZATION_FAILED))
    assert api.heard[0].startswith(
        "held AUTH None: TOPIC_AUTHORIZATION_FAILED: grant this user READ"
    )


async def test_a_group_that_may_not_be_used_is_a_hold() -> None:
    """It concerns no topic."""
    api = ApiUser()
    await api.sort(Told(-1, 0, KafkaError.GROUP_AUTHORIZATION_FAILED, topic=None))
    assert api.heard[0].startswith(
        "held AUTH None: GROUP_AUTHORIZATION_FAILED: grant this user READ"
    )


async def test_an_eviction_is_neither_a_hold_nor_the_end() -> None:
    """The client joins again by itself."""
    api = ApiUser()
    await api.sort(Told(-1, 0, KafkaError._MAX_POLL_EXCEEDED, topic=None))
    assert ([], [], False) == (api.heard, api.ended, api.errors.fatal)


async def test_a_fatal_error_is_told_once() -> None:
    """A broken client repeats it with every call."""
    api = ApiUser()
    await api.sort(
        Told(-1, 0, KafkaError._FATAL, topic=None), Told(-1, 0, KafkaError._FENCED, topic=None)
    )
    assert ["_FATAL"] == [detail.partition(":")[0] for detail in api.ended]
