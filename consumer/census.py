"""What is open, counted where it lies: the other side of the ledger, which only counts comings and goings."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from consumer.dead_letter.outbox import Outbox
    from consumer.model import Assignment, Change, Ticket
    from consumer.rooms import Rooms

Place: TypeAlias = tuple[str, int]


class Census:
    """Counts open records by partition, and open changes by object. A record of several parts is one record."""

    def __init__(self) -> None:
        self.records: Counter[Place] = Counter()
        self.changes: Counter[str] = Counter()
        self._tickets: set[Ticket] = set()

    def found(self, name: str | None, assignment: Assignment | None, ticket: Ticket | None) -> None:
        """Count one change that lies somewhere."""
        if name is not None:
            self.changes[name] += 1
        if ticket is not None:
            self._found_part(ticket)
        elif assignment is not None:
            self.records[_place(assignment)] += 1

    def found_with_riders(self, name: str, change: Change) -> None:
        """Count a change, and the older ones that it stands for."""
        self.found(name, change.assignment, change.ticket)
        self.found_riders(name, change)

    def found_riders(self, name: str | None, change: Change) -> None:
        """Count the older changes that one stands for."""
        for rider in change.riders or ():
            for _, ticket in rider.kept:
                self.found(name, rider.assignment, ticket)
            for ticket in rider.tickets:
                self.found(name, rider.assignment, ticket)
            self.found_bare(name, rider.assignment, rider.bare_count)

    def found_bare(self, name: str | None, assignment: Assignment, count: int) -> None:
        """Count changes that are all that their records became."""
        if name is not None:
            self.changes[name] += count
        self.records[_place(assignment)] += count

    def _found_part(self, ticket: Ticket) -> None:
        if ticket not in self._tickets:
            self._tickets.add(ticket)
            self.records[_place(ticket.assignment)] += 1


def census_of(rooms: Rooms, outbox: Outbox | None) -> Census:
    """Look into every room that holds records, and count what is there."""
    census = Census()
    for target, batcher in rooms.batchers.items():
        for change in batcher.changes():
            census.found_with_riders(target.object, change)
    for target, gatherer in rooms.gatherers.items():
        for gather in gatherer.gathers():
            for assignment, tally in gather.tallies.items():
                census.found_bare(target.object, assignment, tally.count)
            for ticket in (*gather.tickets.values(), *gather.conflated):
                census.found(target.object, None, ticket)
    for posted in outbox.posted() if outbox is not None else ():
        census.found(posted.object, posted.assignment, posted.ticket)
        if posted.change is not None:
            census.found_riders(posted.object, posted.change)
    for assignment in rooms.progress.owned:
        census.found_bare(None, assignment, rooms.parking.count(assignment) + rooms.waiting.count(assignment))
    return census


def _place(assignment: Assignment) -> Place:
    return assignment.topic, assignment.partition
