"""The grants that the login accepts and refuses, with the messages of the service."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from consumer.http.messages import Request
from consumer.sandbox.fault_script import read_script
from consumer.sandbox.login import LoginCredentials
from consumer.sandbox.tenant import Limits, Tenant

if TYPE_CHECKING:
    from consumer.http.messages import Answer
    from tests.unit.sandbox.conftest import Caller, SteppedClock

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC = KEY.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)
CREDENTIALS = LoginCredentials(
    client_id="app",
    client_secret="secret",
    username="integration@example.com",
    password="word",
    refresh_token="again",
    public_key=PUBLIC,
)


@pytest.fixture
def tenant(clock: SteppedClock) -> Tenant:
    return Tenant({}, source_name="shop", clock=clock, credentials=CREDENTIALS, limits=Limits())


def ask(tenant: Tenant, **form: str) -> Answer:
    body = urlencode(form).encode()
    return tenant.answer(Request("POST", f"{tenant.origin}/services/oauth2/token", (), body)).answer


def claims(clock: SteppedClock, **other: object) -> dict[str, object]:
    return {
        "iss": "app",
        "sub": "integration@example.com",
        "aud": "https://login.salesforce.com",
        "exp": clock.wall_ms() // 1000 + 180,
        **other,
    }


def refusal(answer: Answer) -> tuple[int, str, str]:
    content = json.loads(answer.body)
    return answer.status, content["error"], content["error_description"]


def test_a_signed_assertion_is_accepted(tenant: Tenant, clock: SteppedClock) -> None:
    """RS256 with the right claims gives a core token."""
    answer = ask(tenant, grant_type=JWT_BEARER, assertion=jwt.encode(claims(clock), KEY, "RS256"))
    assert (200, "Bearer") == (answer.status, json.loads(answer.body)["token_type"])


@pytest.mark.parametrize(
    ("other", "words"),
    [
        pytest.param({"iss": "other"}, "user hasn't approved this consumer", id="K16 another app"),
        pytest.param(
            {"sub": "other@example.com"},
            "user hasn't approved this consumer",
            id="K16 another user",
        ),
        pytest.param(
            {"aud": "https://evil.test"}, "audience is invalid", id="K16 another audience"
        ),
        pytest.param({"exp": 1_767_225_599}, "expired authorization code", id="K18 in the past"),
        pytest.param({"exp": 1_767_225_780_000}, "expired authorization code", id="milliseconds"),
        pytest.param({"exp": "1767225780"}, "expired authorization code", id="text"),
    ],
)
def test_wrong_claims_are_refused(
    tenant: Tenant, clock: SteppedClock, other: dict[str, object], words: str
) -> None:
    """400 invalid_grant, with the reason."""
    answer = ask(
        tenant, grant_type=JWT_BEARER, assertion=jwt.encode(claims(clock, **other), KEY, "RS256")
    )
    assert (400, "invalid_grant", words) == refusal(answer)


def test_a_signature_of_another_key_is_refused(tenant: Tenant, clock: SteppedClock) -> None:
    """The public key decides, not the claims."""
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    answer = ask(tenant, grant_type=JWT_BEARER, assertion=jwt.encode(claims(clock), other, "RS256"))
    assert (400, "invalid_grant", "invalid assertion") == refusal(answer)


def test_without_a_public_key_the_algorithm_is_checked(clock: SteppedClock) -> None:
    """Any RS256 signature is accepted, but no other algorithm."""
    tenant = Tenant({}, source_name="shop", clock=clock)
    signed = ask(tenant, grant_type=JWT_BEARER, assertion=jwt.encode(claims(clock), KEY, "RS256"))
    other = ask(
        tenant, grant_type=JWT_BEARER, assertion=jwt.encode(claims(clock), "s" * 32, "HS256")
    )
    assert (200, 400) == (signed.status, other.status)


def test_a_server_whose_clock_is_ahead_refuses_the_assertion(clock: SteppedClock) -> None:
    """Skew shows in the refusal and in the Date header (K18)."""
    tenant = Tenant({}, source_name="shop", clock=clock, faults=read_script("token skew=10m"))
    answer = ask(tenant, grant_type=JWT_BEARER, assertion=jwt.encode(claims(clock), KEY, "RS256"))
    assert (400, "invalid_grant", "expired authorization code") == refusal(answer)
    assert answer.header("date") == "Thu, 01 Jan 2026 00:10:00 GMT"


@pytest.mark.parametrize(
    "form",
    [
        {"grant_type": "client_credentials", "client_id": "app", "client_secret": "secret"},
        {"grant_type": "refresh_token", "refresh_token": "again", "client_id": "app"},
        {
            "grant_type": "password",
            "username": "integration@example.com",
            "password": "word",
            "client_id": "app",
            "client_secret": "secret",
        },
    ],
    ids=lambda form: form["grant_type"],
)
def test_the_other_grants_are_accepted(tenant: Tenant, form: dict[str, str]) -> None:
    """Each with its documented parameters only."""
    assert ask(tenant, **form).status == 200


@pytest.mark.parametrize(
    ("form", "code"),
    [
        pytest.param(
            {"grant_type": "client_credentials", "client_id": "app", "client_secret": "x"},
            "invalid_client",
            id="K17 client secret",
        ),
        pytest.param(
            {"grant_type": "client_credentials", "client_id": "x", "client_secret": "secret"},
            "invalid_client_id",
            id="K17 client id",
        ),
        pytest.param(
            {"grant_type": "refresh_token", "refresh_token": "x", "client_id": "app"},
            "invalid_grant",
            id="K16 refresh token",
        ),
        pytest.param({"grant_type": "password", "username": "x"}, "invalid_grant", id="password"),
        pytest.param({"grant_type": "implicit"}, "unsupported_grant_type", id="another grant"),
        pytest.param({}, "unsupported_grant_type", id="nothing"),
    ],
)
def test_wrong_credentials_are_refused(tenant: Tenant, form: dict[str, str], code: str) -> None:
    """400 with the documented code."""
    answer = ask(tenant, **form)
    assert (400, code) == refusal(answer)[:2]


def test_another_grant_at_the_exchange_is_an_empty_400(tenant: Tenant) -> None:
    """As seen from the real endpoint: the answer has no body."""
    answer = tenant.answer(
        Request("POST", f"{tenant.origin}/services/a360/token", (), b"grant_type=x")
    ).answer
    assert (400, b"") == (answer.status, answer.body)


def test_tokens_expire_by_the_clock(caller: Caller, clock: SteppedClock) -> None:
    """After `expires_in` the token gets a 401, and a new login works."""
    clock.pass_s(7190)
    before = caller.upsert("plain", {"id": "1"}).status
    clock.pass_s(1)
    after = caller.upsert("plain", {"id": "1"}).status
    caller.token = caller.log_in()
    assert (202, 401, 202) == (before, after, caller.upsert("plain", {"id": "1"}).status)


def test_a_revoked_token_is_refused(caller: Caller) -> None:
    """The answer is the same for every token, and this token is revoked."""
    answers = [
        caller.form("/services/a360/revoke", f"token={token}")
        for token in (caller.token, "unknown")
    ]
    assert [b'"Token revoked successfully"'] * 2 == [answer.body for answer in answers]
    assert caller.upsert("plain", {"id": "1"}).status == 401


def test_credentials_are_not_shown() -> None:
    """Their `repr`, as in a traceback, has no secret."""
    assert "secret" not in repr(CREDENTIALS)
