"""List the jobs of both bulk APIs for the page, the newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from consumer.sandbox.bulk_jobs import SandboxJob
    from consumer.sandbox.crm_runs import CrmJob
    from consumer.sandbox.tenant import Tenant


class JobLine(msgspec.Struct, frozen=True):
    """One job. `destination` is that of the routes which create such jobs.

    Only CRM jobs count accepted and failed rows, as in the real services.
    """

    destination: Literal["bulk", "crm_bulk"]
    id: str
    object: str
    operation: str
    state: str
    changed_ms: int
    rows: int
    accepted: int | None = None
    refused: int | None = None
    unprocessed: int | None = None
    message: str = ""


def newest_jobs(tenant: Tenant, count: int) -> list[JobLine]:
    """Return the jobs that changed last; of two that changed together, the newer comes first."""
    lines = [_bulk(job) for job in tenant.bulk.jobs.values()] + [
        _crm(job) for job in tenant.crm.jobs.values()
    ]
    return sorted(lines, key=lambda line: line.changed_ms)[: -count - 1 : -1]


def _bulk(job: SandboxJob) -> JobLine:
    return JobLine(
        "bulk", job.id, job.object, job.operation, job.state, job.changed_ms, job.row_count
    )


def _crm(job: CrmJob) -> JobLine:
    return JobLine(
        "crm_bulk",
        job.id,
        job.object,
        job.operation,
        job.state,
        job.changed_ms,
        job.row_count,
        accepted=len(job.successful),
        refused=len(job.failed),
        unprocessed=len(job.unprocessed),
        message=job.message,
    )
