"""Records of a range, read by a consumer of its own.

Exactly those, and it knows when it has all of them.
"""

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
"""What one `read` gives at most, unless told otherwise."""


class RangeReader(StandaloneClient):
    """Reads stretches while its `with` block lasts, outlasting brokers that come and go.

    For one thread at a time.

    `positions` is the next offset of each stretch, its end once it is complete: a reader that is
    made of stretches that begin there goes on where this one was. What was aborted is not read;
    holes, markers and what was aborted at the end of a stretch do not keep it from being complete.
    `trouble` is what the client last complained of, nothing since records came again.
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
        """Whether every record of every stretch was given."""
        return not self._unread

    def read(self, wait_s: float, most: int = MOST_RECORDS) -> dict[PartitionKey, list[Record]]:
        """Return the next records by partition, in offset order.

        None when none came within `wait_s`.

        Raises: `Refusal` when records of the range are gone before they were read; `Fatal` when the
        client cannot go on.
        """
        found: dict[PartitionKey, list[Record]] = {}
        messages = self._consumer.consume(1, wait_s)
        if messages:
            messages += self._consumer.consume(most - 1, 0)
        for message in messages:
            self._take(message, found)
        if self._fatal:
            raise Fatal(self._fatal)
        return found

    def _take(self, message: Message, found: dict[PartitionKey, list[Record]]) -> None:
        """Give a record its place, or see what the client says instead of one."""
        place = (cast("str", message.topic()), cast("int", message.partition()))
        offset = cast("int", message.offset())
        error = message.error()
        if error is not None:
            self._judge(error, place, offset)
        elif place in self._unread:
            if offset < self._ends[place]:
                found.setdefault(place, []).append(cast("Record", message))
                self.trouble = ""
            self._reached(place, offset + 1)

    def _judge(self, error: KafkaError, place: PartitionKey, offset: int) -> None:
        """See what an error says of a partition.

        That it ends here, that its records are gone, or that it waits.
        """
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the library's spelling
            if place in self._unread:
                self._reached(place, offset)
        elif class_of(error) is ErrorClass.OFFSET_LOST:
            where = f"{place[0]}[{place[1]}]"
            message = (
                f"{where}: from {self.positions.get(place)} on records are gone before they"
                f" were read (retention,"
                f" deletion, truncation); ask for a range that begins later ({detail_of(error)})"
            )
            raise Refusal(message)
        else:
            self._note(error)

    def _reached(self, place: PartitionKey, offset: int) -> None:
        """All below `offset` was seen; a partition that is complete is not fetched any more."""
        end = self._ends[place]
        self.positions[place] = min(max(offset, self.positions[place]), end)
        if offset >= end:
            self._unread.discard(place)
            self._consumer.pause([TopicPartition(*place)])

    def _note(self, error: KafkaError) -> None:
        """Keep what the client complains of; what it calls fatal ends the reading."""
        match class_of(error):
            case ErrorClass.IGNORED:
                pass
            case ErrorClass.FATAL:
                self._fatal = detail_of(error)
            case _:
                self.trouble = detail_of(error)
