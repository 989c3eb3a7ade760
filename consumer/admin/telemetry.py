"""Turn what the rooms report into log lines and metrics: the one place that knows both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import structlog

from consumer.model import Assignment, RecordOutcome, Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.admin.metrics import Metrics
    from consumer.batching.batch import Batch
    from consumer.dead_letter.envelope import RecordFault
    from consumer.holds import ActiveHold
    from consumer.model import FilterRule, Record

_log = structlog.get_logger("consumer")


class Telemetry:
    """Observer of ledger, corridor, lanes, tokens and holds.

    Logs what happens seldom; counts everything.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    # ── the ledger
    # ───────────────────────────────────────────────────────────────────────────────────────

    def polled(self, topic: str, count: int) -> None:
        """Records came in."""
        self._metrics.polled(topic, count)

    def settled(self, topic: str, outcome: RecordOutcome, count: int) -> None:
        """Records were settled."""
        self._metrics.settled(topic, outcome, count)
        if outcome is RecordOutcome.RELEASED:
            _log.warning(
                "handed over unsettled; the next owner reads them again", topic=topic, records=count
            )

    # ── the corridor
    # ─────────────────────────────────────────────────────────────────────────────────────

    def assignment_changed(self, kind: str, assignments: Sequence[Assignment]) -> None:
        """Partitions were assigned, revoked or lost."""
        self._metrics.rebalance(kind)
        places = [f"{one.topic}[{one.partition}]@{one.next_offset}" for one in assignments]
        _log.info(f"partitions {kind}", count=len(assignments), partitions=places)

    def filtered(self, topic: str, rule: FilterRule, count: int) -> None:
        """Records were deliberately not sent."""
        _log.debug("filtered", topic=topic, rule=str(rule), records=count)

    def dead_lettered(self, record: Record, fault: RecordFault) -> None:
        """The dead-letter topic has a record."""
        self._metrics.dead_letter(record.topic(), fault.reason)
        _log.warning(
            "dead-lettered",
            topic=record.topic(),
            partition=record.partition(),
            offset=record.offset(),
            reason=str(fault.reason),
            field=fault.field,
            detail=fault.detail,
            object=fault.object,
        )

    def commit_answered(self, count: int, error: str | None) -> None:
        """A commit was answered."""
        self._metrics.commit("ok" if error is None else "error")
        if error is not None:
            _log.warning(
                "commit failed; it goes out again with the next", partitions=count, error=error
            )

    # ── the lanes
    # ────────────────────────────────────────────────────────────────────────────────────────

    def answered(self, batch: Batch, result: str, elapsed_s: float, body_bytes: int) -> None:
        """A request ended."""
        self._metrics.request(
            batch.target.object,
            batch.operation,
            result,
            seconds=elapsed_s,
            body_bytes=body_bytes,
            records=len(batch.changes),
        )

    def odd_acceptance(self, batch: Batch) -> None:
        """Accepted in an undocumented form; the status is in `requests_total`."""
        _log.warning("accepted with an undocumented status", object=batch.target.object)

    def maybe_duplicate(self, batch: Batch) -> None:
        """The batch may be with the service already, and goes out again."""
        _log.info("outcome unknown; the same bytes go out again", object=batch.target.object)

    def retried(self, cause: str) -> None:
        """A batch is sent again."""
        self._metrics.retry(cause)

    def bisected(self) -> None:
        """A request only to find who is at fault."""
        self._metrics.bisected()

    def throttled(self, duration_s: float) -> None:
        """The service asked for a pause."""
        self._metrics.throttled(duration_s)
        _log.info("pausing as the service asked", seconds=round(duration_s, 1))

    # ── bulk jobs
    # ────────────────────────────────────────────────────────────────────────────────────────

    def job_answered(self, target: Target, step: str, result: str, elapsed_s: float) -> None:
        """A request of a bulk job ended.

        It is no batch: its size and time say nothing about those.
        """
        self._metrics.job_request(target.object, step, result)
        _log.debug(
            "bulk job", object=target.object, step=step, result=result, seconds=round(elapsed_s, 1)
        )

    def job_found(self, target: Target, job: str, action: str) -> None:
        """A job was found that nobody waited for."""
        _log.warning("bulk job found", object=target.object, job=job, action=action)

    def job_over(self, target: Target, job: str) -> None:
        """A bulk job came to its end."""
        _log.info("bulk job over", object=target.object, job=job)

    # ── tokens and holds
    # ─────────────────────────────────────────────────────────────────────────────────

    def token_refresh(self, result: Literal["ok", "refused", "failed"]) -> None:
        """A token was asked for."""
        self._metrics.token_refresh(result)
        if result == "ok":
            _log.info("new token")
        else:
            _log.warning("no new token", result=result)

    def hold_changed(self, held: ActiveHold, begins: bool) -> None:  # noqa: FBT001 - the two events of a hold
        """A hold began or ended."""
        place = held.place
        where = (
            place.object
            if isinstance(place, Target)
            else "everything"
            if place is None
            else str(place)
        )
        if begins:
            _log.warning("hold begins", reason=str(held.reason), where=where, detail=held.detail)
        else:
            _log.warning("hold ends", reason=str(held.reason), where=where)
