"""Runs the rounds that find start positions, one step in each iteration of the consumer thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaException

from consumer.source.errors import START

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from confluent_kafka import Consumer, KafkaError

    from consumer.clock import Clock
    from consumer.source.active_errors import ActiveErrors
    from consumer.source.commits import Commits
    from consumer.source.errors import ErrorClassifier
    from consumer.source.ownership import Ownership, StartPosition
    from consumer.source.start_positions import ResolvedStarts, StartPositions

AGAIN_S: Final = 1.0
"""How soon a round is repeated that failed."""


class Starting:
    """The current round, and when the next one may begin."""

    def __init__(
        self,
        starts: StartPositions,
        ownership: Ownership,
        commits: Commits,
        errors: ErrorClassifier,
        *,
        active_errors: ActiveErrors,
        clock: Clock,
    ) -> None:
        self._starts = starts
        self._ownership = ownership
        self._commits = commits
        self._errors = errors
        self._active_errors = active_errors
        self._clock = clock
        self._round: Iterator[ResolvedStarts] | None = None
        self._failed: KafkaError | None = None
        self._changes = 0
        self._next_s = 0.0

    @property
    def is_busy(self) -> bool:
        """Whether a round has more steps."""
        return self._round is not None

    def step(self, consumer: Consumer) -> Sequence[StartPosition]:
        """Take one step, if a partition is pending; return the starts that it found."""
        if self._changes != self._ownership.changes:
            # The round may have positions of an earlier assignment.
            self._changes = self._ownership.changes
            self._round = None
        if self._round is None and not self._begin_round(consumer):
            return ()
        try:
            found = None if self._round is None else next(self._round, None)
        except KafkaException as error:
            self._failed = error.args[0]
            found = None
        if found is None:
            self._end_round()
            return ()
        if found.failed is not None:
            self._failed = found.failed
        if found.pins:
            self._commits.pin(consumer, found.pins, self._pinned)
        return found.starts

    def _begin_round(self, consumer: Consumer) -> bool:
        if not self._ownership.pending or self._clock.now_s() < self._next_s:
            return False
        self._failed = None
        self._round = self._starts.find(consumer, tuple(self._ownership.pending))
        # Until the pins of this round are committed, another one would find the same.
        self._next_s = self._clock.now_s() + AGAIN_S
        return True

    def _end_round(self) -> None:
        self._round = None
        if self._failed is not None:
            self._next_s = self._clock.now_s() + AGAIN_S
            self._errors.request_error(self._failed, START)
        elif not self._ownership.pending:
            # The next partitions that are assigned need not wait for the interval.
            self._active_errors.end(START)
            self._next_s = 0.0

    def _pinned(self, error: KafkaError | None) -> None:
        if error is None:
            self._next_s = 0.0
        else:
            self._errors.request_error(error, START)
