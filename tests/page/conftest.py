"""Fixtures for tests of the web pages: a headless Chromium, and a sandbox process."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,1000",
)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("no browser here: install the Debian packages chromium and chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*_FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield chrome
    finally:
        chrome.quit()


class Sandbox:
    """The sandbox over HTTP."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self._token = self._core_token = ""

    def call(self, path: str, body: bytes | None, media: str) -> dict[str, Any]:
        """Send a request and return the JSON of the answer."""
        content: dict[str, Any] = json.loads(
            self._sent("GET" if body is None else "POST", path, body, media)
        )
        return content

    def load_contacts(self, content: bytes) -> None:
        """Insert contacts through a job of the CRM."""
        jobs, token = "/services/data/v61.0/jobs/ingest", self._core_token
        create = b'{"object":"Contact","operation":"insert","contentType":"CSV"}'
        job = json.loads(self._sent("POST", jobs, create, "application/json", token))["id"]
        self._sent("PUT", f"{jobs}/{job}/batches", content, "text/csv", token)
        self._sent(
            "PATCH", f"{jobs}/{job}", b'{"state":"UploadComplete"}', "application/json", token
        )

    def _sent(
        self, method: str, path: str, body: bytes | None, media: str, token: str = ""
    ) -> bytes:
        headers = {"Content-Type": media, "Authorization": f"Bearer {token or self._token}"}
        request = urllib.request.Request(self.origin + path, body, headers, method=method)  # noqa: S310 - our own address
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - our own address
            content: bytes = answer.read()
        return content

    def log_in(self) -> None:
        """Log in and exchange the token."""
        form = "application/x-www-form-urlencoded"
        core = self.call(
            "/services/oauth2/token",
            b"grant_type=client_credentials&client_id=a&client_secret=b",
            form,
        )
        self._core_token = core["access_token"]
        token = self._core_token.replace("!", "%21")
        exchange = (
            f"grant_type=urn:salesforce:grant-type:external:cdp&subject_token={token}"
            "&subject_token_type=urn:ietf:params:oauth:token-type:access_token"
        )
        self._token = self.call("/services/a360/token", exchange.encode(), form)["access_token"]

    def upsert(self, name: str, *rows: dict[str, object]) -> None:
        """Send rows."""
        body = json.dumps({"data": rows}).encode()
        self.call(f"/api/v1/ingest/sources/shop_events/{name}", body, "application/json")


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with started(tmp_path) as sandbox:
        yield sandbox


@contextmanager
def started(folder: Path, *arguments: str) -> Iterator[Sandbox]:
    """Run a sandbox as a process, with these arguments."""
    command = [sys.executable, "-m", "consumer", "sandbox", "--port", "0", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder)
    assert process.stdout is not None
    try:
        origin = process.stdout.readline().split(" on ")[1].split(" ")[0]
        sandbox = Sandbox(origin)
        sandbox.log_in()
        yield sandbox
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        process.stdout.close()
