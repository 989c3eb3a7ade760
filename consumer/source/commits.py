"""Commits under way: sent without waiting, answered through the client's callback.

Told as positions.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING, TypeAlias

from confluent_kafka import KafkaException

from consumer.source.error_codes import detail_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from confluent_kafka import Consumer, KafkaError, TopicPartition

    from consumer.model import Assignment, PartitionKey
    from consumer.source.port import Position

_Content: TypeAlias = tuple[tuple[str, int, int], ...]


class Commits:
    """What was sent and not answered.

    `told` is the `committed` event, `judge` hears of every answer's error, `place` knows what to
    commit with an assignment's position, so that its next reader finds out if the log was shortened
    or replaced meanwhile.

    `judge` hears `None` too when nothing of what was refused `is_ours` any more: whoever reads on
    commits it, and a topic at rest, of which nothing is left to commit, would be held up for ever.
    """

    def __init__(
        self,
        told: Callable[[Sequence[Position], str | None], None],
        judge: Callable[[KafkaError | None], None],
        place: Callable[[Assignment, int], TopicPartition],
        is_ours: Callable[[Assignment], bool],
    ) -> None:
        self._told = told
        self._judge = judge
        self._place = place
        self._is_ours = is_ours
        self._open: defaultdict[_Content, deque[tuple[Position, ...]]] = defaultdict(deque)
        self._failed: list[Position] = []

    def __len__(self) -> int:
        """Count the commits that have no answer yet."""
        return sum(map(len, self._open.values()))

    def send(
        self, consumer: Consumer, positions: Iterable[Position], pins: Iterable[TopicPartition] = ()
    ) -> None:
        """Send one commit: the highest position of each partition.

        And `pins` for partitions of other members.
        """
        newest: dict[PartitionKey, Position] = {}
        for position in positions:
            key = (position.assignment.topic, position.assignment.partition)
            if key not in newest or newest[key].offset < position.offset:
                newest[key] = position
        offsets = [self._place(each.assignment, each.offset) for each in newest.values()]
        offsets += [pin for pin in pins if (pin.topic, pin.partition) not in newest]
        if not offsets:
            return  # the client takes an empty commit for one of what it has stored, and has nothing
        self._failed = []
        content = _content(offsets)
        self._open[content].append(tuple(newest.values()))
        try:
            consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as refusal:
            error: KafkaError = refusal.args[0]
            self._settle(content, error, {})

    def answered(self, error: KafkaError | None, partitions: Sequence[TopicPartition]) -> None:
        """Take the client's answer; it names the same partitions and offsets as the commit did."""
        errors = {
            (each.topic, each.partition): each.error
            for each in partitions
            if each.error is not None
        }
        self._settle(_content(partitions), error, errors)

    def take_failed(self) -> list[Position]:
        """Return the positions that were refused since the last commit was sent."""
        failed, self._failed = self._failed, []
        return failed

    def forget_released(self) -> None:
        """Forget what was refused of partitions that are not ours any more.

        Nobody commits that again.
        """
        if self._failed:
            self._failed = [each for each in self._failed if self._is_ours(each.assignment)]
            if not self._failed:
                self._judge(None)

    def abandon(self, why: str) -> int:
        """Tell everything that has no answer as failed; returns how many commits that were."""
        count = len(self)
        for waiting in self._open.values():
            for positions in waiting:
                self._told(positions, why)
        self._open.clear()
        return count

    def _settle(
        self, content: _Content, error: KafkaError | None, errors: dict[PartitionKey, KafkaError]
    ) -> None:
        waiting = self._open.get(content)
        if not waiting:
            return
        positions = waiting.popleft()
        if not waiting:
            del self._open[content]
        first = error if error is not None else next(iter(errors.values()), None)
        settled: list[Position] = []
        refused: list[Position] = []
        for position in positions:
            key = (position.assignment.topic, position.assignment.partition)
            (refused if error is not None or key in errors else settled).append(position)
        self._judge(first)
        self._failed += refused
        self.forget_released()
        if settled:
            self._told(tuple(settled), None)
        if refused and first is not None:
            self._told(tuple(refused), detail_of(first))


def _content(partitions: Iterable[TopicPartition]) -> _Content:
    return tuple(sorted((each.topic, each.partition, each.offset) for each in partitions))
