"""A batch: the object changes of one request, each key once, and the lowest offset it holds per partition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.model import Assignment, Change, Low, Operation, Record, Target

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

ENVELOPE_BYTES = {Operation.UPSERT: len(b'{"data":[]}'), Operation.DELETE: len(b'{"ids":[]}')}
"""What a request's body has beside its rows and the commas between them."""


def low_of(record: Record) -> Low:
    """Return the low mark that one record sets for its partition."""
    return Low(record.offset(), record.timestamp()[1])


def forget_riders(change: Change, gone: Collection[Assignment]) -> None:
    """Let a change stand no longer for the records of these assignments."""
    if change.riders is not None:
        change.riders = [rider for rider in change.riders if rider.assignment not in gone]


class Batch:
    """Changes of one object and one operation, keyed by primary key; compared by identity.

    `size` counts each encoded row with one comma. `asked` says that the validation call was made for these
    rows, `isolating` that the batch exists only to find who is at fault, `conflicts` how often it was answered
    409, `attempts` how often its rows were sent.
    """

    __slots__ = (
        "asked",
        "attempts",
        "changes",
        "conflicts",
        "first_failed_ms",
        "isolating",
        "lows",
        "opened_s",
        "operation",
        "size",
        "target",
    )

    def __init__(self, target: Target, operation: Operation) -> None:
        self.target = target
        self.operation = operation
        self.changes: dict[str, Change] = {}
        self.lows: dict[Assignment, Low] = {}
        self.size = 0
        self.opened_s = 0.0
        self.attempts = 0
        self.conflicts = 0
        self.asked = False
        self.isolating = False
        self.first_failed_ms: int | None = None

    @property
    def body_bytes(self) -> int:
        """The exact length of the request's body."""
        return ENVELOPE_BYTES[self.operation] + max(0, self.size - 1)

    def append(self, change: Change, assignment: Assignment) -> None:
        """Take a change in, and hold the positions of its record and of all that ride on it."""
        self.changes[change.key] = change
        self.size += len(change.encoded) + 1
        self._hold(assignment, low_of(change.record))
        for rider in change.riders or ():
            self._hold(rider.assignment, rider.low)

    def remove(self, key: str) -> Change:
        """Let a change go. The low marks stay, they are only lower bounds, until the batch is empty."""
        change = self.changes.pop(key)
        self.size -= len(change.encoded) + 1
        if not self.changes:
            self.lows.clear()
        return change

    def part(self, keys: Iterable[str]) -> Batch:
        """Return a batch of these of its changes, which holds the same positions."""
        part = Batch(self.target, self.operation)
        part.changes = {key: self.changes[key] for key in keys}
        part.size = sum(len(change.encoded) + 1 for change in part.changes.values())
        part.lows = dict(self.lows)
        part.opened_s = self.opened_s
        part.asked = self.asked
        part.isolating = True
        part.attempts = self.attempts
        part.first_failed_ms = self.first_failed_ms
        return part

    def prune(self, gone: Collection[Assignment]) -> list[Change]:
        """Remove and return the changes of assignments that are not ours any more, and their low marks."""
        removed = [self.remove(key) for key, change in [*self.changes.items()] if change.assignment in gone]
        for change in self.changes.values():
            forget_riders(change, gone)
        for assignment in gone:
            self.lows.pop(assignment, None)
        return removed

    def _hold(self, assignment: Assignment, low: Low) -> None:
        held = self.lows.get(assignment)
        if held is None or low < held:
            self.lows[assignment] = low
