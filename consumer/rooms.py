"""The rooms off the corridor, as the daemon furnishes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from consumer.batching.batcher import Batcher
from consumer.dead_letter.fuse import Fuse
from consumer.holds import Holds
from consumer.mapping.routing import RouteTable
from consumer.model import Assignment, Low, Target
from consumer.offsets.ledger import Ledger
from consumer.offsets.progress import Progress
from consumer.source.parking import Parking

if TYPE_CHECKING:
    from consumer.dead_letter.outbox import Outbox


class Rooms(msgspec.Struct, frozen=True):
    """What the corridor, the placing and the hand-overs work with; made once."""

    routes: RouteTable
    batchers: Mapping[Target, Batcher]
    fuse: Callable[[], Fuse]
    ledger: Ledger
    progress: Progress
    holds: Holds
    parking: Parking


def open_lows(rooms: Rooms, outbox: Outbox) -> Iterator[tuple[Assignment, Low]]:
    """Yield the lowest offsets of everything that is held open anywhere; a partition may come often."""
    for batcher in rooms.batchers.values():
        yield from batcher.lows()
    yield from outbox.lows()
    yield from rooms.parking.lows()
