"""The nouns carried between rooms.

A Kafka **record** becomes **object changes** (`Upsert` or `Delete` of one Data Cloud row), which
are packed into a **batch**, which is sent as a `Request`, answered by an `Answer`, and read as a
**verdict**.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence


PartitionKey: TypeAlias = tuple[str, int]
"""Topic and partition."""

Headers: TypeAlias = "Sequence[tuple[str, bytes | None]]"


class Record(Protocol):
    """A Kafka record as the client hands it over; `confluent_kafka.Message` is one as it stands."""

    def topic(self) -> str:
        """Topic name."""
        ...

    def partition(self) -> int:
        """Partition number."""
        ...

    def offset(self) -> int:
        """Offset in the partition."""
        ...

    def key(self) -> bytes | None:
        """Key bytes; `None` for a null key."""
        ...

    def value(self) -> bytes | None:
        """Value bytes; `None` for a tombstone, `b''` for an empty value."""
        ...

    def headers(self) -> Headers | None:
        """Headers in order, duplicates kept; `None` when there are none."""
        ...

    def timestamp(self) -> tuple[int, int]:
        """Timestamp type (0 unknown, 1 create, 2 append) and milliseconds since the epoch."""
        ...

    def __len__(self) -> int:
        """Bytes of the value."""
        ...


class PlainRecord:
    """A record that came from somewhere else than the Kafka client.

    Standard input, a sample, a test.
    """

    __slots__ = ("_headers", "_key", "_offset", "_partition", "_timestamp_ms", "_topic", "_value")

    def __init__(
        self,
        topic: str,
        partition: int = 0,
        offset: int = 0,
        *,
        key: bytes | None = None,
        value: bytes | None = None,
        headers: Headers | None = None,
        timestamp_ms: int = 0,
    ) -> None:
        self._topic = topic
        self._partition = partition
        self._offset = offset
        self._key = key
        self._value = value
        self._headers = headers
        self._timestamp_ms = timestamp_ms

    def topic(self) -> str:
        """Topic name."""
        return self._topic

    def partition(self) -> int:
        """Partition number."""
        return self._partition

    def offset(self) -> int:
        """Offset in the partition."""
        return self._offset

    def key(self) -> bytes | None:
        """Key bytes."""
        return self._key

    def value(self) -> bytes | None:
        """Value bytes."""
        return self._value

    def headers(self) -> Headers | None:
        """Headers in order."""
        return self._headers

    def timestamp(self) -> tuple[int, int]:
        """Create time in milliseconds since the epoch."""
        return (1 if self._timestamp_ms else 0, self._timestamp_ms)

    def __len__(self) -> int:
        """Bytes of the value."""
        return len(self._value or b"")


class Operation(StrEnum):
    """What a request does to rows; also the metric label."""

    UPSERT = "upsert"
    DELETE = "delete"


class FilterRule(StrEnum):
    """Why a record is deliberately not sent: the closed list, said in `map` and in the log."""

    TOMBSTONE = "tombstone"
    HEARTBEAT = "heartbeat"
    TRANSACTION = "transaction"
    SCHEMA_CHANGE = "schema_change"
    MESSAGE = "message"
    DDL = "ddl"
    CONTROL = "control"
    BOOTSTRAP = "bootstrap"
    WHERE = "where"
    DELETES = "deletes"
    CUSTOM = "custom"
    SUPERSEDED = "superseded"


class Target(msgspec.Struct, frozen=True):
    """Where rows go: one object of one Ingestion API connector."""

    connector: str
    object: str


class Assignment:
    """One ownership of one partition: made when it is assigned, forgotten when it goes.

    Compared by identity: a later epoch of the same partition is another object. `next_offset` is
    the next position to read once nothing is open; `committed` is the position that the group has
    confirmed, `None` when it had none. `open_count` and `held_bytes` are of the records that were
    polled and are not settled.
    """

    __slots__ = (
        "committed",
        "epoch",
        "held_bytes",
        "next_offset",
        "open_count",
        "partition",
        "topic",
    )

    def __init__(
        self, topic: str, partition: int, epoch: int, next_offset: int, committed: int | None
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.epoch = epoch
        self.next_offset = next_offset
        self.committed = committed
        self.open_count = 0
        self.held_bytes = 0

    def __repr__(self) -> str:
        return f"{self.topic}[{self.partition}]#{self.epoch}"


class RecordOutcome(StrEnum):
    """What became of a record, once: the `outcome` label.

    Of a record with several parts the first that applies.
    """

    DEAD_LETTERED = "dead_lettered"
    ACCEPTED = "accepted"
    CONFLATED = "conflated"
    FILTERED = "filtered"
    RELEASED = "released"
    """Polled, not settled, and handed over with its partition: its next owner reads it again."""


class PartialRecord:
    """A record that became several parts.

    It is settled when all are, with the weightiest of their outcomes.
    """

    __slots__ = ("assignment", "outcomes", "parts_open", "value_bytes")

    def __init__(self, assignment: Assignment, parts_open: int, value_bytes: int) -> None:
        self.assignment = assignment
        self.parts_open = parts_open
        self.value_bytes = value_bytes
        self.outcomes: set[RecordOutcome] = set()


class RecordCount:
    """How many records something stands for, and the bytes of their values."""

    __slots__ = ("count", "value_bytes")

    def __init__(self) -> None:
        self.count = 0
        self.value_bytes = 0

    def add(self, count: int, value_bytes: int) -> None:
        """Count more records, or fewer."""
        self.count += count
        self.value_bytes += value_bytes


class Low(NamedTuple):
    """The lowest open offset of a partition that something holds, and that record's timestamp.

    Sorts by offset.
    """

    offset: int
    timestamp_ms: int


class Superseded:
    """Older changes whose settlement rides on a newer one of their key.

    Conflated, and open until it settles.

    `bare_count` counts the records that became one change alone, `bare_bytes` their values; those
    that became several are in `partial_records`. `kept` are records whose fields the newer change
    carries too (partial mode): when it is rejected they go to the dead-letter topic with it.
    """

    __slots__ = ("assignment", "bare_bytes", "bare_count", "kept", "low", "partial_records")

    def __init__(self, assignment: Assignment, low: Low) -> None:
        self.assignment = assignment
        self.low = low
        self.bare_count = 0
        self.bare_bytes = 0
        self.partial_records: list[PartialRecord] = []
        self.kept: list[tuple[Record, PartialRecord | None]] = []

    def take(self, record: Record, partial_record: PartialRecord | None) -> None:
        """Let one more record ride, that is not needed any more itself."""
        if partial_record is None:
            self.bare_count += 1
            self.bare_bytes += len(record)
        else:
            self.partial_records.append(partial_record)


class Upsert(msgspec.Struct, gc=False):
    """One row to write. The hot path makes one of these per record and nothing else.

    `encoded` is the row as JSON bytes, encoded once. `record` is the source, kept until settled
    because a rejected row goes to the dead-letter topic as it came. Mapping gives the first three;
    the batcher fills the rest: whose record it is, the older changes that it replaced, the ticket
    when it is one part of several.
    """

    key: str
    encoded: bytes
    record: Record
    assignment: Assignment | None = None
    superseded: list[Superseded] | None = None
    partial_record: PartialRecord | None = None


class Delete(msgspec.Struct, gc=False):
    """One row to remove. `encoded` is the key as a JSON string.

    As it stands in the request's `ids`.
    """

    key: str
    encoded: bytes
    record: Record
    assignment: Assignment | None = None
    superseded: list[Superseded] | None = None
    partial_record: PartialRecord | None = None


Change: TypeAlias = Upsert | Delete


class Filtered(msgspec.Struct, frozen=True, gc=False):
    """A record, or a part of one, that a named rule keeps from being sent.

    One value per rule, reused.
    """

    rule: FilterRule
