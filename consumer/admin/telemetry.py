"""Turn the observer calls of the packages into log events and metrics.

This is the only module that knows both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import structlog

from consumer.model import Assignment, RecordOutcome, Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.admin.metrics import Metrics
    from consumer.batching.batch import Batch
    from consumer.clock import Clock
    from consumer.dead_letter.envelope import RecordFault
    from consumer.holds import ActiveHold
    from consumer.model import FilterRule, Record

_log = structlog.get_logger("consumer")


class Telemetry:
    """Observer of the ledger, the pipeline, the lanes, the bulk jobs, the tokens and the holds.

    Every call is counted. Only rare ones are logged, so that the log does not grow with traffic.
    """

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self._commits_failing_since_s: float | None = None

    # ── the ledger
    # ────────────────────────────────────────────────────────────────────────────────

    def polled(self, topic: str, count: int) -> None:
        """Count records that the source delivered."""
        self._metrics.polled(topic, count)

    def settled(self, topic: str, outcome: RecordOutcome, count: int) -> None:
        """Count settled records; released ones are logged, because they will be read again."""
        self._metrics.settled(topic, outcome, count)
        if outcome is RecordOutcome.RELEASED:
            _log.warning(
                "records_released",
                topic=topic,
                records=count,
                detail="the partition was given up first; its next owner reads them again",
            )

    # ── the pipeline
    # ────────────────────────────────────────────────────────────────────────────────

    def assignment_changed(self, kind: str, assignments: Sequence[Assignment]) -> None:
        """Log and count partitions that were `assigned`, `revoked` or `lost`."""
        self._metrics.rebalance(kind)
        count = len(assignments)
        places = [f"{one.topic}[{one.partition}]@{one.next_offset}" for one in assignments]
        match kind:
            case "assigned":
                _log.info("partitions_assigned", count=count, partitions=places)
            case "revoked":
                _log.info("partitions_revoked", count=count, partitions=places)
            case _:
                _log.warning("partitions_lost", count=count, partitions=places)

    def filtered(self, topic: str, rule: FilterRule, count: int) -> None:
        """Log records that are deliberately not sent."""
        _log.debug("records_filtered", topic=topic, rule=str(rule), records=count)

    def dead_lettered(self, record: Record, fault: RecordFault) -> None:
        """Log and count a record that is now in the dead-letter topic."""
        self._metrics.dead_letter(record.topic(), fault.reason)
        _log.warning(
            "record_dead_lettered",
            topic=record.topic(),
            partition=record.partition(),
            offset=record.offset(),
            reason=str(fault.reason),
            field=fault.field,
            detail=fault.detail,
            object=fault.object,
        )

    def commit_answered(self, count: int, error: str | None) -> None:
        """Count the answer to an offset commit of `count` partitions, and log a failure."""
        self._metrics.commit("ok" if error is None else "error")
        failing_since_s = self._commits_failing_since_s
        if error is not None:
            if failing_since_s is None:
                self._commits_failing_since_s = self._clock.now_s()
            _log.warning("commit_failed", partitions=count, detail=error)
        elif failing_since_s is not None:
            self._commits_failing_since_s = None
            lasted_s = round(self._clock.now_s() - failing_since_s, 1)
            _log.info("commit_recovered", lasted_s=lasted_s)

    # ── the lanes
    # ────────────────────────────────────────────────────────────────────────────────

    def answered(self, batch: Batch, result: str, elapsed_s: float, body_bytes: int) -> None:
        """Count a request that ended."""
        self._metrics.request(
            batch.target.object,
            batch.operation,
            result,
            seconds=elapsed_s,
            body_bytes=body_bytes,
            records=len(batch.changes),
        )

    def odd_acceptance(self, batch: Batch) -> None:
        """Log and count a batch accepted in an undocumented form."""
        self._metrics.odd_acceptance(batch.target.object)
        _log.warning(
            "undocumented_acceptance",
            object=batch.target.object,
            detail="expected 202 with an empty body or accepted: true, got another success; check"
            " for a proxy in between",
        )

    def maybe_duplicate(self, batch: Batch) -> None:
        """Log that a batch is sent again although the service may have it already."""
        _log.info(
            "batch_outcome_unknown",
            object=batch.target.object,
            detail="no answer; the same bytes are sent again, and may have been accepted before",
        )

    def retried(self, cause: str) -> None:
        """Count a batch that is sent again."""
        self._metrics.retry(cause)

    def bisected(self) -> None:
        """Count a request that was needed only to find the record at fault."""
        self._metrics.bisected()

    def body_limit_changed(self, target: Target, limit_bytes: int) -> None:
        """Log that requests of an object have another limit, as answers 413 have shown."""
        _log.info("body_limit_changed", object=target.object, bytes=limit_bytes)

    def throttled(self, duration_s: float) -> None:
        """Log and count a pause that the service asked for."""
        self._metrics.throttled(duration_s)
        _log.info("requests_throttled", wait_s=round(duration_s, 1))

    # ── bulk jobs
    # ────────────────────────────────────────────────────────────────────────────────

    def job_answered(self, target: Target, step: str, result: str, elapsed_s: float) -> None:
        """Count a request of a bulk job.

        The histograms of batches leave it out: its size and time differ by orders of magnitude.
        """
        self._metrics.job_request(target.object, step, result)
        _log.debug(
            "bulk_job_request",
            object=target.object,
            step=step,
            result=result,
            elapsed_s=round(elapsed_s, 1),
        )

    def job_found(self, target: Target, job: str, action: str) -> None:
        """Log a job of an earlier run, and what is done with it."""
        _log.warning("bulk_job_found", object=target.object, job=job, detail=action)

    def job_over(self, target: Target, job: str) -> None:
        """Log a bulk job that ended."""
        _log.info("bulk_job_finished", object=target.object, job=job)

    # ── tokens and holds
    # ────────────────────────────────────────────────────────────────────────────────

    def token_refresh(self, result: Literal["ok", "refused", "failed"]) -> None:
        """Log and count the outcome of a request for a token."""
        self._metrics.token_refresh(result)
        if result == "ok":
            _log.info("token_refreshed")
        else:
            _log.warning("token_refresh_failed", result=result)

    def tenant_moved(self, old_host: str, new_host: str) -> None:
        """Log that requests go to another host from now on."""
        _log.info("tenant_moved", old_host=old_host, new_host=new_host)

    def hold_changed(self, held: ActiveHold, begins: bool) -> None:  # noqa: FBT001 - the two events of a hold
        """Log the start or the end of a hold."""
        place = held.place
        scope = (
            place.object
            if isinstance(place, Target)
            else "everything"
            if place is None
            else str(place)
        )
        if begins:
            _log.warning("hold_started", reason=str(held.reason), scope=scope, detail=held.detail)
        else:
            # Both times are wall times, and the wall clock may be set back meanwhile.
            lasted_s = max(0.0, round((self._clock.wall_ms() - held.since_ms) / 1000, 1))
            _log.info("hold_ended", reason=str(held.reason), scope=scope, lasted_s=lasted_s)
