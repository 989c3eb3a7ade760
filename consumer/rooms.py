"""The rooms off the corridor, as the daemon furnishes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from consumer.batching.batcher import Batcher
from consumer.bulk.gatherer import Gatherer
from consumer.dead_letter.fuse import Fuse
from consumer.decoding.schema_shelf import SchemaShelf
from consumer.holds import Holds
from consumer.mapping.routing import RouteTable
from consumer.model import Assignment, Low, Target, Ticket
from consumer.offsets.accounts import ObjectAccounts
from consumer.offsets.ledger import Ledger
from consumer.offsets.progress import Progress
from consumer.source.parking import Parking

if TYPE_CHECKING:
    from consumer.dead_letter.outbox import Outbox


class Rooms(msgspec.Struct, frozen=True):
    """What the corridor, the placing and the hand-overs work with; made once."""

    routes: RouteTable
    batchers: Mapping[Target, Batcher]
    gatherers: Mapping[Target, Gatherer]
    fuse: Callable[[], Fuse]
    ledger: Ledger
    accounts: ObjectAccounts
    progress: Progress
    holds: Holds
    parking: Parking[str]
    """Topics whose records fail one after the other."""
    waiting: Parking[Assignment]
    """Partitions whose records name schemas that are not at hand."""
    schemas: SchemaShelf

    @property
    def held_bytes(self) -> int:
        """What everything read and not settled takes in memory: the records, and the rows that they became."""
        return self.ledger.held_bytes + sum(batcher.encoded_bytes for batcher in self.batchers.values())


def left_behind(rooms: Rooms, assignment: Assignment) -> int:
    """Return how many open records of a partition nobody waits for when it goes: its next owner reads them again.

    They are set aside, wait for a schema, or are gathered for a job that has not begun.
    """
    count, tickets = rooms.parking.count(assignment) + rooms.waiting.count(assignment), set[Ticket]()
    for gatherer in rooms.gatherers.values():
        gathered_count, gathered_tickets = gatherer.gathered(assignment)
        count += gathered_count
        tickets |= gathered_tickets
    return count + len(tickets)


def open_lows(rooms: Rooms, outbox: Outbox) -> Iterator[tuple[Assignment, Low]]:
    """Yield the lowest offsets of everything that is held open anywhere; a partition may come often."""
    for batcher in rooms.batchers.values():
        yield from batcher.lows()
    for gatherer in rooms.gatherers.values():
        yield from gatherer.lows()
    yield from outbox.lows()
    yield from rooms.parking.lows()
    yield from rooms.waiting.lows()
