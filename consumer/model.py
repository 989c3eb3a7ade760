"""The types that packages pass to each other.

A Kafka **record** becomes **object changes** (`Upsert` or `Delete` of one Data 360 row). Changes
are packed into a **batch**. A batch is sent as one HTTP request, and the answer is turned into a
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
    """A Kafka record as the client returns it; `confluent_kafka.Message` matches as it is."""

    def topic(self) -> str:
        """Return the topic name."""
        ...

    def partition(self) -> int:
        """Return the partition number."""
        ...

    def offset(self) -> int:
        """Return the offset in the partition."""
        ...

    def key(self) -> bytes | None:
        """Return the key bytes; `None` for a null key."""
        ...

    def value(self) -> bytes | None:
        """Return the value bytes; `None` for a tombstone, `b''` for an empty value."""
        ...

    def headers(self) -> Headers | None:
        """Return the headers in order, duplicates included; `None` if there are none."""
        ...

    def timestamp(self) -> tuple[int, int]:
        """Return the type (0 unknown, 1 create, 2 append) and milliseconds since the epoch."""
        ...

    def __len__(self) -> int:
        """Return the number of bytes of the value."""
        ...


class PlainRecord:
    """A record that was not read by the Kafka client: standard input, a sample, a test."""

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
        """Return the topic name."""
        return self._topic

    def partition(self) -> int:
        """Return the partition number."""
        return self._partition

    def offset(self) -> int:
        """Return the offset in the partition."""
        return self._offset

    def key(self) -> bytes | None:
        """Return the key bytes."""
        return self._key

    def value(self) -> bytes | None:
        """Return the value bytes."""
        return self._value

    def headers(self) -> Headers | None:
        """Return the headers in order."""
        return self._headers

    def timestamp(self) -> tuple[int, int]:
        """Return the create time in milliseconds since the epoch."""
        return (1 if self._timestamp_ms else 0, self._timestamp_ms)

    def __len__(self) -> int:
        """Return the number of bytes of the value."""
        return len(self._value or b"")


class Operation(StrEnum):
    """The operation of a request on rows; also the metric label."""

    UPSERT = "upsert"
    DELETE = "delete"


class FilterRule(StrEnum):
    """The rule that kept a record from being sent: a closed list, shown by `map` and in the log."""

    TOMBSTONE = "tombstone"
    HEARTBEAT = "heartbeat"
    TRANSACTION = "transaction"
    SCHEMA_CHANGE = "schema_change"
    MESSAGE = "message"
    DDL = "ddl"
    CONTROL = "control"
    BOOTSTRAP = "bootstrap"
    WATERMARK = "watermark"
    WHERE = "where"
    DELETES = "deletes"
    CUSTOM = "custom"
    SUPERSEDED = "superseded"


class Target(msgspec.Struct, frozen=True):
    """The destination of rows: one object of one Ingestion API connector."""

    connector: str
    object: str


class Assignment:
    """One assignment of one partition to this process, from assign to revoke.

    Compared by identity: a later assignment of the same partition is another object with another
    epoch. `next_offset` is the position once no record is open. `committed` is the position that
    the group has confirmed, `None` if it has none. `open_count` and `held_bytes` count the open
    records: those that were polled and are not settled.
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
    """The final outcome of a record, set once: the `outcome` label.

    A record with several parts gets the first outcome in this list that one of its parts has.
    """

    DEAD_LETTERED = "dead_lettered"
    ACCEPTED = "accepted"
    CONFLATED = "conflated"
    FILTERED = "filtered"
    RELEASED = "released"
    """Polled, not settled, and released with its partition: the next owner reads it again."""


class PartialRecord:
    """A record that became several changes.

    It is settled when all of them are. Its outcome is the first one of `RecordOutcome` among
    theirs.
    """

    __slots__ = ("assignment", "outcomes", "parts_open", "value_bytes")

    def __init__(self, assignment: Assignment, parts_open: int, value_bytes: int) -> None:
        self.assignment = assignment
        self.parts_open = parts_open
        self.value_bytes = value_bytes
        self.outcomes: set[RecordOutcome] = set()


class RecordCount:
    """A number of records and the bytes of their values."""

    __slots__ = ("count", "value_bytes")

    def __init__(self) -> None:
        self.count = 0
        self.value_bytes = 0

    def add(self, count: int, value_bytes: int) -> None:
        """Add records, or remove some with negative numbers."""
        self.count += count
        self.value_bytes += value_bytes


class Low(NamedTuple):
    """The lowest offset of a partition that a holder has open, and the timestamp of that record.

    Sorts by offset.
    """

    offset: int
    timestamp_ms: int


class Superseded:
    """Older changes of one key and one assignment, replaced by a newer change before being sent.

    Their records are conflated: they stay open until the newer change is settled, and settle with
    it.

    `bare_count` counts the records that became exactly one change, `bare_bytes` the bytes of their
    values. Records that became several changes are in `partial_records`. `kept` has the records
    whose fields are merged into the newer change (partial mode): if it is rejected, they go to the
    dead-letter topic with it.
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
        """Count one more conflated record, which itself is not needed any more."""
        if partial_record is None:
            self.bare_count += 1
            self.bare_bytes += len(record)
        else:
            self.partial_records.append(partial_record)


class Upsert(msgspec.Struct, gc=False):
    """One row to write; the hot path creates exactly one of these per record.

    `encoded` is the row as JSON bytes, encoded once. `record` is the source record. It is kept
    until the change is settled, because a rejected row goes to the dead-letter topic unchanged.
    Mapping sets the first three fields. The batcher sets the others: the assignment, the older
    changes that this one replaced, and the `PartialRecord` when the record became several changes.
    """

    key: str
    encoded: bytes
    record: Record
    assignment: Assignment | None = None
    superseded: list[Superseded] | None = None
    partial_record: PartialRecord | None = None


class Delete(msgspec.Struct, gc=False):
    """One row to delete.

    `encoded` is the key as a JSON string, exactly as it is written into the request's `ids`.
    """

    key: str
    encoded: bytes
    record: Record
    assignment: Assignment | None = None
    superseded: list[Superseded] | None = None
    partial_record: PartialRecord | None = None


Change: TypeAlias = Upsert | Delete


class Filtered(msgspec.Struct, frozen=True, gc=False):
    """The result for a record, or a part of one, that a filter rule keeps from being sent.

    There is one instance per rule, and it is reused.
    """

    rule: FilterRule
