"""The Bulk API 2.0 of the fake CRM, by its documentation, in process and over sockets."""

from __future__ import annotations

import csv
import json
from io import StringIO
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from consumer.clock import SystemClock
from consumer.http.messages import Answer, Request
from consumer.sandbox.crm_jobs import CrmLimits
from consumer.sandbox.job_lines import newest_jobs
from consumer.sandbox.tenant import Limits, Tenant
from tests.contract.test_tenant import CUSTOMERS, ApiUser, reached

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

ROOT = "/services/data/v61.0"
HEADER = "Kafka_Id__c,LastName,Email"


class CrmApiUser(ApiUser):
    """A client of the CRM, with a core token."""

    folder: Path

    async def call(
        self, method: str, rest: str, content: object = None, token: str | None = None
    ) -> Answer:
        """Make a JSON call."""
        headers = (
            ("Authorization", f"Bearer {token or self.token}"),
            ("Content-Type", "application/json"),
        )
        body = b"" if content is None else json.dumps(content).encode()
        outcome = await self.send(
            Request(method, f"{self.tenant.origin}{ROOT}{rest}", headers, body, 5.0)  # type: ignore[arg-type]  # a method, as the test says
        )
        assert isinstance(outcome, Answer)
        return outcome

    async def create(self, operation: str = "upsert", name: str = "Contact", **more: str) -> Answer:
        """Create a job."""
        described = {"object": name, "operation": operation, "contentType": "CSV"} | more
        if operation == "upsert":
            described = {"externalIdFieldName": "Kafka_Id__c"} | described
        return await self.call("POST", "/jobs/ingest", described)

    async def job(self, operation: str = "upsert", name: str = "Contact", **more: str) -> str:
        """Create a job and return its id."""
        answer = await self.create(operation, name, **more)
        assert 200 == answer.status
        created = json.loads(answer.body)
        assert ("Open", "V2Ingest", operation) == (
            created["state"],
            created["jobType"],
            created["operation"],
        )
        assert f"services/data/v61.0/jobs/ingest/{created['id']}/batches" == created["contentUrl"]
        identity: str = created["id"]
        return identity

    async def upload(self, job: str, content: str) -> Answer:
        """Upload the data of a job."""
        spooled = self.folder / "upload.csv"
        spooled.write_text(content, newline="")
        headers = (("Authorization", f"Bearer {self.token}"), ("Content-Type", "text/csv"))
        url = f"{self.tenant.origin}{ROOT}/jobs/ingest/{job}/batches"
        outcome = await self.send(
            Request("PUT", url, headers, timeout_s=5.0, body_path=str(spooled))
        )
        assert isinstance(outcome, Answer)
        return outcome

    async def close(self, job: str, state: str = "UploadComplete") -> Answer:
        """Close a job, or abort it."""
        return await self.call("PATCH", f"/jobs/ingest/{job}", {"state": state})

    async def info(self, job: str) -> dict[str, Any]:
        """Return the information of a job."""
        info: dict[str, Any] = json.loads((await self.call("GET", f"/jobs/ingest/{job}")).body)
        return info

    async def run(self, operation: str, *lines: str, **more: str) -> str:
        """Create, upload and close a job. Return its id."""
        job = await self.job(operation, **more)
        assert (201, b"") == (
            (answer := await self.upload(job, "\n".join(lines) + "\n")).status,
            answer.body,
        )
        assert 200 == (await self.close(job)).status
        return job

    async def results(self, job: str, part: str, delimiter: str = ",") -> list[dict[str, str]]:
        """Download a result file and read it."""
        spooled = self.folder / "results.csv"
        headers = (("Authorization", f"Bearer {self.token}"),)
        url = f"{self.tenant.origin}{ROOT}/jobs/ingest/{job}/{part}"
        outcome = await self.send(
            Request("GET", url, headers, timeout_s=5.0, answer_path=str(spooled))
        )
        assert isinstance(outcome, Answer)
        assert (200, b"", False) == (outcome.status, outcome.body, outcome.truncated)
        return [
            *csv.DictReader(
                StringIO(spooled.read_bytes().decode(), newline=""), delimiter=delimiter
            )
        ]

    async def failed(self, job: str) -> dict[str, str]:
        """Return `sf__Error` of the rows that failed, by external id."""
        return {
            row["Kafka_Id__c"]: row["sf__Error"] for row in await self.results(job, "failedResults")
        }

    def contacts(self) -> dict[str, dict[str, str | None]]:
        """Return the contacts by external id."""
        self.tenant.settle()
        return self.tenant.crm.store.by("Contact", "Kafka_Id__c")


@pytest.fixture(params=["in process", "sockets"])
async def api(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[CrmApiUser]:
    limits = Limits(crm=CrmLimits(queue_s=0.0, run_s=0.0, batches_per_day=3, file_bytes=500_000))
    tenant = Tenant(
        {"customers": CUSTOMERS}, source_name="shop", clock=SystemClock(), limits=limits
    )
    async with reached(tenant, request.param) as transport:
        api = CrmApiUser(tenant, transport)
        api.folder = tmp_path
        api.token = await api.core_token()
        yield api


def error_of(answer: Answer) -> tuple[int, str]:
    """Return status and code of an error, which is a JSON array."""
    (error,) = json.loads(answer.body)
    return answer.status, error["errorCode"]


async def test_an_upsert_creates_and_updates(api: CrmApiUser) -> None:
    """By the external id; a blank keeps the stored value, `#N/A` makes it null."""
    await api.run("upsert", HEADER, "k1,Kay,k1@x.io", "k2,Lee,k2@x.io")
    job = await api.run("upsert", HEADER, 'k1,"Kay, ""the"" first",', "k2,,#N/A")
    assert ('Kay, "the" first', "k1@x.io") == (
        api.contacts()["k1"]["LastName"],
        api.contacts()["k1"]["Email"],
    )
    assert ("Lee", None) == (api.contacts()["k2"]["LastName"], api.contacts()["k2"]["Email"])
    done = await api.results(job, "successfulResults")
    assert {"k1", "k2"} == {row["Kafka_Id__c"] for row in done}
    assert ({"false"}, {18}) == (
        {row["sf__Created"] for row in done},
        {len(row["sf__Id"]) for row in done},
    )


async def test_a_complete_job_may_have_failed_rows(api: CrmApiUser) -> None:
    """They are counted and have their reasons; the other rows are stored."""
    job = await api.run("upsert", HEADER, "k1,Kay,k1@x.io", "k2,,k2@x.io", "k3,Mo,nowhere")
    info = await api.info(job)
    assert ("JobComplete", 3, 2) == (
        info["state"],
        info["numberRecordsProcessed"],
        info["numberRecordsFailed"],
    )
    failed = await api.failed(job)
    assert ["INVALID_EMAIL_ADDRESS", "REQUIRED_FIELD_MISSING"] == sorted(
        one.split(":")[0] for one in failed.values()
    )
    assert ["k1"] == [*api.contacts()]
    assert [] == await api.results(job, "unprocessedrecords")


async def test_results_are_not_in_the_order_of_rows(api: CrmApiUser) -> None:
    """A client that relies on the order fails here."""
    lines = [f"k{at},Name {at}," for at in range(50)]
    done = await api.results(await api.run("upsert", HEADER, *lines), "successfulResults")
    found = [row["Kafka_Id__c"] for row in done]
    assert [f"k{at}" for at in range(50)] != found
    assert {f"k{at}" for at in range(50)} == {*found}


async def test_an_insert_is_not_idempotent(api: CrmApiUser) -> None:
    """The same row twice makes two records."""
    for _ in range(2):
        await api.run("insert", "LastName", "Kay")
    assert 2 == len(api.tenant.crm_rows("Contact"))


async def test_a_duplicate_external_id_fails(api: CrmApiUser) -> None:
    """Within one insert."""
    job = await api.run("insert", HEADER, "k1,Kay,", "k1,Kay,")
    assert "DUPLICATE_VALUE" == (await api.failed(job))["k1"].split(":")[0]


async def test_an_update_and_a_delete_use_ids(api: CrmApiUser) -> None:
    """An unknown id fails, and a deleted one fails with its own code."""
    await api.run("upsert", HEADER, "k1,Kay,k1@x.io")
    (id_,) = api.tenant.crm_rows("Contact")
    job = await api.run("update", "Id,Email", f"{id_},new@x.io", "0035g0000009999AAA,x@x.io")
    assert "new@x.io" == api.contacts()["k1"]["Email"]
    assert ["INVALID_CROSS_REFERENCE_KEY"] == [
        row["sf__Error"].split(":")[0] for row in await api.results(job, "failedResults")
    ]
    job = await api.run("delete", "Id", id_, id_)
    assert {} == api.tenant.crm_rows("Contact")
    assert ["ENTITY_IS_DELETED"] == [
        row["sf__Error"].split(":")[0] for row in await api.results(job, "failedResults")
    ]


async def test_a_delete_job_has_only_the_id_column(api: CrmApiUser) -> None:
    """Another column makes the job fail without effect."""
    job = await api.run("delete", "Kafka_Id__c", "k1")
    assert "Failed" == (await api.info(job))["state"]


@pytest.mark.parametrize(
    ("delimiter", "sign", "line_end", "end"),
    [("TAB", "\t", "LF", "\n"), ("SEMICOLON", ";", "CRLF", "\r\n")],
)
async def test_delimiters_and_line_ends(
    api: CrmApiUser, delimiter: str, sign: str, line_end: str, end: str
) -> None:
    """The file and the results have those that the job was created with."""
    job = await api.job(columnDelimiter=delimiter, lineEnding=line_end)
    await api.upload(job, end.join([HEADER.replace(",", sign), f"k1{sign}Kay{sign}k1@x.io", ""]))
    await api.close(job)
    await api.info(job)
    assert "Kay" == api.contacts()["k1"]["LastName"]
    assert ["k1"] == [
        row["Kafka_Id__c"] for row in await api.results(job, "successfulResults", sign)
    ]


@pytest.mark.parametrize(
    ("operation", "more", "status", "code"),
    [
        ("merge", {}, 400, "INVALIDJOB"),
        ("upsert", {"externalIdFieldName": ""}, 400, "INVALIDJOB"),
        ("upsert", {"externalIdFieldName": "Email"}, 400, "INVALIDJOB"),
        ("insert", {"name": "Nothing__c"}, 400, "INVALIDENTITY"),
        ("insert", {"columnDelimiter": "DOT"}, 400, "INVALIDJOB"),
    ],
)
async def test_invalid_jobs_are_refused(
    api: CrmApiUser, operation: str, more: dict[str, str], status: int, code: str
) -> None:
    """With an error in the form of the CRM, an array."""
    assert (status, code) == error_of(await api.create(operation, **more))


async def test_one_upload_per_job(api: CrmApiUser) -> None:
    """A second one is refused, and so is one over the limit."""
    job = await api.job()
    assert (413, "REQUEST_ENTITY_TOO_LARGE") == error_of(await api.upload(job, "x" * 500_001))
    await api.upload(job, f"{HEADER}\nk1,Kay,\n")
    assert (400, "INVALIDJOBSTATE") == error_of(await api.upload(job, f"{HEADER}\nk2,Lee,\n"))


async def test_a_job_without_data_cannot_be_closed(api: CrmApiUser) -> None:
    """It can be aborted, and after that only deleted."""
    job = await api.job()
    assert (400, "INVALIDJOBSTATE") == error_of(await api.close(job))
    assert (400, "INVALIDJOBSTATE") == error_of(await api.call("DELETE", f"/jobs/ingest/{job}"))
    assert 200 == (await api.close(job, "Aborted")).status
    assert (400, "INVALIDJOBSTATE") == error_of(await api.close(job))
    assert 204 == (await api.call("DELETE", f"/jobs/ingest/{job}")).status
    assert (404, "NOT_FOUND") == error_of(await api.call("GET", f"/jobs/ingest/{job}"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("Kafka_Id__c,Surname\nk1,Kay\n", "Field name not found"),
        ("Kafka_Id__c,LastName\nk1\n", "Number of columns"),
        ('Kafka_Id__c,LastName\nk1,"Kay\n', "InvalidBatch"),
        (f"{HEADER},{'x' * 32_000}\n", "Header is too long"),
    ],
)
async def test_a_file_at_fault_fails_the_job(api: CrmApiUser, content: str, message: str) -> None:
    """Its message has the reason, and no row is applied."""
    job = await api.job()
    await api.upload(job, content)
    await api.close(job)
    info = await api.info(job)
    assert "Failed" == info["state"]
    assert message in info["errorMessage"]
    assert {} == api.contacts()


async def test_a_value_at_the_limit_is_accepted_and_one_above_is_not(api: CrmApiUser) -> None:
    """A description may have 32,000 characters; a longer one fails only its own row."""
    rows = (f"k1,Kay,{'x' * 32_000}", f"k2,Lee,{'x' * 32_001}")
    job = await api.run("upsert", "Kafka_Id__c,LastName,Description", *rows)
    assert ["STRING_TOO_LONG"] == [
        error.split(":")[0] for error in (await api.failed(job)).values()
    ]


async def test_jobs_are_listed(api: CrmApiUser) -> None:
    """With their states, in the envelope of the CRM, and without jobs of other types."""
    job = await api.job()
    listed = json.loads((await api.call("GET", "/jobs/ingest?jobType=V2Ingest")).body)
    assert (True, [(job, "Open")]) == (
        listed["done"],
        [(one["id"], one["state"]) for one in listed["records"]],
    )
    assert [] == json.loads((await api.call("GET", "/jobs/ingest?jobType=Classic")).body)["records"]


async def test_batches_of_a_day_are_limited(api: CrmApiUser) -> None:
    """Beyond the limit, no job can be created."""
    for at in range(3):
        await api.info(await api.run("upsert", HEADER, f"k{at},Kay,"))
    assert (403, "REQUEST_LIMIT_EXCEEDED") == error_of(await api.create())


async def test_an_active_job_has_no_results(api: CrmApiUser) -> None:
    """The request for them is refused."""
    job = await api.job()
    assert (400, "INVALIDJOBSTATE") == error_of(
        await api.call("GET", f"/jobs/ingest/{job}/failedResults")
    )


async def test_describe(api: CrmApiUser) -> None:
    """It returns the fields and their rights; an unknown object is 404."""
    info = json.loads((await api.call("GET", "/sobjects/Contact/describe")).body)
    fields = {field["name"]: field for field in info["fields"]}
    assert (True, False) == (fields["LastName"]["createable"], fields["Name"]["createable"])
    assert (True, False) == (fields["Kafka_Id__c"]["externalId"], fields["LastName"]["externalId"])
    assert (404, "NOT_FOUND") == error_of(await api.call("GET", "/sobjects/Contct/describe"))


async def test_ids_are_found_by_external_id(api: CrmApiUser) -> None:
    """By a query, because a delete needs ids."""
    await api.run("upsert", HEADER, "k1,Kay,", "o'2,Lee,")
    query = quote(r"SELECT Id, Kafka_Id__c FROM Contact WHERE Kafka_Id__c IN ('k1','o\'2','k9')")
    info = json.loads((await api.call("GET", f"/query?q={query}")).body)
    assert {"k1", "o'2"} == {record["Kafka_Id__c"] for record in info["records"]}


async def test_only_a_core_token_is_accepted(api: CrmApiUser) -> None:
    """A Data 360 token and a revoked core token are refused."""
    core = api.token
    tenant_token = json.loads((await api.exchange(await api.core_token())).body)["access_token"]
    assert (401, "INVALID_SESSION_ID") == error_of(
        await api.call("GET", "/jobs/ingest", token=tenant_token)
    )
    api.script("describe revoke-tokens")
    await api.call("GET", "/sobjects/Contact/describe")
    assert (401, "INVALID_SESSION_ID") == error_of(
        await api.call("GET", "/jobs/ingest", token=core)
    )


@pytest.mark.parametrize(
    ("fault", "status", "state", "rows"),
    [
        ("fail-job", 200, "Failed", 0),
        ("hang-job", 200, "InProgress", 0),
        ("vanish-job", 404, "", 4),
        ("stop-job", 200, "Failed", 2),
        ("lock-job", 200, "JobComplete", 2),
    ],
)
async def test_scripted_job_faults(
    api: CrmApiUser, fault: str, status: int, state: str, rows: int
) -> None:
    """A rule makes a job fail, hang, vanish after its run, stop half way, or find rows locked."""
    api.script(f"close-job/Contact {fault}")
    job = await api.run("upsert", HEADER, *[f"k{at},Kay," for at in range(4)])
    answer = await api.call("GET", f"/jobs/ingest/{job}")
    info = json.loads(answer.body)
    assert (status, state) == (answer.status, info["state"] if isinstance(info, dict) else "")
    assert rows == len(api.contacts())
    if state == "Failed":
        assert 4 - rows == len(await api.results(job, "unprocessedrecords"))


async def test_a_poisoned_row_fails_and_others_do_not(api: CrmApiUser) -> None:
    """As with a validation rule of the organisation."""
    api.script("upsert/Contact poison=LastName:Kay")
    job = await api.run("upsert", HEADER, "k1,Kay,", "k2,Lee,")
    assert ["k1"] == [*await api.failed(job)]


async def test_the_page_shows_jobs_with_their_row_counts(api: CrmApiUser) -> None:
    """The job that changed last comes first; a value with a line break is one row."""
    done = await api.run("upsert", HEADER, 'k1,"Kay\nLee",', "k2,,", "k3,Mo,")
    await api.info(done)
    api.script("close-job stop-job")
    stopped = await api.run("upsert", HEADER, "k4,Ada,", "k5,Bo,")
    await api.info(stopped)
    assert [
        (stopped, "crm_bulk", "Contact", "upsert", "Failed", 2, 1, 0, 1),
        (done, "crm_bulk", "Contact", "upsert", "JobComplete", 3, 2, 1, 0),
    ] == [
        (
            job.id,
            job.destination,
            job.object,
            job.operation,
            job.state,
            job.rows,
            job.accepted,
            job.refused,
            job.unprocessed,
        )
        for job in newest_jobs(api.tenant, 10)
    ]
    assert [stopped] == [job.id for job in newest_jobs(api.tenant, 1)]
