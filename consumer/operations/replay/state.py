"""The words of a replay: what was asked for, how far its partitions are.

And what records came to.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

import msgspec

if TYPE_CHECKING:
    from consumer.model import PartitionKey


class ReplayRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What the user asked for, edges as they were written.

    The same again goes on with what was begun.
    """

    topics: tuple[str, ...]
    partitions: tuple[int, ...] = ()
    begin: str | None = None
    end: str | None = None
    key: str | None = None
    lifted: bool = False


class ReplayPhase(StrEnum):
    """What is to be done next."""

    PLANNING = "planning"
    """Reading for a plan; nobody has said that it is to be done."""

    READING = "reading"
    SENDING = "sending"
    RECHECKING = "looking"
    """All is sent; what of it has changed meanwhile is looked for."""


class CheckpointHeader(msgspec.Struct, frozen=True, kw_only=True):
    """Whose book it is. `look_count`: how often it was looked again for what changed meanwhile."""

    request: ReplayRequest = msgspec.field(name="asked")
    mapping_sha256: str
    phase: ReplayPhase = ReplayPhase.PLANNING
    look_count: int = 0


class ReplayPartition(msgspec.Struct, kw_only=True):
    """One partition: what was asked for is from `begin` to `end`.

    What is read to find the newest is up to `stop`.

    `window` is where sending began this time, `scanned` and `sent` are the next offsets to read and
    to send.
    """

    number: int
    topic: str
    partition: int
    begin: int
    end: int
    stop: int
    window: int
    scanned: int
    sent: int
    remark: str = ""

    @property
    def place(self) -> PartitionKey:
        """Where it is."""
        return self.topic, self.partition


CheckpointRow: TypeAlias = dict[str, str | int]
"""One change, as the statements above name its parts."""


class ReadStep(msgspec.Struct):
    """What some records came to.

    Changes of the range, changes after it, offsets that are sent anyway, counts.
    """

    inside: list[CheckpointRow] = []
    beyond: list[CheckpointRow] = []
    beyond_also: list[CheckpointRow] = []
    also: list[tuple[int, int]] = []
    counts: dict[str, int] = {}

    def add(self, later: ReadStep) -> None:
        """Take in what the next records came to."""
        self.inside += later.inside
        self.beyond += later.beyond
        self.beyond_also += later.beyond_also
        self.also += later.also
        for name, count in later.counts.items():
            self.counts[name] = self.counts.get(name, 0) + count


class RowCounts(msgspec.Struct, frozen=True):
    """Rows of one object by their newest state.

    `deleted_once`: deleted somewhere in the range. `living_again`: of these, written again later;
    `later`: whose newest state is behind the range; `living_again_later`: both.
    """

    row_count: int = 0
    delete_count: int = 0
    deleted_once_count: int = 0
    living_again_count: int = 0
    later_count: int = 0
    living_again_later_count: int = 0
