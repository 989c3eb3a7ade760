"""Counts of received and settled records per partition, and of changes per object."""

from __future__ import annotations

from collections import defaultdict

from consumer.model import RecordOutcome


class Account:
    """What one partition or object received, and the outcomes so far; the rest is open."""

    __slots__ = ("came_in_count", "settled_counts")

    def __init__(self) -> None:
        self.came_in_count = 0
        self.settled_counts = dict.fromkeys(RecordOutcome, 0)


class ObjectAccounts:
    """Counts changes by object.

    A record is at least one change of each object that a route offers it to.
    """

    def __init__(self) -> None:
        self.by_object: defaultdict[str, Account] = defaultdict(Account)

    def offered(self, name: str, count: int) -> None:
        """Count changes that were mapped for an object, filtered, or could not be mapped."""
        self.by_object[name].came_in_count += count

    def settled(self, name: str, outcome: RecordOutcome, count: int) -> None:
        """Count settled changes."""
        self.by_object[name].settled_counts[outcome] += count
