"""The admin port over a real socket: the answer of each path."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING

import aiohttp
import msgspec
import pytest

from consumer.admin.metrics import Metrics
from consumer.admin.port import (
    Accounts,
    Check,
    HoldStatus,
    LedgerStatus,
    PartitionAccount,
    PartitionStatus,
    State,
    StatusReport,
)
from consumer.admin.server import AdminServer
from consumer.admin.settings import AdminSettings
from consumer.errors import ConfigFaults, HoldReason
from tests.still_daemon import StillDaemon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

REPORT = StatusReport(
    version="0.1.0",
    config_sha256="ab12",
    state=State.RUNNING,
    group_id="g",
    assignment=(
        PartitionStatus(topic="t", partition=3, epoch=1, position=5, end=12, lag=7, open=2),
    ),
    holds=(
        HoldStatus(
            reason=HoldReason.AUTH, since=datetime(2025, 1, 1, tzinfo=UTC), detail="refused"
        ),
    ),
    ledger=LedgerStatus(polled=9, accepted=7, open=2),
)

ACCOUNTS = Accounts(
    partitions=(PartitionAccount(topic="t", partition=3, polled=9, accepted=7, open=2),)
)


@pytest.fixture
def daemon() -> StillDaemon:
    daemon = StillDaemon(REPORT, ACCOUNTS)
    daemon.live = (Check("poll_thread"), Check("event_loop"))
    daemon.ready = (Check("assignment"), Check("holds"))
    return daemon


@pytest.fixture
async def server(daemon: StillDaemon) -> AsyncIterator[AdminServer]:
    metrics = Metrics(version="0.1.0", config_sha256="ab12")
    metrics.watch(daemon)
    made = AdminServer(AdminSettings(host="127.0.0.1", port=0), provider=daemon, metrics=metrics)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def browser(server: AdminServer) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as session:
        yield session


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
async def test_a_probe_of_a_healthy_daemon_is_200(
    browser: aiohttp.ClientSession, path: str
) -> None:
    """Without a problem, the answer is one word."""
    async with browser.get(path) as answer:
        assert (200, "ok\n") == (answer.status, await answer.text())


async def test_a_probe_names_each_problem(
    browser: aiohttp.ClientSession, daemon: StillDaemon
) -> None:
    """Not ready is 503 with one problem a line, with `?verbose` or without."""
    daemon.ready = (Check("assignment"), Check("holds", ("AUTH: refused", "SINK: answered 207")))
    async with browser.get("/readyz") as answer:
        assert (503, "[-] holds: AUTH: refused\n[-] holds: SINK: answered 207\nnot ok\n") == (
            answer.status,
            await answer.text(),
        )


async def test_a_verbose_probe_lists_every_check(
    browser: aiohttp.ClientSession, daemon: StillDaemon
) -> None:
    """The checks that passed are listed too."""
    daemon.live = (Check("poll_thread", ("has not polled for 70 s",)), Check("event_loop"))
    async with browser.get("/livez?verbose") as answer:
        assert (
            "[+] event_loop\n[-] poll_thread: has not polled for 70 s\nnot ok\n"
            == await answer.text()
        )


async def test_liveness_does_not_ask_for_readiness(
    browser: aiohttp.ClientSession, daemon: StillDaemon
) -> None:
    """A hold does not restart the pod."""
    daemon.ready = (Check("holds", ("AUTH: refused",)),)
    async with browser.get("/livez") as answer:
        assert 200 == answer.status


async def test_status_has_the_promised_shape(browser: aiohttp.ClientSession) -> None:
    """Every promised key is present."""
    async with browser.get("/status") as answer:
        status = await answer.json()
    partition = {
        "topic",
        "partition",
        "epoch",
        "position",
        "end",
        "lag",
        "open",
        "oldest_open_s",
        "hold",
        "trouble",
        "gathering",
    }
    ledger = {"polled", "accepted", "conflated", "filtered", "dead_lettered", "open"}
    top = {
        "version",
        "config_sha256",
        "state",
        "group_id",
        "assignment",
        "holds",
        "ledger",
        "token",
        "rate",
        "in_flight",
    }
    assert (
        set(),
        partition,
        {"reason", "since", "detail"},
        ledger,
        {"expires_in_s"},
        {"limit", "share"},
    ) == (
        top - set(status),
        set(status["assignment"][0]),
        set(status["holds"][0]),
        set(status["ledger"]),
        set(status["token"]),
        set(status["rate"]),
    )


async def test_status_reads_back(browser: aiohttp.ClientSession) -> None:
    """The answer decodes to the snapshot, so the `status` verb can read it by its type."""
    async with browser.get("/status") as answer:
        assert REPORT == msgspec.json.decode(await answer.read(), type=StatusReport)


async def test_the_ledger_in_parts_is_sent_on_request(browser: aiohttp.ClientSession) -> None:
    """It walks over all unsettled records, which a probe or a page does not need."""
    async with browser.get("/status?ledger") as answer:
        assert ACCOUNTS == msgspec.json.decode(await answer.read(), type=StatusReport).accounts


async def test_metrics_are_in_the_format_of_prometheus(browser: aiohttp.ClientSession) -> None:
    """The text format is the default, and includes the gauges of the snapshot."""
    async with browser.get("/metrics") as answer:
        text = await answer.text()
    assert ("text/plain", True) == (
        answer.content_type,
        "\ndatacloud_consumer_records_open 2.0\n" in text,
    )


async def test_metrics_are_in_openmetrics_when_asked(browser: aiohttp.ClientSession) -> None:
    """A scraper that asks for OpenMetrics gets it."""
    async with browser.get(
        "/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"}
    ) as answer:
        assert ("application/openmetrics-text", True) == (
            answer.content_type,
            (await answer.text()).endswith("# EOF\n"),
        )


@pytest.mark.parametrize("path", ["/", "/page.css", "/page.js", "/icon.svg"])
async def test_the_page_is_in_the_package(browser: aiohttp.ClientSession, path: str) -> None:
    """The page and its files come from this port."""
    async with browser.get(path) as answer:
        assert (200, True) == (answer.status, bool(await answer.read()))


def test_the_page_fetches_nothing_from_elsewhere() -> None:
    """No file of the page names another host."""
    page = files("consumer.admin") / "status_page"
    found = [
        link
        for part in page.iterdir()
        for link in re.findall(r"(?:https?:)?//[a-z][^\s\"']*", part.read_text())
        if link != "http://www.w3.org/2000/svg"
    ]
    assert [] == [link for link in found if not link.startswith("// ")]


@pytest.mark.parametrize("path", ["/", "/livez", "/readyz", "/metrics", "/status"])
async def test_head_answers_without_a_body(browser: aiohttp.ClientSession, path: str) -> None:
    """HEAD is GET without the body."""
    async with browser.head(path) as answer:
        assert (200, b"") == (answer.status, await answer.read())


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", "/livez", "/readyz", "/metrics", "/status"])
async def test_nothing_can_be_changed(
    browser: aiohttp.ClientSession, method: str, path: str
) -> None:
    """Every other method is refused."""
    async with browser.request(method, path, data=b"x") as answer:
        assert (405, "GET,HEAD") == (answer.status, answer.headers["Allow"])


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("GET", "/status"), ("GET", "/nowhere"), ("POST", "/")]
)
async def test_every_answer_is_hardened(
    browser: aiohttp.ClientSession, method: str, path: str
) -> None:
    """Answers and errors forbid sniffing, framing, and content from elsewhere."""
    async with browser.request(method, path) as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert ("nosniff", True, True, False, "datacloud-consumer") == (
            answer.headers["X-Content-Type-Options"],
            "default-src 'none'" in policy,
            "frame-ancestors 'none'" in policy,
            "unsafe" in policy,
            answer.headers["Server"],
        )


async def test_a_taken_port_is_a_fault_of_the_configuration(
    server: AdminServer, daemon: StillDaemon
) -> None:
    """The message names the address and what to set instead."""
    second = AdminServer(
        AdminSettings(host="127.0.0.1", port=server.port),
        provider=daemon,
        metrics=Metrics(version="0", config_sha256="0"),
    )
    with pytest.raises(
        ConfigFaults, match=rf"^admin\.listen: 127\.0\.0\.1:{server.port} is in use.*another port"
    ):
        await second.start()


async def test_a_foreign_address_is_a_fault_of_the_configuration(daemon: StillDaemon) -> None:
    """The message says that the address is not of this machine."""
    foreign = AdminServer(
        AdminSettings(host="192.0.2.1", port=0),
        provider=daemon,
        metrics=Metrics(version="0", config_sha256="0"),
    )
    with pytest.raises(ConfigFaults, match="not an address of this machine"):
        await foreign.start()


async def test_stop_without_start_does_no_harm(daemon: StillDaemon) -> None:
    """A daemon that fails before it listens is stopped like any other."""
    await AdminServer(
        AdminSettings(host="127.0.0.1", port=0),
        provider=daemon,
        metrics=Metrics(version="0", config_sha256="0"),
    ).stop()


async def test_the_port_is_free_after_stop(daemon: StillDaemon) -> None:
    """The bound port is released."""
    first = AdminServer(
        AdminSettings(host="127.0.0.1", port=0),
        provider=daemon,
        metrics=Metrics(version="0", config_sha256="0"),
    )
    await first.start()
    port = first.port
    await first.stop()
    again = AdminServer(
        AdminSettings(host="127.0.0.1", port=port),
        provider=daemon,
        metrics=Metrics(version="0", config_sha256="0"),
    )
    await again.start()
    await again.stop()
    assert port == again.port
