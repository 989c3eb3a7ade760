"""State of a replay: request, phases, progress of partitions, and results of a read step."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

import msgspec

if TYPE_CHECKING:
    from consumer.model import PartitionKey


class ReplayRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The request, with bounds as the user wrote them.

    The same request resumes its checkpoint.
    """

    topics: tuple[str, ...]
    partitions: tuple[int, ...] = ()
    begin: str | None = None
    end: str | None = None
    key: str | None = None
    lifted: bool = False


class ReplayPhase(StrEnum):
    """The next phase of a replay."""

    PLANNING = "planning"
    """Reading for a plan, without --execute."""

    READING = "reading"
    SENDING = "sending"
    RECHECKING = "looking"
    """Everything is sent; rows that changed meanwhile are looked for."""


class CheckpointHeader(msgspec.Struct, frozen=True, kw_only=True):
    """The request of a checkpoint and its phase. `look_count` is the number of rechecks."""

    request: ReplayRequest = msgspec.field(name="asked")
    mapping_sha256: str
    phase: ReplayPhase = ReplayPhase.PLANNING
    look_count: int = 0


class ReplayPartition(msgspec.Struct, kw_only=True):
    """One partition: the range is from `begin` to `end`, exclusive.

    `stop` is up to where newer changes are read. `window` is where this round of sending began.
    `scanned` and `sent` are the next offsets to read and to send.
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
        """Topic and partition number."""
        return self.topic, self.partition


CheckpointRow: TypeAlias = dict[str, str | int]
"""One change, with the parameter names of the SQL statements."""


class ReadStep(msgspec.Struct):
    """The result of mapping some records.

    Changes of the range (`inside`), changes after it (`beyond`), offsets that are sent in any case
    (`also`), and counters.
    """

    inside: list[CheckpointRow] = []
    beyond: list[CheckpointRow] = []
    beyond_also: list[CheckpointRow] = []
    also: list[tuple[int, int]] = []
    counts: dict[str, int] = {}

    def add(self, later: ReadStep) -> None:
        """Add the results of the next records."""
        self.inside += later.inside
        self.beyond += later.beyond
        self.beyond_also += later.beyond_also
        self.also += later.also
        for name, count in later.counts.items():
            self.counts[name] = self.counts.get(name, 0) + count


class RowCounts(msgspec.Struct, frozen=True):
    """Rows of one object by their newest change.

    `deleted_once`: deleted somewhere in the range. `living_again`: of these, written again later.
    `later`: the newest change is after the range. `living_again_later`: both.
    """

    row_count: int = 0
    delete_count: int = 0
    deleted_once_count: int = 0
    living_again_count: int = 0
    later_count: int = 0
    living_again_later_count: int = 0
