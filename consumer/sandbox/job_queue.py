"""What a job does by itself, in either API of jobs, once its upload is complete.

It waits, runs and is done.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consumer.sandbox.faults import JobFate

ACTIVE: Final = frozenset({"Open", "UploadComplete", "InProgress"})
"""The states of a job that has not come to its end."""


class QueuedJob(Protocol):
    """A job, as far as its turn goes. `closed_s` is when its upload was complete."""

    state: str
    closed_s: float | None
    fate: JobFate | None


class Pace(Protocol):
    """How long jobs take."""

    @property
    def queue_s(self) -> float:
        """From the end of the upload until the job begins."""
        ...

    @property
    def run_s(self) -> float:
        """From there until it is done."""
        ...


AnyJob = TypeVar("AnyJob", bound=QueuedJob)


def let_run(jobs: Iterable[AnyJob], pace: Pace, now_s: float) -> list[AnyJob]:
    """Let closed jobs begin, and return those that have run.

    In the order in which they were closed.
    """
    closed = [
        (job.closed_s, job) for job in jobs if job.closed_s is not None and job.state in ACTIVE
    ]
    ran: list[AnyJob] = []
    for closed_s, job in sorted(closed, key=itemgetter(0)):
        waited_s = now_s - closed_s
        if waited_s >= pace.queue_s:
            job.state = "InProgress"
        if waited_s >= pace.queue_s + pace.run_s and job.fate != "hang":
            ran.append(job)
    return ran
