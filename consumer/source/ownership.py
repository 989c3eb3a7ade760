"""The partitions that this member owns, and the current assignment of each.

Only the consumer thread uses it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import TopicPartition

from consumer.model import Assignment, PartitionKey
from consumer.source.leader_epochs import LeaderEpochs
from consumer.source.topic_ids import is_recreated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class StartPosition(NamedTuple):
    """The position where reading a partition starts.

    `committed` is the group's position, `None` if it has none. `leader_epoch` was committed with
    it, if the broker knew one. `topic_id` is the id of the topic that has the offset.
    """

    key: PartitionKey
    offset: int
    committed: int | None
    leader_epoch: int | None = None
    topic_id: str | None = None


class OwnedPartition:
    """One assignment as the consumer thread sees it.

    `read_offset` is the offset after the last record taken from the client. `paused` is set by the
    engine. `halted` is set by this package: the position is lost, or the partition is being
    released. `client_paused` is the state that the client has.
    """

    __slots__ = (
        "assignment",
        "client_paused",
        "end_offset",
        "end_s",
        "halted",
        "key",
        "leader_epochs",
        "paused",
        "read_offset",
        "topic_id",
    )

    def __init__(
        self, assignment: Assignment, leader_epoch: int | None, topic_id: str | None
    ) -> None:
        self.assignment = assignment
        self.key: PartitionKey = (assignment.topic, assignment.partition)
        self.read_offset = assignment.next_offset
        self.leader_epochs = LeaderEpochs(self.read_offset, leader_epoch)
        self.topic_id = topic_id
        self.paused = False
        self.halted = False
        self.client_paused = False
        self.end_offset: int | None = None
        self.end_s = 0.0


class Ownership:
    """The assigned partitions: `pending` ones wait for their start position, the rest is read.

    `changes` grows when pending partitions are added or taken back: what was requested for them
    before may belong to an earlier assignment.
    """

    def __init__(self) -> None:
        self.changes = 0
        self.pending: list[PartitionKey] = []
        self._owned: dict[PartitionKey, OwnedPartition] = {}
        self._epoch = 0

    def __iter__(self) -> Iterator[OwnedPartition]:
        """Iterate over the partitions that are read."""
        return iter([*self._owned.values()])

    def __len__(self) -> int:
        return len(self._owned)

    def expect(self, keys: Iterable[PartitionKey]) -> None:
        """Add partitions that were assigned and have no start position yet."""
        added = [*keys]
        self.pending.extend(added)
        self.changes += len(added)

    def take(self, starts: Iterable[StartPosition]) -> list[OwnedPartition]:
        """Start a new epoch of each partition, with a new assignment."""
        taken = []
        for start in starts:
            self._epoch += 1
            assignment = Assignment(*start.key, self._epoch, start.offset, start.committed)
            owned = OwnedPartition(assignment, start.leader_epoch, start.topic_id)
            self._owned[start.key] = owned
            taken.append(owned)
        done = {owned.key for owned in taken}
        self.pending = [key for key in self.pending if key not in done]
        return taken

    def at(self, key: PartitionKey) -> OwnedPartition | None:
        """Return the current entry of a partition, if it is read."""
        return self._owned.get(key)

    def of(self, assignment: Assignment) -> OwnedPartition | None:
        """Return the entry of an assignment, or `None` if it is not owned any more.

        A later epoch of the same partition is another assignment.
        """
        owned = self._owned.get((assignment.topic, assignment.partition))
        return owned if owned is not None and owned.assignment is assignment else None

    def to_commit(self, assignment: Assignment, position: int) -> TopicPartition:
        """Return a position in the form that is committed.

        It has the position's leader epoch, and the topic's id as metadata.
        """
        where = (assignment.topic, assignment.partition, position)
        owned = self.of(assignment)
        if owned is None:
            return TopicPartition(*where)
        owned.leader_epochs.forget_before(assignment.committed or 0)
        return TopicPartition(*where, owned.topic_id or "", owned.leader_epochs.before(position))

    def recreated(self, ids: Mapping[str, str]) -> list[OwnedPartition]:
        """Return the partitions of topics that were deleted and recreated.

        A partition without a topic id takes the first one that is reported.
        """
        gone = []
        for owned in self._owned.values():
            now = ids.get(owned.assignment.topic)
            if now is None:
                continue
            if owned.topic_id is not None and is_recreated(owned.topic_id, now):
                gone.append(owned)
            else:
                owned.topic_id = now
        return gone

    def release(self, keys: Iterable[PartitionKey]) -> list[OwnedPartition]:
        """Forget partitions; return those that were read."""
        gone = set(keys)
        before = len(self.pending)
        self.pending = [key for key in self.pending if key not in gone]
        self.changes += before - len(self.pending)
        return [owned for key in gone if (owned := self._owned.pop(key, None)) is not None]


def where_to_read(owned: OwnedPartition) -> TopicPartition:
    """Return where the client continues a partition: after the last record taken.

    With the leader epoch of that record, the client asks the leader whether its log still has it.
    """
    topic, partition = owned.key
    epoch = owned.leader_epochs.before(owned.read_offset)
    return TopicPartition(topic, partition, owned.read_offset, leader_epoch=epoch)
