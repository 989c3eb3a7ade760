"""The Bulk Ingestion API of the fake tenant, by its documentation, in process and over sockets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from consumer.clock import SystemClock
from consumer.http.messages import Answer, Request
from consumer.sandbox.bulk_jobs import BulkLimits
from consumer.sandbox.job_lines import newest_jobs
from consumer.sandbox.tenant import Limits, Tenant
from tests.contract.test_tenant import CUSTOMERS, VIEWS, ApiUser, reached, row

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

HEADER = "id,email,balance,born,modified_at"
AT = "2025-01-02T00:00:00.000Z"


class BulkApiUser(ApiUser):
    """A client of the bulk API."""

    folder: Path

    async def call(self, method: str, rest: str = "", content: object = None) -> Answer:
        """Make a JSON call below the path of jobs."""
        headers = (("Authorization", f"Bearer {self.token}"), ("Content-Type", "application/json"))
        url = f"{self.tenant.origin}/api/v1/ingest/jobs{rest}"
        body = b"" if content is None else json.dumps(content).encode()
        outcome = await self.send(Request(method, url, headers, body, 5.0))  # type: ignore[arg-type]  # a method, as the test says
        assert isinstance(outcome, Answer)
        return outcome

    async def create(self, operation: str = "upsert", name: str = "customers") -> Answer:
        """Create a job."""
        return await self.call(
            "POST", "", {"object": name, "sourceName": "shop", "operation": operation}
        )

    async def job(self, operation: str = "upsert") -> str:
        """Create a job and return its id."""
        answer = await self.create(operation)
        assert 201 == answer.status
        created = json.loads(answer.body)
        assert ("Open", f"api/v1/ingest/jobs/{created['id']}/batches") == (
            created["state"],
            created["contentUrl"],
        )
        identity: str = created["id"]
        return identity

    async def upload(self, job: str, *lines: str) -> Answer:
        """Upload a file of these lines."""
        spooled = self.folder / "upload.csv"
        spooled.write_text("".join(f"{line}\n" for line in lines))
        headers = (("Authorization", f"Bearer {self.token}"), ("Content-Type", "text/csv"))
        url = f"{self.tenant.origin}/api/v1/ingest/jobs/{job}/batches"
        outcome = await self.send(
            Request("PUT", url, headers, timeout_s=5.0, body_path=str(spooled))
        )
        assert isinstance(outcome, Answer)
        return outcome

    async def close(self, job: str, state: str = "UploadComplete") -> Answer:
        """Close a job, or abort it."""
        return await self.call("PATCH", f"/{job}", {"state": state})

    async def state(self, job: str) -> str:
        """Return the state of a job."""
        answer = await self.call("GET", f"/{job}")
        state: str = json.loads(answer.body)["state"]
        return state

    async def run(self, operation: str, *lines: str) -> str:
        """Create, upload and close a job. Return its state."""
        job = await self.job(operation)
        assert (202, b"") == ((answer := await self.upload(job, *lines)).status, answer.body)
        assert 200 == (await self.close(job)).status
        return await self.state(job)


@pytest.fixture(params=["in process", "sockets"])
async def api(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BulkApiUser]:
    limits = Limits(
        apply_delay_s=0.0,
        bulk=BulkLimits(queue_s=0.0, run_s=0.0, jobs_per_hour=4, file_bytes=5_000),
    )
    objects = {"customers": CUSTOMERS, "page_views": VIEWS}
    tenant = Tenant(objects, source_name="shop", clock=SystemClock(), limits=limits)
    async with reached(tenant, request.param) as transport:
        api = BulkApiUser(tenant, transport)
        api.folder = tmp_path
        await api.log_in()
        yield api


async def test_upserts_are_stored_as_rows(api: BulkApiUser) -> None:
    """An empty value or a missing column is null, an unknown column is ignored, digits are kept."""
    assert "JobComplete" == await api.run(
        "upsert", "id,email,balance,modified_at,foreign", f'7,"a,""b""",12.50,{AT},x'
    )
    found = api.tenant.rows("customers")["7"]
    assert ('a,"b"', "12.50", None) == (found["email"], str(found["balance"]), found["born"])


async def test_a_row_that_does_not_fit_is_a_problem_record(api: BulkApiUser) -> None:
    """The job completes with the other rows; the API has no list of failed rows."""
    assert "JobComplete" == await api.run("upsert", HEADER, f"7,a,many,,{AT}", f"8,a,1,,{AT}")
    assert (["8"], 1) == ([*api.tenant.rows("customers")], len(api.tenant.problems("customers")))


async def test_deletes_have_no_header_and_need_a_newer_time(api: BulkApiUser) -> None:
    """With Record Modified, a line without a time, or with an older one, removes nothing."""
    await api.upserted(row("1"), row("2"), row("3"))
    assert "JobComplete" == await api.run("delete", f"1,{AT}", "2", "3,2024-01-01T00:00:00.000Z")
    assert ["2", "3"] == [*api.tenant.rows("customers")]


async def test_every_file_of_a_job_is_stored(api: BulkApiUser) -> None:
    """Several files of one job, each with its header."""
    job = await api.job()
    for key in ("1", "2"):
        await api.upload(job, HEADER, f"{key},a,1,,{AT}")
    await api.close(job)
    await api.state(job)
    assert ["1", "2"] == [*api.tenant.rows("customers")]


async def test_an_aborted_job_leaves_nothing(api: BulkApiUser) -> None:
    """Its files are deleted, and the object can have another job."""
    job = await api.job()
    await api.upload(job, HEADER, f"1,a,1,,{AT}")
    answer = await api.close(job, "Aborted")
    assert (200, "Aborted") == (answer.status, json.loads(answer.body)["state"])
    assert 201 == (await api.create()).status
    assert {} == api.tenant.rows("customers")


async def test_one_job_per_object(api: BulkApiUser) -> None:
    """409 while a job is active, for any operation; another object can have its job."""
    await api.job()
    assert [409, 409, 201] == [
        (await api.create()).status,
        (await api.create("delete")).status,
        (await api.create(name="page_views")).status,
    ]


async def test_a_closed_job_is_final(api: BulkApiUser) -> None:
    """It accepts neither a file nor an abort."""
    job = await api.job()
    await api.close(job)
    assert [409, 409] == [
        (await api.upload(job, HEADER)).status,
        (await api.close(job, "Aborted")).status,
    ]


async def test_limits(api: BulkApiUser) -> None:
    """413 for a file too large, 404 for an unknown object, 429 for one job too many in an hour."""
    job = await api.job()
    assert 413 == (await api.upload(job, HEADER, "x" * 5_000)).status
    assert 404 == (await api.create(name="nothing")).status
    await api.close(job, "Aborted")
    for _ in range(3):
        await api.close(await api.job(), "Aborted")
    assert 429 == (await api.create()).status


async def test_jobs_are_listed_and_deleted(api: BulkApiUser) -> None:
    """The list can be filtered by state; an active job cannot be deleted, an ended one can."""
    job = await api.job()
    assert 409 == (await api.call("DELETE", f"/{job}")).status
    listed = json.loads((await api.call("GET", "?states=Open,InProgress&limit=5")).body)
    assert [job] == [entry["id"] for entry in listed["data"]]
    await api.close(job, "Aborted")
    assert {"data": []} == json.loads((await api.call("GET", "?states=Open")).body)
    assert [204, 404] == [
        (await api.call("DELETE", f"/{job}")).status,
        (await api.call("GET", f"/{job}")).status,
    ]


@pytest.mark.parametrize(
    ("fault", "status", "state"),
    [("fail-job", 200, "Failed"), ("hang-job", 200, "InProgress"), ("vanish-job", 404, "")],
)
async def test_scripted_job_faults(api: BulkApiUser, fault: str, status: int, state: str) -> None:
    """A rule makes a job fail, hang or vanish when it is closed, and no row is stored."""
    api.script(f"close-job/customers {fault}")
    job = await api.job()
    await api.upload(job, HEADER, f"1,a,1,,{AT}")
    await api.close(job)
    answer = await api.call("GET", f"/{job}")
    assert (status, state) == (answer.status, json.loads(answer.body).get("state", ""))
    assert {} == api.tenant.rows("customers")


async def test_the_page_counts_the_rows_of_all_files(api: BulkApiUser) -> None:
    """The outcome of single rows is not known, as this API does not have it."""
    job = await api.job()
    await api.upload(job, HEADER, f"7,a,1,,{AT}", f"8,a,1,,{AT}")
    await api.upload(job, HEADER, f"9,a,1,,{AT}")
    (shown,) = newest_jobs(api.tenant, 10)
    assert ("bulk", "customers", "upsert", "Open", 3, None) == (
        shown.destination,
        shown.object,
        shown.operation,
        shown.state,
        shown.rows,
        shown.accepted,
    )
