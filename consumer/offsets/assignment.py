"""One ownership of one partition: made when it is assigned, forgotten when it goes."""

from __future__ import annotations


class Assignment:
    """A partition in one assignment epoch. Compared by identity: a later epoch is another object.

    `next_offset` is the next position to read once nothing is open; `committed` is the highest position that
    the group has confirmed in this epoch, or the one it started from (`None` when the group had none).
    """

    __slots__ = ("committed", "epoch", "next_offset", "partition", "topic")

    def __init__(self, topic: str, partition: int, epoch: int, next_offset: int, committed: int | None) -> None:
        self.topic = topic
        self.partition = partition
        self.epoch = epoch
        self.next_offset = next_offset
        self.committed = committed

    def __repr__(self) -> str:
        return f"{self.topic}[{self.partition}]#{self.epoch}"
