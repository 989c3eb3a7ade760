"""Builds the status snapshot behind `/status`, the probes and the gauges."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from consumer import __version__
from consumer.admin.health import ProgressWatch, liveness
from consumer.admin.port import (
    Accounts,
    Check,
    HoldStatus,
    LedgerStatus,
    ObjectAccount,
    PartitionAccount,
    PartitionStatus,
    RateStatus,
    State,
    StatusReport,
    TokenStatus,
)
from consumer.engine.open_counts import count_open
from consumer.model import Assignment, RecordOutcome, Target
from consumer.offsets.watermark import lowest

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.bulk.lanes import BulkLanes
    from consumer.clock import Clock
    from consumer.config.settings import Settings
    from consumer.dead_letter.outbox import Outbox
    from consumer.delivery.lanes import Lanes
    from consumer.delivery.load_control import RateBucket
    from consumer.engine.state import EngineState
    from consumer.errors import HoldReason
    from consumer.model import Low
    from consumer.source.port import Source

MAX_POLL_INTERVAL_MS: Final = 300_000
"""librdkafka's default of `max.poll.interval.ms`."""


class DaemonStatus:
    """Reads the state of a daemon. Every call is made on the event loop and returns at once."""

    def __init__(
        self,
        settings: Settings,
        engine: EngineState,
        source: Source,
        rate: RateBucket,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._source = source
        self._rate = rate
        self._clock = clock
        self._watch = ProgressWatch()
        self._state = State.STARTING
        self._ticked_s = clock.now_s()
        self._lanes: Lanes | None = None
        self._bulk: BulkLanes | None = None
        self._outbox: Outbox | None = None
        self._token_expires_in_s: Callable[[], float | None] = lambda: None
        self._clock_ahead_s: Callable[[], float | None] = lambda: None

    def attach(self, lanes: Lanes, bulk: BulkLanes, outbox: Outbox) -> None:
        """Set the parts that hold unsettled records, once they are built."""
        self._lanes = lanes
        self._bulk = bulk
        self._outbox = outbox

    def use_clock_offset(self, ahead_s: Callable[[], float | None]) -> None:
        """Set the function that returns how far the machine's clock is ahead of the service's."""
        self._clock_ahead_s = ahead_s

    def use_token_expiry(self, expires_in_s: Callable[[], float | None]) -> None:
        """Set the function that returns how many seconds the token is still valid."""
        self._token_expires_in_s = expires_in_s

    def tick(self) -> None:
        """Note that the loop is alive; called every second."""
        self._ticked_s = self._clock.now_s()
        if self._state is State.STARTING and self._engine.progress.owned:
            self._state = State.RUNNING
        self._watch.observe(self._ticked_s, self.snapshot())

    def draining(self) -> None:
        """Note that shutdown has begun."""
        self._state = State.DRAINING

    def stopped(self) -> None:
        """Note that the consumer has left the group."""
        self._state = State.STOPPED

    def snapshot(self) -> StatusReport:
        """Return the status as of now."""
        now_s, wall_ms, engine = self._clock.now_s(), self._clock.wall_ms(), self._engine
        ends = self._source.end_offsets()
        dead_letter_lows = lowest(self._outbox.lows()) if self._outbox is not None else {}
        return StatusReport(
            version=__version__,
            config_sha256=self._settings.config_sha256,
            state=self._state,
            group_id=self._settings.kafka.group_id,
            assignment=tuple(
                self._partition(one, ends.get(one), dead_letter_lows.get(one), now_s)
                for one in engine.progress.owned
            ),
            holds=tuple(
                HoldStatus(
                    reason=held.reason,
                    since=datetime.fromtimestamp(held.since_ms / 1000, UTC),
                    detail=held.detail,
                )
                for held in engine.holds
            ),
            ledger=self.ledger(),
            token=TokenStatus(expires_in_s=self._token_expires_in_s()),
            rate=RateStatus(limit=self._rate.limit_per_s(now_s), share=self._rate.share),
            in_flight=self._lanes.in_flight if self._lanes is not None else 0,
            body_limits={
                target.object: batcher.body_limit.limit_bytes
                for target, batcher in engine.batchers.items()
            },
            buffer_bytes=engine.held_bytes,
            freshness_s=self._freshness_s(wall_ms),
            clock_offset_s=self._clock_ahead_s(),
            bulk=self._bulk.progress() if self._bulk is not None else (),
        )

    def ledger(self) -> LedgerStatus:
        """Return the counts of records by outcome, over all partitions."""
        ledger = self._engine.ledger
        counts = ledger.settled_counts
        return LedgerStatus(
            polled=ledger.polled_count - counts[RecordOutcome.RELEASED],
            accepted=counts[RecordOutcome.ACCEPTED],
            conflated=counts[RecordOutcome.CONFLATED],
            filtered=counts[RecordOutcome.FILTERED],
            dead_lettered=counts[RecordOutcome.DEAD_LETTERED],
            open=ledger.open_count,
        )

    def accounts(self) -> Accounts:
        """Return the counts by partition and by object; unsettled ones are counted by place."""
        engine, open_counts = self._engine, count_open(self._engine, self._outbox)
        return Accounts(
            partitions=tuple(
                PartitionAccount(
                    topic=topic,
                    partition=partition,
                    polled=account.came_in_count,
                    open=open_counts.records[topic, partition],
                    **account.settled_counts,
                )
                for (topic, partition), account in sorted(engine.ledger.by_partition.items())
            ),
            objects=tuple(
                ObjectAccount(
                    object=name,
                    offered=account.came_in_count,
                    open=open_counts.changes[name],
                    **account.settled_counts,
                )
                for name, account in sorted(engine.accounts.by_object.items())
            ),
        )

    def liveness(self) -> tuple[Check, ...]:
        """Return the checks of `/livez`. None of them depends on the outside world."""
        now_s = self._clock.now_s()
        started = self._state not in (State.STARTING, State.STOPPED)
        return liveness(
            now_s,
            polled_s=self._source.progress_s() if started else now_s,
            turned_s=self._ticked_s,
            drain_timeout_s=self._settings.delivery.drain_timeout_s,
            max_poll_interval_s=self._max_poll_interval_s(),
        )

    def readiness(self) -> tuple[Check, ...]:
        """Return the checks of `/readyz`: assignment, holds, progress of each partition."""
        return self._watch.readiness(self._clock.now_s(), self.snapshot())

    def _partition(
        self, assignment: Assignment, end: int | None, dead_letter: Low | None, now_s: float
    ) -> PartitionStatus:
        progress = self._engine.progress
        position = progress.position(assignment)
        return PartitionStatus(
            topic=assignment.topic,
            partition=assignment.partition,
            epoch=assignment.epoch,
            position=position,
            end=end,
            lag=None if end is None else max(0, end - position),
            open=assignment.open_count,
            oldest_open_s=progress.still_s(assignment, now_s) if assignment.open_count else None,
            hold=self._hold_of(assignment),
            trouble=self._trouble(assignment, dead_letter) if assignment.open_count else None,
            gathering=self._waits_for_job(assignment),
        )

    def _trouble(self, assignment: Assignment, dead_letter: Low | None) -> str | None:
        """Return why the oldest unsettled record of a partition waits, `None` when not known."""
        low = self._engine.progress.oldest(assignment)
        # The oldest unsettled record is the one whose dead letter is not confirmed.
        if dead_letter is not None and low is not None and dead_letter <= low:
            return "dead_letter: the topic has not confirmed the record"
        return self._lanes.trouble(assignment) if self._lanes is not None else None

    def _waits_for_job(self, assignment: Assignment) -> bool:
        """Tell whether the oldest unsettled record of a partition is in a row buffer.

        The partition then stands still by design, until the next bulk job.
        """
        oldest = self._engine.progress.oldest(assignment) if assignment.open_count else None
        return oldest is not None and any(
            low == oldest
            for row_buffer in self._engine.row_buffers.values()
            for one, low in row_buffer.lows()
            if one is assignment
        )

    def _hold_of(self, assignment: Assignment) -> HoldReason | None:
        """Return the hold that pauses a partition: its own, its topic's, an object's, or global."""
        targets = [mapper.target for mapper in self._engine.routes.mappers(assignment.topic)]
        # `None` holds everything; a string is a topic.
        for held in self._engine.holds:
            place = held.place
            if place is None or place is assignment or place == assignment.topic:
                return held.reason
            if isinstance(place, Target) and place in targets:
                return held.reason
        return None

    def _freshness_s(self, wall_ms: int) -> dict[str, float]:
        """Return the age of the oldest unsettled record by topic, 0 when there is none."""
        ages: dict[str, float] = {}
        for assignment in self._engine.progress.owned:
            low = self._engine.progress.oldest(assignment) if assignment.open_count else None
            age_s = (
                0.0
                if low is None or low.timestamp_ms <= 0
                else max(0.0, (wall_ms - low.timestamp_ms) / 1000)
            )
            ages[assignment.topic] = max(age_s, ages.get(assignment.topic, 0.0))
        return ages

    def _max_poll_interval_s(self) -> float:
        return (
            int(self._settings.kafka.properties.get("max.poll.interval.ms", MAX_POLL_INTERVAL_MS))
            / 1000
        )
