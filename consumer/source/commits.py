"""Commits in flight: sent without waiting, answered through the client's callback."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from confluent_kafka import KafkaException

from consumer.source.error_codes import detail_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from confluent_kafka import Consumer, KafkaError, TopicPartition

    from consumer.model import Assignment, PartitionKey
    from consumer.source.lease import Lease
    from consumer.source.port import Position

_Content: TypeAlias = tuple[tuple[str, int, int], ...]


class _Sent(NamedTuple):
    """One commit, and how many gaps the consumer thread had before it was sent.

    `pinned` receives the result of a commit of pins.
    """

    positions: tuple[Position, ...]
    gaps: int
    pinned: Callable[[KafkaError | None], None] | None = None


class Commits:
    """Commits that were sent and not answered.

    - `committed` is the event for the engine.
    - `classify` receives the error of every answer, or `None`. It also receives `None` when nothing
      that was rejected `is_owned` any more: the next owner commits those positions, and without
      this a topic without traffic, which has nothing left to commit, would be held forever.
    - `accepted` receives, for each commit that the brokers accepted, how many gaps the `lease` had
      before it was sent.
    - `to_commit` turns an assignment's position into the client's form, with the leader epoch and
      the topic id, so that the next reader notices if the log was truncated or replaced meanwhile.
    """

    def __init__(
        self,
        committed: Callable[[Sequence[Position], str | None], None],
        classify: Callable[[KafkaError | None], None],
        to_commit: Callable[[Assignment, int], TopicPartition],
        is_owned: Callable[[Assignment], bool],
        *,
        lease: Lease,
        accepted: Callable[[int], None],
    ) -> None:
        self._committed = committed
        self._classify = classify
        self._to_commit = to_commit
        self._is_owned = is_owned
        self._accepted = accepted
        self._lease = lease
        self._highest: dict[Assignment, int] = {}
        self._open: defaultdict[_Content, deque[_Sent]] = defaultdict(deque)
        self._failed: list[Position] = []

    def __len__(self) -> int:
        """Return the number of commits without an answer."""
        return sum(map(len, self._open.values()))

    def send(self, consumer: Consumer, positions: Iterable[Position]) -> None:
        """Send one commit: the highest position of each partition."""
        newest: dict[PartitionKey, Position] = {}
        for position in positions:
            key = (position.assignment.topic, position.assignment.partition)
            if key not in newest or newest[key].offset < position.offset:
                newest[key] = position
        offsets = [self._to_commit(each.assignment, each.offset) for each in newest.values()]
        if not offsets:
            return  # for the client an empty list means its stored offsets, and it stores none
        # Positions that failed before are part of this commit, or are not owned any more.
        self._failed = []
        for each in newest.values():
            self._highest[each.assignment] = max(
                each.offset, self._highest.get(each.assignment, each.offset)
            )
        self._commit(consumer, offsets, _Sent(tuple(newest.values()), self._lease.gaps))

    def pin(
        self,
        consumer: Consumer,
        pins: Sequence[TopicPartition],
        answered: Callable[[KafkaError | None], None],
    ) -> None:
        """Commit start positions of partitions that are not read yet; other members may own them.

        A rejection is not repeated here: `answered` receives it.
        """
        self._commit(consumer, pins, _Sent((), self._lease.gaps, answered))

    def _commit(self, consumer: Consumer, offsets: Sequence[TopicPartition], sent: _Sent) -> None:
        content = _content(offsets)
        self._open[content].append(sent)
        try:
            consumer.commit(offsets=[*offsets], asynchronous=True)
        except KafkaException as refusal:
            error: KafkaError = refusal.args[0]
            self._settle(content, error, {})

    def answered(self, error: KafkaError | None, partitions: Sequence[TopicPartition]) -> None:
        """Process the client's answer; it names the same partitions and offsets as the commit."""
        errors = {
            (each.topic, each.partition): each.error
            for each in partitions
            if each.error is not None
        }
        self._settle(_content(partitions), error, errors)

    def highest(self, assignment: Assignment) -> int | None:
        """Return the highest position that was sent or committed; `None` if there is none.

        It may be sent again at any time: it never moves the group's position back.
        """
        return max(
            (
                offset
                for offset in (self._highest.get(assignment), assignment.committed)
                if offset is not None
            ),
            default=None,
        )

    def take_failed(self) -> list[Position]:
        """Return the positions that were rejected since the last commit was sent, once."""
        failed, self._failed = self._failed, []
        return failed

    def forget_released(self) -> None:
        """Forget rejected positions of partitions that are not owned any more.

        Their next owner commits them.
        """
        self._highest = {
            assignment: offset
            for assignment, offset in self._highest.items()
            if self._is_owned(assignment)
        }
        if self._failed:
            self._failed = [each for each in self._failed if self._is_owned(each.assignment)]
            if not self._failed:
                self._classify(None)

    def abandon(self, why: str) -> int:
        """Report every unanswered commit as failed; return how many there were."""
        count = len(self)
        for waiting in self._open.values():
            for sent in waiting:
                self._committed(sent.positions, why)
        self._open.clear()
        return count

    def _settle(
        self, content: _Content, error: KafkaError | None, errors: dict[PartitionKey, KafkaError]
    ) -> None:
        # The answer has no id: commits with the same content are answered in the order they were
        # sent.
        waiting = self._open.get(content)
        if not waiting:
            return
        positions, gaps, pinned = waiting.popleft()
        if not waiting:
            del self._open[content]
        first = error if error is not None else next(iter(errors.values()), None)
        if first is None:
            self._accepted(gaps)
        if pinned is not None:
            pinned(first)
            return
        settled: list[Position] = []
        refused: list[Position] = []
        for position in positions:
            key = (position.assignment.topic, position.assignment.partition)
            (refused if error is not None or key in errors else settled).append(position)
        # The error is classified before positions are forgotten: it may be fatal.
        self._classify(first)
        self._failed += refused
        self.forget_released()
        if settled:
            self._committed(tuple(settled), None)
        if refused and first is not None:
            self._committed(tuple(refused), detail_of(first))


def _content(partitions: Iterable[TopicPartition]) -> _Content:
    return tuple(sorted((each.topic, each.partition, each.offset) for each in partitions))
