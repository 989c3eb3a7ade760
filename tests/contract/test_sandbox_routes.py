"""The page, figures and fault script of the sandbox over HTTP, and the verb `sandbox`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from consumer.clock import SystemClock
from consumer.http.client import HttpTransport
from consumer.http.hosts import Hosts
from consumer.http.messages import Answer, Request
from consumer.sandbox.crm_runs import CrmJob
from consumer.sandbox.server import TenantServer
from consumer.sandbox.shop_files import shop_objects
from consumer.sandbox.store import IncomingRow
from consumer.sandbox.tenant import Tenant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

JSON = (("content-type", "application/json"),)


class Visitor:
    """A client of the page and its figures."""

    def __init__(self, tenant: Tenant, transport: HttpTransport) -> None:
        self.tenant = tenant
        self._transport = transport

    async def get(self, path: str) -> Answer:
        """Get a path."""
        return await self._send(Request("GET", self.tenant.origin + path))

    async def figures(self, path: str) -> dict[str, Any]:
        """Get the JSON of a path."""
        content: dict[str, Any] = json.loads((await self.get(path)).body)
        return content

    async def set_faults(self, body: bytes, headers: tuple[tuple[str, str], ...] = JSON) -> Answer:
        """Post to the control endpoint."""
        return await self._send(
            Request("POST", f"{self.tenant.origin}/sandbox/faults", headers, body)
        )

    async def _send(self, request: Request) -> Answer:
        outcome = await self._transport.send(request)
        assert isinstance(outcome, Answer)
        return outcome


@pytest.fixture
async def visitor() -> AsyncIterator[Visitor]:
    clock = SystemClock()
    tenant = Tenant(shop_objects(), source_name="shop_events", clock=clock)
    server = TenantServer(tenant, clock)
    await server.start()
    transport = HttpTransport(Hosts.known(server.origin, ()), clock, connections=4)
    try:
        yield Visitor(tenant, transport)
    finally:
        await transport.close()
        await server.close()


def put(tenant: Tenant, name: str, *texts: str) -> None:
    rows = [IncomingRow(str(at), "", None, text) for at, text in enumerate(texts)]
    tenant.store.accept_rows(name, rows, [], now_s=0.0, wall_ms=0, due_s=0.0, request=1)


@pytest.mark.parametrize(
    ("path", "media"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/sandbox/page/app.js", "text/javascript; charset=utf-8"),
        ("/sandbox/page/style.css", "text/css; charset=utf-8"),
        ("/sandbox/api/overview.json", "application/json"),
    ],
)
async def test_every_answer_has_security_headers(visitor: Visitor, path: str, media: str) -> None:
    """Scripts and styles from this origin only, no framing, no sniffing of types."""
    answer = await visitor.get(path)
    policy = answer.header("content-security-policy") or ""
    assert (200, media, "nosniff") == (
        answer.status,
        answer.header("content-type"),
        answer.header("x-content-type-options"),
    )
    assert all(
        part in policy
        for part in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'")
    )
    assert "unsafe" not in policy


async def test_the_overview_counts(visitor: Visitor) -> None:
    """It has the objects with settings and figures."""
    put(visitor.tenant, "orders", '{"id":"1"}', '{"id":"2"}')
    overview = await visitor.figures("/sandbox/api/overview.json")
    [orders] = [each for each in overview["objects"] if each["name"] == "orders"]
    assert ("shop_events", "id", 2, 2) == (
        overview["source"],
        orders["primary_key"],
        orders["rows"],
        orders["upserts"],
    )


async def test_jobs_are_listed(visitor: Visitor) -> None:
    """The list is empty without a bulk destination."""
    assert {"jobs": []} == await visitor.figures("/sandbox/api/jobs.json")
    visitor.tenant.crm.jobs["750"] = CrmJob("750", "Contact", "insert", None, "LF", "COMMA", 1, 2)
    (job,) = (await visitor.figures("/sandbox/api/jobs.json"))["jobs"]
    assert ("crm_bulk", "750", "Open", 0, "") == (
        job["destination"],
        job["id"],
        job["state"],
        job["refused"],
        job["message"],
    )


async def test_requests_of_the_page_are_not_listed(visitor: Visitor) -> None:
    """Only requests to the tenant are."""
    for path in ("/", "/sandbox/page/icon.svg", "/sandbox/api/requests.json"):
        await visitor.get(path)
    assert {"requests": []} == await visitor.figures("/sandbox/api/requests.json")


async def test_cells_are_text_with_all_their_digits(visitor: Visitor) -> None:
    """Null is null, and so is a field that the row does not have."""
    put(
        visitor.tenant,
        "orders",
        '{"id":"1","amount":1.10,"items":12345678901234567890,"note":"a\\"b","status":null}',
    )
    answer = await visitor.figures("/sandbox/api/rows.json?object=orders")
    assert [["1", None, None, "1.10", "12345678901234567890", None, 'a"b', None]] == answer["rows"]


@pytest.mark.parametrize("query", ["", "?object=", "?object=nope", "?object=orders%22%3B"])
@pytest.mark.parametrize("view", ["rows", "problems"])
async def test_an_unknown_object_is_not_found(visitor: Visitor, view: str, query: str) -> None:
    """Names are looked up, and never become part of SQL."""
    assert (await visitor.get(f"/sandbox/api/{view}.json{query}")).status == 404


@pytest.mark.parametrize("page", ["-1", "abc", "1e9", "²"])
async def test_an_invalid_page_number_is_the_first_page(visitor: Visitor, page: str) -> None:
    """The number comes from the address, and may be any text."""
    answer = await visitor.figures(f"/sandbox/api/rows.json?object=orders&page={quote(page)}")
    assert answer["page"] == 0


async def test_faults_are_set_and_listed(visitor: Visitor) -> None:
    """Each rule has its text, and how often it applied."""
    answer = await visitor.set_faults(b'{"rules":["token status=503; exchange html"]}')
    await visitor._send(Request("POST", f"{visitor.tenant.origin}/services/oauth2/token"))
    assert answer.status == 200
    assert {
        "rules": [{"text": "token status=503", "hits": 1}, {"text": "exchange html", "hits": 0}]
    } == await visitor.figures("/sandbox/faults")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "truncated"),
        (b'{"rule":[]}', "unknown field"),
        (b'{"rules":"x"}', "Expected `array`"),
        (b'{"rules":["upsert"]}', "expected an effect, such as status=503, got none"),
    ],
)
async def test_an_invalid_script_changes_nothing(visitor: Visitor, body: bytes, words: str) -> None:
    """400 with the reason, and the old rules stay active."""
    await visitor.set_faults(b'{"rules":["token html"]}')
    answer = await visitor.set_faults(body)
    assert (400, [("token html", 0)]) == (answer.status, visitor.tenant.fault_lines())
    assert words in json.loads(answer.body)["error"]


async def test_a_form_of_another_site_cannot_set_faults(visitor: Visitor) -> None:
    """A browser sends forms to any site; they are refused by their media type."""
    answer = await visitor.set_faults(b'{"rules":["any reset"]}', (("content-type", "text/plain"),))
    assert (415, []) == (answer.status, visitor.tenant.fault_lines())


# ---- the verb


def start(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "consumer", "sandbox", "--port", "0", *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_the_verb_prints_its_address_and_ends_on_a_signal(
    tmp_path: Path, number: signal.Signals
) -> None:
    """It prints the address and the options for the daemon, and exits with 0 on either signal."""
    schema = tmp_path / "schema.yaml"
    schema.write_text("components: {schemas: {readings: {properties: {ref: {type: string}}}}}")
    with start(
        "--schema", str(schema), "--source", "meters", "--faults", "token status=503", cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(5)]
        origin = said[0].split(" on ")[1].split(" ")[0]
        with pytest.raises(urllib.error.HTTPError, match="503") as refused:
            urllib.request.urlopen(f"{origin}/services/oauth2/token", b"x=y")  # noqa: S310 - our own address
        refused.value.close()
        process.send_signal(number)
        _, errors = process.communicate(timeout=10)
    assert (0, "") == (process.returncode, errors)
    assert said[1] == "Connector meters: readings (key ref)\n"
    assert said[2].startswith("CRM objects: Contact, Campaign. ")
    assert f"--set salesforce.login_url={origin} --set connector.name=meters" in said[3]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(["--faults", "upsert what"], 2, "unknown clause 'what'", id="faults"),
        pytest.param(["--schema", "missing.yaml"], 78, "missing.yaml", id="schema"),
        pytest.param(["--store", "missing/folder.sqlite"], 2, "unable to open", id="store"),
        pytest.param(["--host", "203.0.113.1"], 2, "203.0.113.1", id="address"),
    ],
)
def test_the_verb_names_the_error(
    tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    """And exits with the documented code."""
    with start(*arguments, cwd=tmp_path) as process:
        _, errors = process.communicate(timeout=10)
    assert code == process.returncode
    assert words in errors
    assert "Traceback" not in errors
