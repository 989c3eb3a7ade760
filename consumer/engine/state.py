"""The mutable state that the parts of the engine share, and sums over it."""

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
    """The mutable state of one daemon; created once."""

    routes: RouteTable
    batchers: Mapping[Target, Batcher]
    row_buffers: Mapping[Target, RowBuffer]
    fuse: Callable[[], Fuse]
    ledger: Ledger
    accounts: ObjectAccounts
    progress: Progress
    holds: Holds
    parking: Parking[str]
    """Parked records, by topic: the topic's fuse has blown."""
    waiting: Parking[Assignment]
    """Records that wait for a schema, by partition."""
    schemas: SchemaCache

    @property
    def held_bytes(self) -> int:
        """Bytes in memory of all unsettled records and of the rows that they became."""
        return self.ledger.held_bytes + sum(
            batcher.encoded_bytes for batcher in self.batchers.values()
        )


def left_to_next_owner(state: EngineState, assignment: Assignment) -> int:
    """Return how many unsettled records of a partition a drain does not wait for.

    These are parked, wait for a schema, or are in a row buffer whose job has not begun. The next
    owner reads them again.
    """
    count, partial_records = (
        state.parking.count(assignment) + state.waiting.count(assignment),
        set[PartialRecord](),
    )
    for row_buffer in state.row_buffers.values():
        buffered_count, buffered_partial_records = row_buffer.buffered(assignment)
        count += buffered_count
        partial_records |= buffered_partial_records
    return count + len(partial_records)


def open_lows(state: EngineState, outbox: Outbox) -> Iterator[tuple[Assignment, Low]]:
    """Yield the lowest offset of every place that holds records; partitions may repeat."""
    for batcher in state.batchers.values():
        yield from batcher.lows()
    for row_buffer in state.row_buffers.values():
        yield from row_buffer.lows()
    yield from outbox.lows()
    yield from state.parking.lows()
    yield from state.waiting.lows()
