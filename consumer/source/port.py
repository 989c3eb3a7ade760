"""The source as a port: chunks and ownership events one way, commands the other way.

Every event method is called on the event loop, in the order in which the consumer thread saw
things: `assigned` before the first chunk of an assignment, its last chunk before `revoking` or
`lost`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

from consumer.model import Assignment, Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.errors import HoldReason


class Chunk(msgspec.Struct, frozen=True, gc=False):
    """Records of one assignment, in offset order, at least one: the unit of work."""

    assignment: Assignment
    records: Sequence[Record]


class Position(msgspec.Struct, frozen=True):
    """The next offset to read of a partition, to be committed for this assignment and no other."""

    assignment: Assignment
    offset: int


class SourceEvents(Protocol):
    """What the corridor listens to."""

    def assigned(self, assignments: Sequence[Assignment]) -> None:
        """These partitions are ours from now on, each a new epoch.

        Starting at its `next_offset`.
        """
        ...

    def chunk(self, chunk: Chunk) -> None:
        """Records to place. When this returns, the source may hand over another chunk."""
        ...

    def reached_end(self, assignment: Assignment, offset: int) -> None:
        """All below `offset` was handed over.

        The rest up to it were transaction markers or holes.
        """
        ...

    def revoking(
        self, assignments: Sequence[Assignment], release: Callable[[Sequence[Position]], None]
    ) -> None:
        """Finish what is open of these, then call `release` once, with the positions to commit.

        The consumer thread waits for it inside the rebalance, at most `drain_timeout_s`; then it
        lets go of them with whatever was committed. No chunk of theirs follows.
        """
        ...

    def lost(self, assignments: Sequence[Assignment]) -> None:
        """These are somebody else's already: cancel, commit nothing."""
        ...

    def committed(self, positions: Sequence[Position], error: str | None) -> None:
        """A commit was answered; on an error the positions are given again with the next commit."""
        ...

    def held(self, reason: HoldReason, detail: str, assignment: Assignment | None) -> None:
        """The brokers hold us up (BROKER, OFFSET_LOST, AUTH).

        With an assignment it concerns it alone.
        """
        ...

    def released(self, reason: HoldReason, assignment: Assignment | None) -> None:
        """The cause of an earlier `held` is gone."""
        ...

    def failed(self, detail: str) -> None:
        """The client cannot go on: fatal, the daemon stops with exit code 70."""
        ...

    def stopped(self) -> None:
        """The last event: the consumer left the group and is closed."""
        ...


class Source(Protocol):
    """What the corridor may ask for; every call returns at once."""

    def start(self, events: SourceEvents) -> None:
        """Begin: subscribe and poll on the consumer thread, events on the running loop."""
        ...

    def pause(self, assignments: Sequence[Assignment]) -> None:
        """Hand over no more chunks of these; polling goes on.

        A few that were under way may still come.
        """
        ...

    def resume(self, assignments: Sequence[Assignment]) -> None:
        """Hand over chunks of these again."""
        ...

    def commit(self, positions: Sequence[Position]) -> None:
        """Commit without waiting; `committed` tells.

        Positions of what is not owned any more are dropped.
        """
        ...

    def stop(self) -> None:
        """Shutdown is a revocation of everything: `revoking`, last commit, leave, `stopped`."""
        ...

    def end_offsets(self) -> dict[Assignment, int]:
        """Return the last known end of each owned partition (the last stable offset)."""
        ...

    def subscribed_partitions(self) -> int:
        """Return how many partitions all subscribed topics have together, as last known.

        0 when unknown.
        """
        ...

    def progress_s(self) -> float:
        """Return the monotonic time of the last call of `consume`, paused or not."""
        ...
