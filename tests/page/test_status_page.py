"""The status page of the daemon in a real browser."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from consumer.admin.metrics import Metrics
from consumer.admin.port import (
    BulkStatus,
    HoldStatus,
    LedgerStatus,
    PartitionStatus,
    RateStatus,
    State,
    StatusReport,
    TokenStatus,
)
from consumer.admin.server import AdminServer
from consumer.admin.settings import AdminSettings
from consumer.errors import HoldReason
from tests.still_daemon import StillDaemon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from selenium import webdriver

pytestmark = pytest.mark.page

DASH = "\N{EN DASH}"

HELD = HoldStatus(
    reason=HoldReason.AUTH,
    since=datetime(2025, 1, 1, tzinfo=UTC),
    detail="the grant was refused <b>twice</b>",
)

RUNNING = StatusReport(
    version="0.1.0",
    config_sha256="9f86d081884c7d659a2feaa0c55ad015",
    state=State.RUNNING,
    group_id="crm",
    assignment=(
        PartitionStatus(
            topic="shop.orders",
            partition=0,
            epoch=2,
            position=100,
            end=160,
            lag=60,
            open=5,
            oldest_open_s=1.5,
        ),
        PartitionStatus(
            topic="shop.customers", partition=1, epoch=2, position=1_234_567, end=1_234_600, lag=33
        ),
    ),
    ledger=LedgerStatus(
        polled=1000, accepted=900, conflated=50, filtered=30, dead_lettered=15, open=5
    ),
    token=TokenStatus(expires_in_s=300.0),
    rate=RateStatus(limit=125.0, share=0.5),
    in_flight=4,
    buffer_bytes=3 * 1024 * 1024,
)


@pytest.fixture
def daemon() -> StillDaemon:
    return StillDaemon(RUNNING)


@pytest.fixture
async def server(daemon: StillDaemon) -> AsyncIterator[AdminServer]:
    made = AdminServer(
        AdminSettings(host="127.0.0.1", port=0),
        provider=daemon,
        metrics=Metrics(version="0", config_sha256="0"),
    )
    await made.start()
    yield made
    await made.stop()


class Page:
    """The open page. The browser blocks, so each call runs in a thread beside the loop."""

    def __init__(self, browser: webdriver.Chrome, url: str) -> None:
        self.browser = browser
        self.url = url

    async def open(self) -> None:
        """Open the page and wait for its first snapshot."""
        await asyncio.to_thread(self.browser.get, self.url)
        await self.until(lambda browser: _text(browser, "group") == "crm")

    async def until(self, seen: Callable[[webdriver.Chrome], object]) -> None:
        """Wait until a condition holds."""
        await asyncio.to_thread(WebDriverWait(self.browser, 20, poll_frequency=0.1).until, seen)

    async def text(self, element_id: str) -> str:
        """Read the visible text of one element."""
        return await asyncio.to_thread(_text, self.browser, element_id)


def _text(browser: webdriver.Chrome, element_id: str) -> str:
    return browser.find_element(By.ID, element_id).text


@pytest.fixture
async def page(browser: webdriver.Chrome, server: AdminServer) -> Page:
    opened = Page(browser, f"http://127.0.0.1:{server.port}/")
    await opened.open()
    return opened


@pytest.mark.parametrize(
    ("element_id", "text"),
    [
        ("state-text", "running"),
        ("lag", "93"),
        ("oldest", "1.5 s"),
        ("in-flight", "4"),
        ("buffer", "3.0 MiB"),
        ("rate", "125 50 % share"),
        ("token", "5 min"),
        ("polled", "1,000"),
        ("accepted", "900"),
        ("dead_lettered", "15"),
        ("ledger-check", "✓ adds up"),
        ("version", "0.1.0"),
        ("config", "9f86d081884c"),
    ],
)
async def test_a_figure_is_shown(page: Page, element_id: str, text: str) -> None:
    """Each figure of the snapshot is shown in its place."""
    assert text == await page.text(element_id)


async def test_partitions_are_listed_by_topic(page: Page) -> None:
    """One row per partition, positions grouped by thousands."""
    assert [
        f"shop.customers 1 {DASH} 1,234,567 1,234,600 33 0 {DASH} 2",
        f"shop.orders 0 {DASH} 100 160 60 5 1.5 s 2",
    ] == (await page.text("rows")).splitlines()


async def test_without_a_hold_nothing_is_highlighted(page: Page) -> None:
    """The section of the holds is empty while nothing is held."""
    assert "" == await page.text("holds")


async def test_a_hold_is_shown_with_its_next_step(page: Page, daemon: StillDaemon) -> None:
    """It appears without a reload, with reason, detail as plain text, and next step."""
    daemon.report = msgspec.structs.replace(RUNNING, holds=(HELD,))
    await page.until(lambda browser: "AUTH" in _text(browser, "holds"))
    shown = await page.text("holds")
    assert (True, True, "running, held: AUTH") == (
        "the grant was refused <b>twice</b>" in shown,
        "Check the credentials" in shown,
        await page.text("state-text"),
    )


async def test_bulk_jobs_show_their_progress(page: Page, daemon: StillDaemon) -> None:
    """Each object with a bulk destination has a row; without such an object no table is shown."""
    assert "" == await page.text("jobs")
    job = BulkStatus(
        object="people",
        gathered_rows=12_000,
        gathered_bytes=2048,
        phase="uploading",
        job="7f",
        rows=900,
    )
    daemon.report = msgspec.structs.replace(
        RUNNING, bulk=(job, BulkStatus(object="orders", gathered_rows=5))
    )
    await page.until(lambda browser: "uploading" in _text(browser, "job-rows"))
    assert ["people 12,000 2.0 KiB 900 uploading 7f", f"orders 5 0 B {DASH} buffering {DASH}"] == (
        await page.text("job-rows")
    ).splitlines()


async def test_a_ledger_that_does_not_add_up_is_marked(page: Page, daemon: StillDaemon) -> None:
    """The page checks the sum itself."""
    daemon.report = msgspec.structs.replace(
        RUNNING, ledger=LedgerStatus(polled=1000, accepted=990, open=5)
    )
    await page.until(lambda browser: _text(browser, "ledger-check") == "✗ off by 5")


async def test_rates_come_from_successive_snapshots(page: Page, daemon: StillDaemon) -> None:
    """The difference of two snapshots is drawn, and given as text."""
    daemon.report = msgspec.structs.replace(
        RUNNING,
        ledger=LedgerStatus(
            polled=101_000, accepted=100_900, conflated=50, filtered=30, dead_lettered=15, open=5
        ),
    )
    await page.until(lambda browser: _text(browser, "read-rate").endswith("K"))
    line = await asyncio.to_thread(page.browser.find_element, By.ID, "read-line")
    assert await asyncio.to_thread(line.get_attribute, "points")


async def test_the_filter_narrows_the_rows(page: Page) -> None:
    """Part of a name keeps its topics, and the count says of how many."""
    field = await asyncio.to_thread(page.browser.find_element, By.ID, "filter")
    await asyncio.to_thread(field.send_keys, "CUST")
    assert ("1 of 2", 1) == (
        await page.text("partition-count"),
        len((await page.text("rows")).splitlines()),
    )


async def test_a_daemon_that_stopped_is_shown(page: Page, server: AdminServer) -> None:
    """Old figures are marked as old."""
    await server.stop()
    await page.until(lambda browser: _text(browser, "state-text").startswith("no answer for"))


async def test_the_page_respects_its_own_security_policy(page: Page, daemon: StillDaemon) -> None:
    """The browser reports no blocked script, style or request, and no error."""
    daemon.report = msgspec.structs.replace(RUNNING, holds=(HELD,))
    await asyncio.to_thread(page.browser.get_log, "browser")
    await page.open()
    await page.until(lambda browser: "AUTH" in _text(browser, "holds"))
    assert [] == await asyncio.to_thread(page.browser.get_log, "browser")
