"""The source as a port: chunks and ownership events one way, commands the other way.

Every event method is called on the event loop, in the order in which the consumer thread produced
the events: `assigned` before the first chunk of an assignment, its last chunk before `revoking` or
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
    """The next offset to read of a partition, to be committed only for this assignment."""

    assignment: Assignment
    offset: int


class SourceEvents(Protocol):
    """The events that the engine receives."""

    def assigned(self, assignments: Sequence[Assignment]) -> None:
        """Take over these partitions, each with a new epoch.

        Reading starts at the assignment's `next_offset`.
        """
        ...

    def chunk(self, chunk: Chunk) -> None:
        """Process records. When this returns, the source may send another chunk."""
        ...

    def reached_end(self, assignment: Assignment, offset: int) -> None:
        """Note that everything below `offset` was delivered.

        Offsets after the last record and below it are transaction markers or holes.
        """
        ...

    def revoking(
        self, assignments: Sequence[Assignment], release: Callable[[Sequence[Position]], None]
    ) -> None:
        """Finish the open records of these, then call `release` once with the positions to commit.

        The consumer thread waits inside the rebalance, at most `drain_timeout_s`. Then it releases
        the partitions with the positions that were committed so far. No chunk of these partitions
        follows.
        """
        ...

    def lost(self, assignments: Sequence[Assignment]) -> None:
        """Cancel these and commit nothing: other members own them already."""
        ...

    def committed(self, positions: Sequence[Position], error: str | None) -> None:
        """Note the answer to a commit.

        After an error the positions have to be sent again with the next commit.
        """
        ...

    def held(self, reason: HoldReason, detail: str, assignment: Assignment | None) -> None:
        """Note that an error of the brokers stops reading (BROKER, OFFSET_LOST, AUTH, CONFIG).

        With an assignment it applies only to that one.
        """
        ...

    def released(self, reason: HoldReason, assignment: Assignment | None) -> None:
        """Note that the cause of an earlier `held` is gone."""
        ...

    def failed(self, detail: str) -> None:
        """Stop the daemon with exit code 70: the client cannot continue."""
        ...

    def stopped(self) -> None:
        """Note that the consumer left the group and is closed; no event follows."""
        ...


class Source(Protocol):
    """The commands that the engine sends; every call returns at once."""

    def start(self, events: SourceEvents) -> None:
        """Subscribe, poll on the consumer thread, and call the events on the running loop."""
        ...

    def pause(self, assignments: Sequence[Assignment]) -> None:
        """Stop delivering chunks of these; polling continues.

        A few chunks that are already on their way may still arrive.
        """
        ...

    def resume(self, assignments: Sequence[Assignment]) -> None:
        """Deliver chunks of these again."""
        ...

    def commit(self, positions: Sequence[Position]) -> None:
        """Send a commit without waiting; the answer comes as `committed`.

        Positions of partitions that are not owned any more are dropped.
        """
        ...

    def stop(self) -> None:
        """Revoke everything: `revoking`, the last commit, leave the group, `stopped`."""
        ...

    def end_offsets(self) -> dict[Assignment, int]:
        """Return the last known end of each owned partition (the last stable offset)."""
        ...

    def subscribed_partitions(self) -> int:
        """Return the number of partitions of all subscribed topics together, as last known.

        0 if unknown.
        """
        ...

    def is_current(self) -> bool:
        """Return whether this member has shown lately that it owns its partitions.

        `False` after the process did not run for a while, until the group has confirmed it.
        """
        ...

    def progress_s(self) -> float:
        """Return the monotonic time of the last call of `consume`, paused or not."""
        ...
