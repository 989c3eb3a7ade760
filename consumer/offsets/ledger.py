"""The account of every record: polled = accepted + conflated + filtered + dead-lettered + released + open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from consumer.model import RecordOutcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consumer.model import Assignment, Change, Ticket

_WEIGHT = list(RecordOutcome)


class LedgerObserver(Protocol):
    """Who is told of each booking."""

    def polled(self, topic: str, count: int) -> None:
        """So many records of this topic came in."""
        ...

    def settled(self, topic: str, outcome: RecordOutcome, count: int) -> None:
        """So many records of this topic came to this end."""
        ...


class Ledger:
    """Counts each record once when it comes in and once when it is settled."""

    def __init__(self, observer: LedgerObserver) -> None:
        self.polled_count = 0
        self.settled_counts = dict.fromkeys(RecordOutcome, 0)
        self._observer = observer

    @property
    def open_count(self) -> int:
        """Records polled and not settled."""
        return self.polled_count - sum(self.settled_counts.values())

    def polled(self, assignment: Assignment, count: int) -> None:
        """Book records in."""
        self.polled_count += count
        assignment.open_count += count
        self._observer.polled(assignment.topic, count)

    def settled(self, assignment: Assignment, outcome: RecordOutcome, count: int) -> None:
        """Book records out."""
        self.settled_counts[outcome] += count
        assignment.open_count -= count
        self._observer.settled(assignment.topic, outcome, count)

    def part_settled(self, ticket: Ticket, outcome: RecordOutcome) -> None:
        """Book one part of a record; the record itself when it was the last."""
        ticket.outcomes.add(outcome)
        ticket.parts_open -= 1
        if ticket.parts_open == 0:
            self.settled(ticket.assignment, min(ticket.outcomes, key=_WEIGHT.index), 1)

    def changes_settled(self, changes: Iterable[Change], outcome: RecordOutcome) -> None:
        """Book the records of changes that came to one end, and those conflated into them."""
        bare: dict[Assignment, int] = {}
        for change in changes:
            if change.ticket is not None:
                self.part_settled(change.ticket, outcome)
            elif (assignment := change.assignment) is not None:
                bare[assignment] = bare.get(assignment, 0) + 1
            if change.riders is not None:
                self._riders_settled(change)
        for assignment, count in bare.items():
            self.settled(assignment, outcome, count)

    def released(self, assignment: Assignment) -> None:
        """Book out all that is open of a partition that goes to another owner."""
        if assignment.open_count:
            self.settled(assignment, RecordOutcome.RELEASED, assignment.open_count)

    def _riders_settled(self, change: Change) -> None:
        for rider in change.riders or ():
            if rider.bare_count:
                self.settled(rider.assignment, RecordOutcome.CONFLATED, rider.bare_count)
            for ticket in rider.tickets:
                self.part_settled(ticket, RecordOutcome.CONFLATED)
