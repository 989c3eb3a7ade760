"""Reads exactly the records of given offset ranges, and knows when they are complete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from confluent_kafka import KafkaError, TopicPartition

from consumer.errors import Fatal, Refusal
from consumer.operations.kafka.standalone_client import StandaloneClient
from consumer.source.error_codes import ErrorClass, class_of, detail_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from confluent_kafka import Message

    from consumer.model import PartitionKey, Record
    from consumer.operations.kafka.ranges import OffsetRange
    from consumer.source.settings import KafkaSettings

MOST_RECORDS: Final = 2_000
"""How many records one `read` returns at most by default."""


class RangeReader(StandaloneClient):
    """Reads offset ranges inside its `with` block; survives restarts of brokers.

    Use it from one thread at a time.

    `positions` has the next offset of each range, which is its end once the range is complete. A
    new reader of ranges that begin at these positions continues where this one stopped. Records of
    aborted transactions are not returned. Gaps, markers and aborted records at the end of a range
    do not keep it from being complete. `trouble` is the last error of the client, and empty once
    records arrive again.
    """

    def __init__(self, settings: KafkaSettings, offset_ranges: Iterable[OffsetRange]) -> None:
        self.trouble = ""
        self._fatal = ""
        self._ends = {one.place: one.end for one in offset_ranges}
        self.positions: dict[PartitionKey, int] = {one.place: one.begin for one in offset_ranges}
        self._unread = {place for place, end in self._ends.items() if self.positions[place] < end}
        super().__init__(settings, settings.group_id)
        self._consumer.assign(
            [TopicPartition(*place, self.positions[place]) for place in sorted(self._unread)]
        )

    @property
    def is_complete(self) -> bool:
        """Whether every record of every range was returned."""
        return not self._unread

    def read(self, wait_s: float, most: int = MOST_RECORDS) -> dict[PartitionKey, list[Record]]:
        """Return the next records by partition, in offset order.

        Empty if no record arrives within `wait_s`.

        Raises: `Refusal` if records of a range were deleted before they were read; `Fatal` if the
        client cannot continue.
        """
        found: dict[PartitionKey, list[Record]] = {}
        # Wait only for the first message: `consume(most, wait_s)` would wait until all are there.
        messages = self._consumer.consume(1, wait_s)
        if messages:
            messages += self._consumer.consume(most - 1, 0)
        for message in messages:
            self._take(message, found)
        if self._fatal:
            raise Fatal(self._fatal)
        return found

    def _take(self, message: Message, found: dict[PartitionKey, list[Record]]) -> None:
        """Add a record to its partition, or handle the error that the client returned instead."""
        place = (cast("str", message.topic()), cast("int", message.partition()))
        offset = cast("int", message.offset())
        error = message.error()
        if error is not None:
            self._handle(error, place, offset)
        elif place in self._unread:
            # A record at or beyond the end still proves that nothing is missing before it.
            if offset < self._ends[place]:
                found.setdefault(place, []).append(cast("Record", message))
                self.trouble = ""
            self._reached(place, offset + 1)

    def _handle(self, error: KafkaError, place: PartitionKey, offset: int) -> None:
        """Handle an error of a partition: its end, deleted records, or a transient error."""
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the library's spelling
            if place in self._unread:
                self._reached(place, offset)
        elif class_of(error) is ErrorClass.OFFSET_LOST:
            message = (
                f"{place[0]}[{place[1]}]: the records from offset {self.positions.get(place)} on"
                f" were deleted before they were read (retention, deletion or truncation): choose"
                f" a range that begins later ({detail_of(error)})"
            )
            raise Refusal(message)
        else:
            self._note(error)

    def _reached(self, place: PartitionKey, offset: int) -> None:
        """Note that all offsets below `offset` were read, and stop fetching a complete range."""
        end = self._ends[place]
        self.positions[place] = min(max(offset, self.positions[place]), end)
        if offset >= end:
            self._unread.discard(place)
            self._consumer.pause([TopicPartition(*place)])

    def _note(self, error: KafkaError) -> None:
        """Keep an error of the client; `read` raises a fatal one."""
        match class_of(error):
            case ErrorClass.IGNORED:
                pass
            case ErrorClass.FATAL:
                self._fatal = detail_of(error)
            case _:
                self.trouble = detail_of(error)
