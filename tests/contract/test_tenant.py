"""The contract of the fake tenant, in process and over sockets."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from consumer.clock import SystemClock
from consumer.http.client import HttpTransport
from consumer.http.hosts import Hosts
from consumer.http.messages import Answer, Failure, NoAnswer, Request
from consumer.mapping.settings import FieldType, ObjectSettings
from consumer.model import Operation
from consumer.sandbox.fault_script import read_script
from consumer.sandbox.in_process import InProcessTransport
from consumer.sandbox.server import TenantServer
from consumer.sandbox.tenant import Limits, Tenant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from consumer.http.messages import HttpOutcome

CUSTOMERS = ObjectSettings(
    name="customers",
    fields={
        "id": FieldType.TEXT,
        "email": FieldType.TEXT,
        "balance": FieldType.NUMBER,
        "born": FieldType.DATE,
        "modified_at": FieldType.DATE_TIME,
    },
    primary_key="id",
    record_modified="modified_at",
)
VIEWS = ObjectSettings(
    name="page_views",
    fields={"view_id": FieldType.TEXT, "viewed_at": FieldType.DATE_TIME},
    primary_key="view_id",
    category="engagement",
    event_time="viewed_at",
)
FORM = (("content-type", "application/x-www-form-urlencoded"),)


class ApiUser:
    """A client of the tenant that follows the documentation of the service."""

    def __init__(self, tenant: Tenant, transport: Any) -> None:  # noqa: ANN401 - either transport
        self.tenant = tenant
        self._transport = transport
        self.token = ""

    async def send(self, request: Request) -> HttpOutcome:
        """Send a request unchanged."""
        outcome: HttpOutcome = await self._transport.send(request)
        return outcome

    async def form(self, path: str, **fields: str) -> Answer:
        """Post a form."""
        body = urlencode(fields).encode()
        outcome = await self.send(Request("POST", self.tenant.origin + path, FORM, body))
        assert isinstance(outcome, Answer)
        return outcome

    async def core_token(self) -> str:
        """Log in for a core token."""
        answer = await self.form(
            "/services/oauth2/token",
            grant_type="client_credentials",
            client_id="app",
            client_secret="s",
        )
        token: str = json.loads(answer.body)["access_token"]
        return token

    async def exchange(self, core: str) -> Answer:
        """Exchange a core token."""
        return await self.form(
            "/services/a360/token",
            grant_type="urn:salesforce:grant-type:external:cdp",
            subject_token=core,
            subject_token_type="urn:ietf:params:oauth:token-type:access_token",
        )

    async def log_in(self) -> None:
        """Log in, exchange the token, and keep it."""
        answer = await self.exchange(await self.core_token())
        self.token = json.loads(answer.body)["access_token"]

    def ingest(self, method: str, rest: str, body: bytes, timeout_s: float = 5.0) -> Request:
        """Return a request of the Ingestion API."""
        headers = (("Authorization", f"Bearer {self.token}"), ("Content-Type", "application/json"))
        url = f"{self.tenant.origin}/api/v1/ingest/sources/{rest}"
        return Request(method, url, headers, body, timeout_s)  # type: ignore[arg-type]  # a method, as the test says

    async def upsert(
        self, *rows: dict[str, Any], to: str = "shop/customers", timeout_s: float = 5.0
    ) -> HttpOutcome:
        """Send rows."""
        return await self.send(
            self.ingest("POST", to, json.dumps({"data": rows}).encode(), timeout_s)
        )

    async def upserted(self, *rows: dict[str, Any], to: str = "shop/customers") -> Answer:
        """Send rows and return the answer."""
        outcome = await self.upsert(*rows, to=to)
        assert isinstance(outcome, Answer)
        return outcome

    async def delete(self, *keys: str, to: str = "shop/customers") -> Answer:
        """Send keys and return the answer."""
        outcome = await self.send(self.ingest("DELETE", to, json.dumps({"ids": keys}).encode()))
        assert isinstance(outcome, Answer)
        return outcome

    def script(self, text: str) -> None:
        """Set the fault script."""
        self.tenant.set_faults(read_script(text))


def row(
    key: str | None, email: str | None = "a@x.io", at: str = "2025-01-01T00:00:00.000Z"
) -> dict[str, Any]:
    return {"id": key, "email": email, "balance": 1, "born": None, "modified_at": at}


@asynccontextmanager
async def reached(tenant: Tenant, way: str) -> AsyncIterator[InProcessTransport | HttpTransport]:
    """Yield a transport to the tenant, "in process" or over "sockets"."""
    clock = SystemClock()
    if way == "in process":
        yield InProcessTransport(tenant, clock)
        return
    server = TenantServer(tenant, clock)
    await server.start()
    transport = HttpTransport(Hosts.known(server.origin, ()), clock, connections=8)
    try:
        yield transport
    finally:
        await transport.close()
        await server.close()


@pytest.fixture(params=["in process", "sockets"])
async def api(request: pytest.FixtureRequest) -> AsyncIterator[ApiUser]:
    limits = Limits(requests_per_second=20, retry_after_s=2)
    objects = {"customers": CUSTOMERS, "page_views": VIEWS}
    tenant = Tenant(objects, source_name="shop", clock=SystemClock(), limits=limits)
    async with reached(tenant, request.param) as transport:
        api = ApiUser(tenant, transport)
        await api.log_in()
        yield api


async def test_a_login_answers_with_its_own_origin(api: ApiUser) -> None:
    """The `instance_url` of a core token has a scheme."""
    answer = await api.form(
        "/services/oauth2/token", grant_type="refresh_token", refresh_token="r", client_id="app"
    )
    assert (200, api.tenant.origin) == (answer.status, json.loads(answer.body)["instance_url"])


async def test_an_exchange_answers_with_a_host_without_a_scheme(api: ApiUser) -> None:
    """The `instance_url` of a Data 360 token has none, as recorded from the service."""
    answer = await api.exchange(await api.core_token())
    content = json.loads(answer.body)
    assert api.tenant.origin == f"http://{content['instance_url']}"
    assert content["expires_in"] == 7191


async def test_a_core_token_is_exchanged_only_once(api: ApiUser) -> None:
    """A second exchange of the same core token is refused."""
    core = await api.core_token()
    first, second = await api.exchange(core), await api.exchange(core)
    assert (200, 400) == (first.status, second.status)
    assert json.loads(second.body)["error_description"] == "invalid subject token"


async def test_an_upsert_is_accepted_and_stored(api: ApiUser) -> None:
    """202 with the documented body, and the row is stored."""
    answer = await api.upserted(row("1"))
    assert (202, b'{"accepted":true}') == (answer.status, answer.body)
    assert {"1": row("1")} == api.tenant.rows("customers")


async def test_all_digits_are_kept(api: ApiUser) -> None:
    """A number keeps more digits than a double has."""
    number = b"12345678901234567890.1234567890"
    body = b'{"data":[{"id":"1","balance":%b,"modified_at":"2025-01-01T00:00:00Z"}]}' % number
    await api.send(api.ingest("POST", "shop/customers", body))
    assert (
        Decimal("12345678901234567890.1234567890") == api.tenant.rows("customers")["1"]["balance"]
    )


async def test_a_delete_removes_the_row(api: ApiUser) -> None:
    """202 for the ids in the body, and the row is gone."""
    await api.upserted(row("1"), row("2"))
    answer = await api.delete("1")
    assert (202, ["2"]) == (answer.status, list(api.tenant.rows("customers")))


async def test_a_delete_reads_ids_from_the_query(api: ApiUser) -> None:
    """The older form of the call works too, with percent-encoded keys."""
    await api.upserted(row("a+b"), row("2"))
    await api.send(api.ingest("DELETE", "shop/customers?ids=a%2Bb", b""))
    assert ["2"] == list(api.tenant.rows("customers"))


async def test_201_ids_are_refused(api: ApiUser) -> None:
    """A delete has at most 200 keys (G07)."""
    answer = await api.delete(*map(str, range(201)))
    assert (400, []) == (answer.status, api.tenant.acceptances())


async def test_acceptances_are_logged_in_order(api: ApiUser) -> None:
    """The log has object, operation, keys and versions of every accepted request."""
    await api.upserted(row("1"), row("2"))
    await api.delete("1")
    seen = [(entry.operation, entry.keys) for entry in api.tenant.acceptances("customers")]
    assert [(Operation.UPSERT, ("1", "2")), (Operation.DELETE, ("1",))] == seen


@pytest.mark.parametrize(
    ("size", "status"),
    [pytest.param(200_000, 202, id="200000"), pytest.param(200_001, 413, id="200001")],
)
async def test_a_body_has_at_most_200_000_bytes(api: ApiUser, size: int, status: int) -> None:
    """The limit is on the whole encoded body (G01)."""
    frame = json.dumps({"data": [row("1", "")]}).encode()
    body = frame.replace(b'"email": ""', b'"email": "' + b"x" * (size - len(frame)) + b'"')
    outcome = await api.send(api.ingest("POST", "shop/customers", body))
    assert isinstance(outcome, Answer)
    assert (size, status) == (len(body), outcome.status)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"data":[{"id":"1"}', id="truncated"),
        pytest.param(b'[{"id":"1"}]', id="bare array"),
        pytest.param(b'{"data":[{"id":"1"}],"more":1}', id="second member"),
        pytest.param(b'{"data":[]}', id="empty"),
        pytest.param(b'{"data":[1]}', id="not an object"),
        pytest.param(b'{"data":[{"id":"\xff"}]}', id="not UTF-8"),
        pytest.param(b'{"data":[{"id":"\\ud800"}]}', id="lone surrogate"),
        pytest.param(b'{"data":[{"balance":NaN}]}', id="NaN"),
        pytest.param(b"\x1f\x8b\x08", id="gzip"),
    ],
)
async def test_a_body_of_another_shape_is_refused(api: ApiUser, body: bytes) -> None:
    """400 in the envelope of the gateway, and nothing is accepted."""
    outcome = await api.send(api.ingest("POST", "shop/customers", body))
    assert isinstance(outcome, Answer)
    assert (400, "Bad Request") == (outcome.status, json.loads(outcome.body)["error"])
    assert [] == api.tenant.acceptances()


async def test_an_unknown_token_is_a_401(api: ApiUser) -> None:
    """In the envelope of the gateway, with its status under `details`."""
    api.token = "someone-else"
    answer = await api.upserted(row("1"))
    assert (401, 401) == (answer.status, json.loads(answer.body)["details"]["statusCode"])


async def test_an_unknown_source_is_a_404(api: ApiUser) -> None:
    """The name of the connector is compared exactly."""
    answer = await api.upserted(row("1"), to="Shop/customers")
    assert (404, "Not Found") == (answer.status, json.loads(answer.body)["message"])


async def test_another_method_is_a_405(api: ApiUser) -> None:
    """PUT on an object is not in the API."""
    outcome = await api.send(api.ingest("PUT", "shop/customers", b"{}"))
    assert isinstance(outcome, Answer)
    assert outcome.status == 405


async def test_the_rate_limit_is_over_all_objects(api: ApiUser) -> None:
    """The 21st request of a second is a 429 with the configured pause, for any object."""
    view = {"view_id": "v", "viewed_at": "2025-01-01T00:00:00Z"}
    statuses = [
        (
            await (api.upserted(row("1")) if n % 2 else api.upserted(view, to="shop/page_views"))
        ).status
        for n in range(21)
    ]
    assert [202] * 20 + [429] == statuses
    refused = await api.upserted(row("1"))
    assert (429, "2") == (refused.status, refused.header("retry-after"))


async def test_the_validation_call_names_failing_records_only(api: ApiUser) -> None:
    """The report has the record as JSON text in another key order, with its causes (not stored)."""
    bad = {**row("2"), "balance": "12"}
    body = json.dumps({"data": [row("1"), bad]}).encode()
    outcome = await api.send(api.ingest("POST", "shop/customers/actions/test", body))
    assert isinstance(outcome, Answer)
    [line] = json.loads(outcome.body)["details"]["validationReport"]
    assert outcome.status == 400
    assert ["#/balance: expected type: Number, found: String"] == line["causingExceptions"]
    assert bad == json.loads(line["record"])
    assert list(bad) != list(json.loads(line["record"]))
    assert {} == api.tenant.rows("customers")


async def test_valid_records_pass_the_validation_call(api: ApiUser) -> None:
    """202, and nothing is stored."""
    body = json.dumps({"data": [row("1")]}).encode()
    outcome = await api.send(api.ingest("POST", "shop/customers/actions/test", body))
    assert isinstance(outcome, Answer)
    assert (202, {}) == (outcome.status, api.tenant.rows("customers"))


async def test_every_answer_has_the_time_of_the_server(api: ApiUser) -> None:
    """The Date header is ahead or behind by the scripted skew."""
    api.script("any skew=10m")
    answer = await api.upserted(row("1"))
    assert (answer.header("date") or "").endswith("GMT")


async def test_a_request_with_a_scripted_status_has_no_effect(api: ApiUser) -> None:
    """503 with the scripted headers, and the row is not stored."""
    api.script("upsert/customers nth=1 status=503 retry-after=7")
    answer = await api.upserted(row("1"))
    assert (503, "7", {}) == (
        answer.status,
        answer.header("retry-after"),
        api.tenant.rows("customers"),
    )


async def test_a_request_that_is_reset_has_no_effect(api: ApiUser) -> None:
    """The client cannot know: the request was sent, and here it had no effect."""
    api.script("upsert times=1 reset")
    outcome = await api.upsert(row("1"))
    assert isinstance(outcome, NoAnswer)
    assert (Failure.CONNECTION, True, {}) == (
        outcome.failure,
        outcome.written,
        api.tenant.rows("customers"),
    )


async def test_a_reset_with_after_stores_the_row(api: ApiUser) -> None:
    """The ambiguous case: no answer, and the row is stored."""
    api.script("upsert times=1 reset after")
    outcome = await api.upsert(row("1"))
    assert isinstance(outcome, NoAnswer)
    assert (True, ["1"]) == (outcome.written, list(api.tenant.rows("customers")))


async def test_a_late_answer_is_a_time_out(api: ApiUser) -> None:
    """The request took effect after the client had given up."""
    api.script("upsert times=1 delay=5s")
    outcome = await api.upsert(row("1"), timeout_s=0.2)
    assert isinstance(outcome, NoAnswer)
    assert (Failure.TIMEOUT, True, ["1"]) == (
        outcome.failure,
        outcome.written,
        list(api.tenant.rows("customers")),
    )


async def test_a_slow_drip_is_a_time_out(api: ApiUser) -> None:
    """The deadline is for the whole answer, not for the time between its bytes."""
    api.script("upsert times=1 drip=10")
    outcome = await api.upsert(row("1"), timeout_s=0.3)
    assert isinstance(outcome, NoAnswer)
    assert outcome.failure is Failure.TIMEOUT


async def test_an_endless_body_is_cut(api: ApiUser) -> None:
    """64 KiB are read, and the status counts (J31)."""
    api.script("upsert times=1 endless")
    outcome = await api.upsert(row("1"))
    assert isinstance(outcome, Answer)
    assert (202, True, 65_536) == (outcome.status, outcome.truncated, len(outcome.body))


async def test_a_malformed_status_line_does_not_count_as_an_answer(api: ApiUser) -> None:
    """The answer is not HTTP (J34)."""
    api.script("upsert times=1 malformed")
    outcome = await api.upsert(row("1"))
    assert isinstance(outcome, NoAnswer)
    assert outcome.failure is Failure.MALFORMED


async def test_a_redirect_is_not_followed(api: ApiUser) -> None:
    """The client returns the 302 with its location on another host (K20)."""
    api.script("token redirect=https://evil.test/")
    answer = await api.form("/services/oauth2/token", grant_type="client_credentials")
    assert (302, "https://evil.test/") == (answer.status, answer.header("location"))


async def test_a_login_page_has_status_200(api: ApiUser) -> None:
    """HTML instead of JSON (K21)."""
    api.script("exchange html")
    answer = await api.exchange("x")
    assert (200, True) == (answer.status, answer.body.startswith(b"<html>"))


async def test_a_body_can_be_compressed_without_request(api: ApiUser) -> None:
    """Both transports take such an answer for malformed, and the rows may be stored."""
    api.script("upsert gzip")
    outcome = await api.upsert(row("1"))
    assert isinstance(outcome, NoAnswer)
    assert (Failure.MALFORMED, True) == (outcome.failure, outcome.written)


async def test_the_tenant_can_move(api: ApiUser) -> None:
    """The exchange names another address, as the service does: a host without a scheme."""
    api.script("exchange instance=http://localhost:8099")
    answer = await api.exchange(await api.core_token())
    assert "localhost:8099" == json.loads(answer.body)["instance_url"]


async def test_a_body_can_echo_the_request(api: ApiUser) -> None:
    """An error that repeats the request (J39)."""
    api.script("upsert status=400 echo")
    answer = await api.upserted(row("1"))
    assert {"data": [row("1")]} == json.loads(answer.body)


async def test_revoked_tokens_are_refused_until_a_new_login(api: ApiUser) -> None:
    """Every issued token is revoked; the next exchange gives a valid one."""
    api.script("upsert nth=1 revoke-tokens")
    before = await api.upserted(row("1"))
    await api.log_in()
    after = await api.upserted(row("1"))
    assert (401, 202) == (before.status, after.status)


async def test_a_poisoned_record_fails_its_batch_and_is_named(api: ApiUser) -> None:
    """400 for the batch, nothing stored; the validation call names the record (J11)."""
    api.script("ingest poison=email:bad@x.io")
    batch = [row("1"), row("2", "bad@x.io"), row("3")]
    answer = await api.upserted(*batch)
    body = json.dumps({"data": batch}).encode()
    outcome = await api.send(api.ingest("POST", "shop/customers/actions/test", body))
    assert isinstance(outcome, Answer)
    report = json.loads(outcome.body)["details"]["validationReport"]
    assert (400, {}) == (answer.status, api.tenant.rows("customers"))
    assert ["2"] == [json.loads(line["record"])["id"] for line in report]
