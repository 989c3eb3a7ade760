"""Errors of the Kafka client, wherever it tells them, become hold-ups, log lines, or the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from consumer.errors import HoldReason
from consumer.source.broker_watch import BROKERS, REFUSED
from consumer.source.error_codes import HOLDS, ErrorClass, detail_of, meaning_of
from consumer.source.leader_epochs import parted_at, what_was_lost
from consumer.source.rebalance import GROUP

if TYPE_CHECKING:
    from collections.abc import Callable

    from confluent_kafka import KafkaError

    from consumer.clock import Clock
    from consumer.source.active_errors import ActiveErrors
    from consumer.source.ownership import OwnedPartition

NOTE_EVERY_S: Final = 60.0

COMMIT: Final = "commit"
OFFSET: Final = "offset"
RECORDS: Final = "records"
START: Final = "start"


class ErrorClassifier:
    """Judges every error by the one table. `ended` hears the first fatal one."""

    def __init__(
        self, clock: Clock, active_errors: ActiveErrors, ended: Callable[[str], None]
    ) -> None:
        self.fatal = False
        self._clock = clock
        self._active_errors = active_errors
        self._ended = ended
        self._noted_s: dict[tuple[int, str], float] = {}
        self._log = structlog.get_logger()

    def of_client(self, error: KafkaError) -> None:
        """Judge what the error callback tells: connections, credentials, the client itself.

        Up to 20 a second.
        """
        meaning = meaning_of(error)
        if meaning is ErrorClass.BROKER:
            if REFUSED not in self._active_errors.symptoms():
                self._hold(HoldReason.BROKER, BROKERS, error)
        elif meaning in HOLDS:
            # Brokers that refuse every connection also count as down; the refusal is what can be
            # mended.
            self._hold(HOLDS[meaning], REFUSED, error)
            self._active_errors.end(BROKERS)
        else:
            self._lesser(meaning, error, "")

    def of_group(self, error: KafkaError) -> None:
        """Judge an error that `consume` tells and that concerns no partition of ours."""
        meaning = meaning_of(error)
        if meaning in HOLDS:
            self._hold(HOLDS[meaning], GROUP, error)
        else:
            self._lesser(meaning, error, "")

    def of_topic(self, error: KafkaError, topic: str) -> None:
        """Judge an error that `consume` tells of a topic; the watch sees when it is gone."""
        meaning = meaning_of(error)
        if meaning in HOLDS:
            self._hold(HOLDS[meaning], f"topic {topic}", error)
        else:
            self._lesser(meaning, error, topic)

    def of_partition(self, error: KafkaError, owned: OwnedPartition) -> None:
        """Judge an error that `consume` tells of a partition that we read.

        Its next records end it.
        """
        meaning = meaning_of(error)
        if meaning in HOLDS and meaning is not ErrorClass.AUTH:
            detail = f"{owned.assignment.topic}[{owned.assignment.partition}]: {detail_of(error)}"
            self._active_errors.begin(
                HOLDS[meaning], RECORDS, detail, self._clock.now_s(), owned.assignment
            )
        else:
            self.of_topic(error, owned.assignment.topic)

    def of_commit(self, error: KafkaError | None) -> None:
        """Judge the answer to a commit."""
        if error is None:
            self._active_errors.end(COMMIT)
        else:
            self.of_question(error, COMMIT)

    def of_question(self, error: KafkaError, symptom: str) -> None:
        """Judge why something that we asked of the brokers was not answered; it is asked again."""
        meaning = meaning_of(error)
        if meaning is ErrorClass.PASSING:
            self._hold(HoldReason.BROKER, symptom, error)
        elif meaning in HOLDS:
            self._hold(HOLDS[meaning], symptom, error)
        else:
            self._lesser(meaning, error, "")

    def offset_lost(
        self, owned: OwnedPartition, low: int | None, end: int | None, error: KafkaError
    ) -> None:
        """Hold a partition whose position is not there any more.

        It is not read, and nothing is passed over.
        """
        where = f"{owned.assignment.topic}[{owned.assignment.partition}]"
        position = owned.read_offset
        lost = what_was_lost(
            position, owned.leader_epochs.before(position), low, end, parted_at(error)
        )
        detail = f"{where}: {lost} ({detail_of(error)})"
        self._active_errors.begin(
            HoldReason.OFFSET_LOST, OFFSET, detail, self._clock.now_s(), owned.assignment
        )

    def _hold(self, reason: HoldReason, symptom: str, error: KafkaError) -> None:
        self._active_errors.begin(reason, symptom, detail_of(error), self._clock.now_s())

    def _lesser(self, meaning: ErrorClass, error: KafkaError, topic: str) -> None:
        if meaning is ErrorClass.FATAL:
            self.end(error)
        elif meaning is not ErrorClass.SILENT:
            self._note(error, topic)

    def end(self, error: KafkaError) -> None:
        """Tell, once, that the client cannot go on."""
        if not self.fatal:
            self.fatal = True
            self._ended(detail_of(error))

    def _note(self, error: KafkaError, topic: str) -> None:
        """Write a line, once a minute for the same."""
        now_s = self._clock.now_s()
        last_s = self._noted_s.get((error.code(), topic))
        if last_s is None or now_s - last_s >= NOTE_EVERY_S:
            self._noted_s[error.code(), topic] = now_s
            self._log.warning(
                "kafka_error", code=error.name(), topic=topic, detail=detail_of(error)
            )
