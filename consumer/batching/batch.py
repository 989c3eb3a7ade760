"""A batch: the object changes of one request, each key once.

It knows its exact size and the lowest offset that it holds per partition.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.model import (
    Assignment,
    Change,
    Low,
    Operation,
    Record,
    RecordCount,
    Target,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

ENVELOPE_BYTES = {Operation.UPSERT: len(b'{"data":[]}'), Operation.DELETE: len(b'{"ids":[]}')}
"""The bytes of a request's body around its rows, without the commas between them."""


def content_bytes(operation: Operation, body_bytes: int) -> int:
    """Return how many bytes the rows of a body of this size may take, each with a comma."""
    return body_bytes - ENVELOPE_BYTES[operation] + 1


def low_of(record: Record) -> Low:
    """Return the low mark that one record sets for its partition."""
    return Low(record.offset(), record.timestamp()[1])


def forget_superseded(change: Change, gone: Collection[Assignment]) -> None:
    """Remove the conflated records of these assignments from a change."""
    if change.superseded is not None:
        change.superseded = [entry for entry in change.superseded if entry.assignment not in gone]


class Batch:
    """Changes of one object and one operation, keyed by primary key; compared by identity.

    - `record_counts`: the records that settle with the batch and became exactly one change.
    - `linked_changes`: the changes that are one part of several, or that superseded older ones.
    - `lows`: the lowest offset that the batch holds per assignment.
    - `size`: the encoded rows, each counted with one comma.
    - `validated`: the validation call was made for these rows.
    - `isolating`: the batch exists only to find the rows that the service rejects.
    - `conflicts`: how often the answer was 409.
    - `attempts`: how often its rows were sent.
    - `singled_out`: the keys that the service named as rejected, a few among many good ones.
    - `last_failure`: the cause of the latest retry.
    - `is_trial`: its body is above a learned limit on purpose: see `BodyLimit`.
    """

    __slots__ = (
        "attempts",
        "changes",
        "conflicts",
        "first_failed_ms",
        "is_trial",
        "isolating",
        "last_failure",
        "linked_changes",
        "lows",
        "opened_s",
        "operation",
        "record_counts",
        "singled_out",
        "size",
        "target",
        "validated",
    )

    def __init__(self, target: Target, operation: Operation) -> None:
        self.target = target
        self.operation = operation
        self.changes: dict[str, Change] = {}
        self.linked_changes: dict[str, Change] = {}
        self.record_counts: dict[Assignment, RecordCount] = {}
        self.lows: dict[Assignment, Low] = {}
        self.size = 0
        self.opened_s = 0.0
        self.attempts = 0
        self.conflicts = 0
        self.validated = False
        self.isolating = False
        self.is_trial = False
        self.singled_out: frozenset[str] = frozenset()
        self.first_failed_ms: int | None = None
        self.last_failure: str | None = None

    @property
    def body_bytes(self) -> int:
        """The exact length of the request's body."""
        return ENVELOPE_BYTES[self.operation] + max(0, self.size - 1)

    def append(self, change: Change, assignment: Assignment) -> None:
        """Add a change, and hold the positions of its record and of those conflated into it."""
        self.changes[change.key] = change
        self.size += len(change.encoded) + 1
        self._count(change, assignment)
        self.hold(assignment, change.record)
        for entry in change.superseded or ():
            held = self.lows.get(entry.assignment)
            if held is None or entry.low < held:
                self.lows[entry.assignment] = entry.low

    def record_count(self, assignment: Assignment, count: int, value_bytes: int) -> None:
        """Add records that settle with the batch, or remove some with negative numbers."""
        record_count = self.record_counts.get(assignment)
        if record_count is None:
            record_count = self.record_counts[assignment] = RecordCount()
        record_count.add(count, value_bytes)

    def hold(self, assignment: Assignment, record: Record) -> None:
        """Hold the position of a record."""
        held = self.lows.get(assignment)
        if held is None or record.offset() < held.offset:
            self.lows[assignment] = low_of(record)

    def remove(self, key: str) -> Change:
        """Remove a change and return it.

        The low marks stay until the batch is empty: they are only lower bounds.
        """
        change = self.changes.pop(key)
        self.size -= len(change.encoded) + 1
        self.linked_changes.pop(key, None)
        # A record of several parts is not in `record_counts`: it settles with its last part.
        if change.partial_record is None and change.assignment is not None:
            self.record_count(change.assignment, -1, -len(change.record))
        if not self.changes:
            self.lows.clear()
        return change

    def groups_within(self, body_bytes: int) -> list[list[str]]:
        """Return the keys of parts, in order, whose bodies are within a limit.

        A row that is larger by itself is a part by itself.
        """
        most = content_bytes(self.operation, body_bytes)
        groups: list[list[str]] = []
        size = most
        for key, change in self.changes.items():
            size += len(change.encoded) + 1
            if size > most:
                groups.append([])
                size = len(change.encoded) + 1
            groups[-1].append(key)
        return groups

    def part(self, keys: Iterable[str]) -> Batch:
        """Return a new batch with some of the changes, which holds the same positions."""
        part = Batch(self.target, self.operation)
        part.changes = {key: self.changes[key] for key in keys}
        for change in part.changes.values():
            part.size += len(change.encoded) + 1
            if change.assignment is not None:
                part._count(change, change.assignment)
        # Lower bounds of the whole are lower bounds of each part, and copying them is cheap.
        part.lows = dict(self.lows)
        part.opened_s = self.opened_s
        part.validated = self.validated
        part.isolating = True
        part.singled_out = self.singled_out
        part.attempts = self.attempts
        part.first_failed_ms = self.first_failed_ms
        return part

    def prune(self, gone: Collection[Assignment]) -> list[Change]:
        """Remove and return the changes of these assignments, and forget their low marks."""
        removed = [
            self.remove(key) for key, change in [*self.changes.items()] if change.assignment in gone
        ]
        for change in self.changes.values():
            # Changes that stay may still have conflated records of the revoked partitions.
            forget_superseded(change, gone)
        for assignment in gone:
            self.lows.pop(assignment, None)
            self.record_counts.pop(assignment, None)
        return removed

    def _count(self, change: Change, assignment: Assignment) -> None:
        if change.partial_record is None:
            self.record_count(assignment, 1, len(change.record))
        if change.partial_record is not None or change.superseded is not None:
            self.linked_changes[change.key] = change
