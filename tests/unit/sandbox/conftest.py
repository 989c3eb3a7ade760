"""Fixtures: a tenant on a clock that the test advances, and a caller that is logged in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from consumer.http.messages import Request
from consumer.mapping.settings import FieldType, ObjectSettings
from consumer.sandbox.fault_script import read_script
from consumer.sandbox.tenant import Limits, Tenant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.http.messages import Answer
    from consumer.sandbox.wire import Reply

START_MS = 1_767_225_600_000
"""2026-01-01 00:00 UTC."""


class SteppedClock:
    """A clock that stands still; a sleep advances it at once."""

    def __init__(self) -> None:
        self._now_s = 100.0

    def now_s(self) -> float:
        """Return the seconds that were slept, plus 100."""
        return self._now_s

    def wall_ms(self) -> int:
        """Return the same time as wall time."""
        return START_MS + round((self._now_s - 100.0) * 1000)

    async def sleep(self, duration_s: float) -> None:
        """Advance the clock."""
        self.pass_s(duration_s)

    def pass_s(self, duration_s: float) -> None:
        """Advance the clock."""
        self._now_s += duration_s


class Caller:
    """Calls a tenant without a transport."""

    def __init__(self, tenant: Tenant, clock: SteppedClock) -> None:
        self.tenant = tenant
        self.clock = clock
        self.token = self.log_in()

    def form(self, path: str, body: str) -> Answer:
        """Post a form."""
        return self.reply(Request("POST", self.tenant.origin + path, (), body.encode())).answer

    def log_in(self) -> str:
        """Log in and exchange the token."""
        value: str = json.loads(self.exchange().body)["access_token"]
        return value

    def exchange(self) -> Answer:
        """Return the answer to an exchange, after a login."""
        core = self.form(
            "/services/oauth2/token", "grant_type=client_credentials&client_id=a&client_secret=b"
        )
        token = json.loads(core.body)["access_token"].replace("!", "%21")
        return self.form(
            "/services/a360/token",
            f"grant_type=urn:salesforce:grant-type:external:cdp&subject_token={token}"
            "&subject_token_type=urn:ietf:params:oauth:token-type:access_token",
        )

    def reply(self, request: Request) -> Reply:
        """Send a request unchanged."""
        return self.tenant.answer(request)

    def ingest(self, method: str, rest: str, content: object) -> Request:
        """Return a request of the Ingestion API."""
        headers = (("Authorization", f"Bearer {self.token}"), ("Content-Type", "application/json"))
        url = f"{self.tenant.origin}/api/v1/ingest/sources/shop/{rest}"
        body = json.dumps(content).encode()
        return Request(method, url, headers, body)  # type: ignore[arg-type]  # a method, as the test says

    def upsert(self, name: str, *rows: dict[str, Any]) -> Answer:
        """Send rows."""
        return self.reply(self.ingest("POST", name, {"data": rows})).answer

    def delete(self, name: str, *keys: str) -> Answer:
        """Send keys."""
        return self.reply(self.ingest("DELETE", name, {"ids": keys})).answer

    def test(self, name: str, *rows: dict[str, Any]) -> Answer:
        """Send rows to the validation call."""
        return self.reply(self.ingest("POST", f"{name}/actions/test", {"data": rows})).answer

    def script(self, text: str) -> None:
        """Set the fault script."""
        self.tenant.set_faults(read_script(text))


def objects() -> Sequence[ObjectSettings]:
    fields = {
        "id": FieldType.TEXT,
        "name": FieldType.TEXT,
        "size": FieldType.NUMBER,
        "at": FieldType.DATE_TIME,
    }
    return (
        ObjectSettings(name="plain", fields=fields, primary_key="id"),
        ObjectSettings(name="versioned", fields=fields, primary_key="id", record_modified="at"),
        ObjectSettings(
            name="partial",
            fields=fields,
            primary_key="id",
            record_modified="at",
            refresh_mode="partial",
        ),
        ObjectSettings(
            name="events", fields=fields, primary_key="id", category="engagement", event_time="at"
        ),
    )


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


def call_tenant(clock: SteppedClock, limits: Limits) -> Caller:
    tenant = Tenant(
        {each.name: each for each in objects()}, source_name="shop", clock=clock, limits=limits
    )
    return Caller(tenant, clock)


@pytest.fixture
def caller(clock: SteppedClock) -> Caller:
    return call_tenant(clock, Limits(apply_delay_s=0.5))


@pytest.fixture
def strict_caller(clock: SteppedClock) -> Caller:
    return call_tenant(clock, Limits(strict=True))


@pytest.fixture
def losing_caller(clock: SteppedClock) -> Caller:
    return call_tenant(clock, Limits(unknown_objects="lose"))
