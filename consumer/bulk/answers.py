"""What an outcome means for the step of a job.

Every answer of either API, and every lack of one, read one way.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final, TypeAlias

import msgspec

from consumer.bulk.job_state import Job, next_locator, read_job, read_jobs
from consumer.bulk.requests import JobStep
from consumer.delivery.judge import detail_of, judge
from consumer.delivery.verdicts import HoldLane, RefreshToken, Reject, Retry
from consumer.errors import HoldReason
from consumer.http.messages import HttpOutcome, NoAnswer

_THROTTLED_CREATION_S: Final = 60.0
"""The limit that a creation runs into is one of an hour."""

_SUCCESS: Final = {
    JobStep.CREATE: frozenset({200, 201}),
    JobStep.UPLOAD: frozenset({201, 202}),
    JobStep.CLOSE: frozenset({200}),
    JobStep.ABORT: frozenset({200}),
    JobStep.GET: frozenset({200}),
    JobStep.LIST: frozenset({200}),
    JobStep.RESULTS: frozenset({200, 204}),
    JobStep.QUERY: frozenset({200}),
}


_NO_JOB_IN_BODY: Final = frozenset({JobStep.UPLOAD, JobStep.RESULTS, JobStep.QUERY})
"""Steps whose success says nothing, or says it in a file."""

_OUT_OF_REQUESTS: Final = b"REQUEST_LIMIT_EXCEEDED"


class Done(msgspec.Struct, frozen=True):
    """The step is taken. `jobs` is what the service says of the job.

    Or of all that it was asked for.

    `rest` is where a list that is not whole goes on.
    """

    jobs: tuple[Job, ...] = ()
    rest: str = ""


class NotFound(msgspec.Struct, frozen=True):
    """There is no such job; on a creation, no such object."""

    detail: str


class Refused(msgspec.Struct, frozen=True):
    """The step is not taken and will not be: a file that is refused, a state that allows it not."""

    detail: str


class Busy(msgspec.Struct, frozen=True):
    """Another job is active on the object."""

    detail: str


class Uncertain(msgspec.Struct, frozen=True):
    """An upload of which nobody knows whether it counts: once more could double its rows."""

    detail: str


class RetryLater(msgspec.Struct, frozen=True):
    """The moment's fault: the same once more. `after_s` is a floor."""

    cause: str
    after_s: float | None = None


StepOutcome: TypeAlias = Done | NotFound | Refused | Busy | Uncertain | RetryLater | RefreshToken | HoldLane


def read_outcome(step: JobStep, outcome: HttpOutcome, *, fresh_token: bool, wall_ms: int) -> StepOutcome:  # noqa: PLR0911 - one per row of the table
    """Read what became of one step.

    `fresh_token` says that its token was itself made because of a 401.
    """
    if isinstance(outcome, NoAnswer):
        if step is JobStep.UPLOAD and outcome.written:
            return Uncertain(f"upload without an answer ({outcome.failure.value}: {outcome.detail})")
        return RetryLater(outcome.failure.value)
    if outcome.status in _SUCCESS[step]:
        return _success(step, outcome.body) or HoldLane(
            HoldReason.SINK,
            f"{outcome.status}: not the service's own answer; a proxy may have answered",
        )
    if outcome.status == HTTPStatus.NOT_FOUND and step is not JobStep.LIST:
        return NotFound(detail_of(outcome))
    if outcome.status == HTTPStatus.CONFLICT:
        return Busy(detail_of(outcome)) if step is JobStep.CREATE else Refused(detail_of(outcome))
    if outcome.status == HTTPStatus.FORBIDDEN and _OUT_OF_REQUESTS in outcome.body:
        return HoldLane(HoldReason.RATE, detail_of(outcome))
    verdict = judge(outcome, records=1, conflicts=1, fresh_token=fresh_token, wall_ms=wall_ms)
    match verdict:
        case Retry():
            throttled_s = (
                _THROTTLED_CREATION_S if verdict.throttled and step is JobStep.CREATE else 0.0
            )
            return RetryLater(verdict.cause, max(verdict.after_s or 0.0, throttled_s) or None)
        case RefreshToken() | HoldLane():
            return verdict
        case Reject():
            return Refused(verdict.detail)
        case _:
            return HoldLane(HoldReason.SINK, f"{outcome.status}: not an answer to this step")


def _success(step: JobStep, body: bytes) -> Done | None:
    """Return what a success says; `None` when it does not say what this step's success says."""
    if step in _NO_JOB_IN_BODY:
        return Done()
    if step is JobStep.LIST:
        jobs = read_jobs(body)
        return None if jobs is None else Done(tuple(jobs), next_locator(body))
    job = read_job(body)
    return None if job is None else Done((job,))
