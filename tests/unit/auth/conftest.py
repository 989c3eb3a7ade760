"""Login settings, a manual clock, and a transport that answers from a script."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from consumer.auth.settings import SalesforceSettings, Secret
from consumer.http.messages import Answer

if TYPE_CHECKING:
    from consumer.http.messages import HttpOutcome, Request

WALL_MS = 1_767_225_600_000
"""Thu, 01 Jan 2026 00:00:00 UTC."""


@pytest.fixture(scope="session")
def private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture
def settings() -> SalesforceSettings:
    """Client credentials: the flow with the fewest settings."""
    return SalesforceSettings(
        login_url="https://my.salesforce.com",
        flow="client_credentials",
        client_id="consumer-key",
        audience="https://login.salesforce.com",
        client_secret=Secret(value="client-secret"),
    )


def json_answer(members: Any, status: int = 200, **headers: str) -> Answer:  # noqa: ANN401 - any JSON
    return Answer(status, tuple(headers.items()), orjson.dumps(members))


def core_answer(**members: Any) -> Answer:  # noqa: ANN401 - any JSON
    return json_answer(
        {
            "access_token": "core-token",
            "instance_url": "https://core.my.salesforce.com",
            "token_type": "Bearer",
            "scope": "cdp_ingest_api api",
            **members,
        }
    )


def tenant_answer(**members: Any) -> Answer:  # noqa: ANN401 - any JSON
    return json_answer(
        {
            "access_token": "tenant-token",
            "instance_url": "t.c360a.salesforce.com",
            "token_type": "Bearer",
            "issued_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "expires_in": 7_191,
            **members,
        }
    )


class Answers(Protocol):
    """Builds an answer from JSON members."""

    def __call__(self, **members: Any) -> Answer:  # noqa: ANN401 - any JSON
        """Return the usual answer with these members changed."""
        ...


@pytest.fixture
def core() -> Answers:
    return core_answer


@pytest.fixture
def tenant() -> Answers:
    return tenant_answer


class StillClock:
    """A clock that moves only when a test moves it."""

    def __init__(self) -> None:
        self.at_s = 1_000.0

    def now_s(self) -> float:
        """Seconds, from 1000."""
        return self.at_s

    def wall_ms(self) -> int:
        """The same time as UTC milliseconds."""
        return WALL_MS + round((self.at_s - 1_000.0) * 1_000)

    async def sleep(self, duration_s: float) -> None:
        """Advance the time and let other tasks run."""
        self.at_s += duration_s
        await asyncio.sleep(0)


class ScriptedTransport:
    """Answers each request with the next outcome of its script, else with a usual login."""

    def __init__(self) -> None:
        self.script: list[HttpOutcome | Exception] = []
        self.requests: list[Request] = []
        self.left: list[str] = []
        self.gate: asyncio.Event | None = None

    async def send(self, request: Request) -> HttpOutcome:
        """Answer after the gate has opened, if there is one."""
        self.requests.append(request)
        if self.gate is not None:
            await self.gate.wait()
        await asyncio.sleep(0)
        if self.script:
            outcome = self.script.pop(0)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome
        if request.url.endswith("/services/a360/token"):
            return tenant_answer(access_token=f"tenant-token-{len(self.requests)}")
        return core_answer()

    def leave(self, origin: str) -> None:
        """Note an origin that is not used any more."""
        self.left.append(origin)

    async def close(self) -> None:
        """Close nothing."""


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def transport() -> ScriptedTransport:
    return ScriptedTransport()
