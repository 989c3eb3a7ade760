"""Turns errors of the Kafka client into holds, log lines, or the end of the daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from consumer.errors import HoldReason
from consumer.source.broker_watch import BROKERS, REFUSED
from consumer.source.error_codes import HOLDS, ErrorClass, class_of, detail_of
from consumer.source.leader_epochs import describe_loss, diverged_at
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
    """Handles every error by its class; `on_fatal` is called with the first fatal one."""

    def __init__(
        self, clock: Clock, active_errors: ActiveErrors, on_fatal: Callable[[str], None]
    ) -> None:
        self.fatal = False
        self._clock = clock
        self._active_errors = active_errors
        self._on_fatal = on_fatal
        self._noted_s: dict[tuple[int, str], float] = {}
        self._log = structlog.get_logger()

    def client_error(self, error: KafkaError) -> None:
        """Handle an error of the error callback: connections, credentials, the client itself.

        Up to 20 per second.
        """
        error_class = class_of(error)
        if error_class is ErrorClass.BROKER:
            # While brokers reject this client, they are also reported as down.
            if REFUSED not in self._active_errors.global_kinds():
                self._hold(HoldReason.BROKER, BROKERS, error)
        elif error_class in HOLDS:
            # Brokers that refuse every connection are also reported as down. Only the refusal is
            # shown, because it names what the operator can fix.
            self._hold(HOLDS[error_class], REFUSED, error)
            self._active_errors.end(BROKERS)
        else:
            self._log_or_fail(error_class, error, "")

    def group_error(self, error: KafkaError) -> None:
        """Handle an error of `consume` that applies to none of our partitions."""
        error_class = class_of(error)
        if error_class in HOLDS:
            self._hold(HOLDS[error_class], GROUP, error)
        else:
            self._log_or_fail(error_class, error, "")

    def topic_error(self, error: KafkaError, topic: str) -> None:
        """Handle an error of `consume` that applies to a topic; the watch sees when it ends."""
        error_class = class_of(error)
        if error_class in HOLDS:
            self._hold(HOLDS[error_class], f"topic {topic}", error)
        else:
            self._log_or_fail(error_class, error, topic)

    def partition_error(self, error: KafkaError, owned: OwnedPartition) -> None:
        """Handle an error of `consume` that applies to a partition that we read.

        It ends with the next records of the partition.
        """
        error_class = class_of(error)
        if error_class in HOLDS and error_class is not ErrorClass.AUTH:
            detail = f"{owned.assignment.topic}[{owned.assignment.partition}]: {detail_of(error)}"
            self._active_errors.begin(
                HOLDS[error_class], RECORDS, detail, self._clock.now_s(), owned.assignment
            )
        else:
            self.topic_error(error, owned.assignment.topic)

    def commit_result(self, error: KafkaError | None) -> None:
        """Handle the answer to a commit."""
        if error is None:
            self._active_errors.end(COMMIT)
        else:
            self.request_error(error, COMMIT)

    def request_error(self, error: KafkaError, kind: str) -> None:
        """Handle the error of our request to the brokers; the request is repeated."""
        error_class = class_of(error)
        if error_class is ErrorClass.TRANSIENT:
            self._hold(HoldReason.BROKER, kind, error)
        elif error_class in HOLDS:
            self._hold(HOLDS[error_class], kind, error)
        else:
            self._log_or_fail(error_class, error, "")

    def offset_lost(
        self, owned: OwnedPartition, low: int | None, end: int | None, error: KafkaError
    ) -> None:
        """Hold a partition whose position does not exist any more.

        It is not read, and no record is skipped.
        """
        where = f"{owned.assignment.topic}[{owned.assignment.partition}]"
        position = owned.read_offset
        lost = describe_loss(
            position, owned.leader_epochs.before(position), low, end, diverged_at(error)
        )
        detail = f"{where}: {lost} ({detail_of(error)})"
        self._active_errors.begin(
            HoldReason.OFFSET_LOST, OFFSET, detail, self._clock.now_s(), owned.assignment
        )

    def _hold(self, reason: HoldReason, kind: str, error: KafkaError) -> None:
        self._active_errors.begin(reason, kind, detail_of(error), self._clock.now_s())

    def _log_or_fail(self, error_class: ErrorClass, error: KafkaError, topic: str) -> None:
        if error_class is ErrorClass.FATAL:
            self.end(error)
        elif error_class is not ErrorClass.IGNORED:
            self._log_once_a_minute(error, topic)

    def end(self, error: KafkaError) -> None:
        """Report, once, that the client cannot continue."""
        if not self.fatal:
            self.fatal = True
            self._on_fatal(detail_of(error))

    def _log_once_a_minute(self, error: KafkaError, topic: str) -> None:
        """Write a log line, at most once a minute for the same code and topic."""
        now_s = self._clock.now_s()
        last_s = self._noted_s.get((error.code(), topic))
        if last_s is None or now_s - last_s >= NOTE_EVERY_S:
            self._noted_s[error.code(), topic] = now_s
            self._log.warning(
                "kafka_error", code=error.name(), topic=topic, detail=detail_of(error)
            )
