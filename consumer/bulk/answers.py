"""Reads the outcome of a job request: what the response means for this step."""

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
"""A creation that is throttled has met the hourly limit of jobs."""

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
"""Steps whose success has no body, or a body that goes into a file."""

_OUT_OF_REQUESTS: Final = b"REQUEST_LIMIT_EXCEEDED"


class Done(msgspec.Struct, frozen=True):
    """The step succeeded.

    `jobs` are the jobs in the response. `rest` is the locator of the next page of a list, empty at
    its end.
    """

    jobs: tuple[Job, ...] = ()
    rest: str = ""


class NotFound(msgspec.Struct, frozen=True):
    """The service has no such job; on a creation, no such object or connector."""

    detail: str


class Refused(msgspec.Struct, frozen=True):
    """The service refused the step, and would refuse it again: a bad file or a wrong state."""

    detail: str


class Busy(msgspec.Struct, frozen=True):
    """Another job is active on the object."""

    detail: str


class Uncertain(msgspec.Struct, frozen=True):
    """An upload without a response. Sending it again could add its rows twice."""

    detail: str


class RetryLater(msgspec.Struct, frozen=True):
    """A transient fault. The same request is sent again after at least `after_s` seconds.

    `asked_s` is the pause that the service asked for, which is one for every job.
    """

    cause: str
    after_s: float | None = None
    asked_s: float | None = None


StepOutcome: TypeAlias = (
    Done | NotFound | Refused | Busy | Uncertain | RetryLater | RefreshToken | HoldLane
)


def read_outcome(  # noqa: PLR0911 - one per row of the table
    step: JobStep, outcome: HttpOutcome, *, fresh_token: bool, wall_ms: int
) -> StepOutcome:
    """Return what the response to one step means.

    `fresh_token`: the token of this request was itself obtained because of a 401.
    """
    if isinstance(outcome, NoAnswer):
        # The body was written, so the service may have stored the file: do not repeat it blindly.
        if step is JobStep.UPLOAD and outcome.written:
            return Uncertain(
                f"the upload got no response ({outcome.failure.value}: {outcome.detail})"
            )
        return RetryLater(outcome.failure.value)
    if outcome.status in _SUCCESS[step]:
        # A login page or proxy page also comes with status 200.
        return _success(step, outcome.body) or HoldLane(
            HoldReason.SINK,
            f"{outcome.status} without the body of this API; a proxy may have sent it: check the"
            " network path to Salesforce",
        )
    if outcome.status == HTTPStatus.NOT_FOUND and step is not JobStep.LIST:
        return NotFound(detail_of(outcome))
    if outcome.status == HTTPStatus.CONFLICT:
        return Busy(detail_of(outcome)) if step is JobStep.CREATE else Refused(detail_of(outcome))
    # 403 usually means permissions, but also that the daily request limit is reached.
    if outcome.status == HTTPStatus.FORBIDDEN and _OUT_OF_REQUESTS in outcome.body:
        return HoldLane(HoldReason.RATE, detail_of(outcome))
    verdict = judge(outcome, records=1, conflicts=1, fresh_token=fresh_token, wall_ms=wall_ms)
    match verdict:
        case Retry():
            throttled_s = (
                _THROTTLED_CREATION_S if verdict.throttled and step is JobStep.CREATE else 0.0
            )
            return RetryLater(verdict.cause, throttled_s or None, verdict.after_s)
        case RefreshToken() | HoldLane():
            return verdict
        case Reject():
            return Refused(verdict.detail)
        case _:
            return HoldLane(HoldReason.SINK, f"unexpected status {outcome.status} for this step")


def _success(step: JobStep, body: bytes) -> Done | None:
    """Return the content of a success; `None` when the body is not this step's."""
    if step in _NO_JOB_IN_BODY:
        return Done()
    if step is JobStep.LIST:
        jobs = read_jobs(body)
        return None if jobs is None else Done(tuple(jobs), next_locator(body))
    job = read_job(body)
    return None if job is None else Done((job,))
