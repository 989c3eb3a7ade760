"""Accounts beside the total.

What came in of each partition and for each object, and what became of it.
"""

from __future__ import annotations

from collections import defaultdict

from consumer.model import RecordOutcome


class Account:
    """What came in of one place, and what became of it; the rest is open."""

    __slots__ = ("came_in_count", "settled_counts")

    def __init__(self) -> None:
        self.came_in_count = 0
        self.settled_counts = dict.fromkeys(RecordOutcome, 0)


class ObjectAccounts:
    """Counts changes by object. A record is one change of each object that a route offers it to.

    Or several.
    """

    def __init__(self) -> None:
        self.by_object: defaultdict[str, Account] = defaultdict(Account)

    def offered(self, name: str, count: int) -> None:
        """Book changes in: what was mapped for an object, what was filtered.

        And what could not be mapped.
        """
        self.by_object[name].came_in_count += count

    def settled(self, name: str, outcome: RecordOutcome, count: int) -> None:
        """Book changes out."""
        self.by_object[name].settled_counts[outcome] += count
