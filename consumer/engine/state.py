"""The rooms off the corridor, as the daemon furnishes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from consumer.batching.batcher import Batcher
from consumer.bulk.row_buffer import RowBuffer
from consumer.dead_letter.fuse import Fuse
from consumer.decoding.schema_cache import SchemaCache
from consumer.holds import Holds
from consumer.mapping.routing import RouteTable
from consumer.model import Assignment, Low, PartialRecord, Target
from consumer.offsets.accounts import ObjectAccounts
from consumer.offsets.ledger import Ledger
from consumer.offsets.progress import Progress
from consumer.source.parking import Parking

if TYPE_CHECKING:
    from consumer.dead_letter.outbox import Outbox


class EngineState(msgspec.Struct, frozen=True):
    """What the corridor, the placing and the hand-overs work with; made once."""

    routes: RouteTable
    batchers: Mapping[Target, Batcher]
    row_buffers: Mapping[Target, RowBuffer]
    fuse: Callable[[], Fuse]
    ledger: Ledger
    accounts: ObjectAccounts
    progress: Progress
    holds: Holds
    parking: Parking[str]
    """Topics whose records fail one after the other."""
    waiting: Parking[Assignment]
    """Partitions whose records name schemas that are not at hand."""
    schemas: SchemaCache

    @property
    def held_bytes(self) -> int:
        """What everything read and not settled takes in memory.

        The records, and the rows that they became.
        """
        return self.ledger.held_bytes + sum(
            batcher.encoded_bytes for batcher in self.batchers.values()
        )


def left_behind(state: EngineState, assignment: Assignment) -> int:
    """Return how many open records of a partition nobody waits for when it goes.

    Its next owner reads them again.

    They are set aside, wait for a schema, or are gathered for a job that has not begun.
    """
    count, partial_records = (
        state.parking.count(assignment) + state.waiting.count(assignment),
        set[PartialRecord](),
    )
    for row_buffer in state.row_buffers.values():
        gathered_count, gathered_tickets = row_buffer.buffered(assignment)
        count += gathered_count
        partial_records |= gathered_tickets
    return count + len(partial_records)


def open_lows(state: EngineState, outbox: Outbox) -> Iterator[tuple[Assignment, Low]]:
    """Yield the lowest offsets of everything that is held open anywhere.

    A partition may come often.
    """
    for batcher in state.batchers.values():
        yield from batcher.lows()
    for row_buffer in state.row_buffers.values():
        yield from row_buffer.lows()
    yield from outbox.lows()
    yield from state.parking.lows()
    yield from state.waiting.lows()
