"""Advance jobs of both bulk APIs by time: after the upload they wait, run and end."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consumer.sandbox.faults import JobFault

ACTIVE: Final = frozenset({"Open", "UploadComplete", "InProgress"})
"""The states of a job that has not ended."""


class QueuedJob(Protocol):
    """The part of a job that decides when it runs. `closed_s` is the time of its upload's end."""

    state: str
    closed_s: float | None
    fault: JobFault | None


class Pace(Protocol):
    """The time that jobs take."""

    @property
    def queue_s(self) -> float:
        """Seconds from the end of the upload to the start of the job."""
        ...

    @property
    def run_s(self) -> float:
        """Seconds from the start to the end of the job."""
        ...


AnyJob = TypeVar("AnyJob", bound=QueuedJob)


def run_due_jobs(jobs: Iterable[AnyJob], pace: Pace, now_s: float) -> list[AnyJob]:
    """Start closed jobs that are due. Return those that have ended, in the order of closing."""
    closed = [
        (job.closed_s, job) for job in jobs if job.closed_s is not None and job.state in ACTIVE
    ]
    ran: list[AnyJob] = []
    for closed_s, job in sorted(closed, key=itemgetter(0)):
        waited_s = now_s - closed_s
        if waited_s >= pace.queue_s:
            job.state = "InProgress"
        if waited_s >= pace.queue_s + pace.run_s and job.fault != "hang":
            ran.append(job)
    return ran
