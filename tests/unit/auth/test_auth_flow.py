"""The auth flow: which requests it sends, in which order, and how it reads every answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import jwt
import msgspec
import orjson
import pytest

from consumer.auth.exchange import Secrets, core_flow, token_flow
from consumer.auth.token import CoreGrant, TokenGrant, refresh_after_s
from consumer.errors import Hold, HoldReason, Transient
from consumer.http.messages import Answer

if TYPE_CHECKING:
    from consumer.auth.settings import SalesforceSettings
    from consumer.http.messages import Request
    from tests.unit.auth.conftest import Answers

WALL_MS = 1_767_225_600_000
PAGE = b"<html><script>location='https://login.salesforce.com/?ec=302'</script></html>"


def auth_flow(
    settings: SalesforceSettings, *answers: Answer, secrets: Secrets | None = None
) -> tuple[list[Request], TokenGrant]:
    """Run the auth flow to its end on these answers."""
    steps = token_flow(settings, secrets or Secrets(client_secret="client-secret"), WALL_MS)
    requests = [next(steps)]
    for answer in answers:
        try:
            requests.append(steps.send(answer))
        except StopIteration as end:
            return requests, end.value
    pytest.fail("the auth flow expected more answers")


def form(request: Request) -> dict[str, str]:
    return {
        name: values[0]
        for name, values in parse_qs(request.body.decode(), strict_parsing=True).items()
    }


def refusal(settings: SalesforceSettings, *answers: Answer) -> str:
    with pytest.raises(Hold) as held:
        auth_flow(settings, *answers)
    assert HoldReason.AUTH == held.value.reason
    return held.value.detail


def test_login_then_exchange(settings: SalesforceSettings, core: Answers, tenant: Answers) -> None:
    """The core token comes from the login host and is exchanged at the instance in its answer."""
    requests, grant = auth_flow(settings, core(), tenant())
    assert [
        ("POST", "https://my.salesforce.com/services/oauth2/token"),
        ("POST", "https://core.my.salesforce.com/services/a360/token"),
    ] == [(request.method, request.url) for request in requests]
    assert TokenGrant("tenant-token", "https://t.c360a.salesforce.com", 7_191.0) == grant


def test_the_exchange_form(settings: SalesforceSettings, core: Answers, tenant: Answers) -> None:
    """The exchange takes exactly the documented members, in the body."""
    requests, _ = auth_flow(settings, core(), tenant())
    assert {
        "grant_type": "urn:salesforce:grant-type:external:cdp",
        "subject_token": "core-token",
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
    } == form(requests[1])
    assert ("Content-Type", "application/x-www-form-urlencoded") in requests[1].headers


def test_jwt_bearer(
    settings: SalesforceSettings, core: Answers, tenant: Answers, private_key: str
) -> None:
    """The assertion is signed with RS256, names key, user and audience, and lives three minutes."""
    flow = msgspec.structs.replace(settings, flow="jwt_bearer", username="ann@example.org")
    requests, _ = auth_flow(flow, core(), tenant(), secrets=Secrets(private_key=private_key))
    sent = form(requests[0])
    assert {"grant_type", "assertion"} == set(sent)
    assert "urn:ietf:params:oauth:grant-type:jwt-bearer" == sent["grant_type"]
    assert "RS256" == jwt.get_unverified_header(sent["assertion"])["alg"]
    assert {
        "iss": "consumer-key",
        "sub": "ann@example.org",
        "aud": "https://login.salesforce.com",
        "exp": WALL_MS // 1000 + 180,
    } == jwt.decode(sent["assertion"], options={"verify_signature": False})


@pytest.mark.parametrize(
    ("flow", "secrets", "expected"),
    [
        (
            "client_credentials",
            Secrets(client_secret="s"),
            {"grant_type": "client_credentials", "client_id": "consumer-key", "client_secret": "s"},
        ),
        (
            "refresh_token",
            Secrets(client_secret="s", refresh_token="r"),
            {
                "grant_type": "refresh_token",
                "client_id": "consumer-key",
                "client_secret": "s",
                "refresh_token": "r",
            },
        ),
        (
            "refresh_token",
            Secrets(refresh_token="r"),
            {"grant_type": "refresh_token", "client_id": "consumer-key", "refresh_token": "r"},
        ),
        (
            "password",
            Secrets(client_secret="s", password="p&w=d"),
            {
                "grant_type": "password",
                "client_id": "consumer-key",
                "client_secret": "s",
                "username": "ann@example.org",
                "password": "p&w=d",
            },
        ),
    ],
)
def test_the_other_flows(
    settings: SalesforceSettings,
    flow: Any,  # noqa: ANN401 - a literal of the settings
    secrets: Secrets,
    expected: object,
) -> None:
    """Each flow sends its credentials and nothing else."""
    configured = msgspec.structs.replace(settings, flow=flow, username="ann@example.org")
    assert expected == form(next(token_flow(configured, secrets, WALL_MS)))


def test_a_rotated_refresh_token_is_kept_even_if_the_exchange_fails(
    settings: SalesforceSettings, core: Answers
) -> None:
    """The old refresh token is void as soon as the login has answered."""
    flow = msgspec.structs.replace(settings, flow="refresh_token")
    secrets = Secrets(refresh_token="old")
    with pytest.raises(Transient):
        auth_flow(flow, core(refresh_token="new"), Answer(503), secrets=secrets)
    assert "new" == secrets.refresh_token


@pytest.mark.parametrize(
    "key",
    [
        "",
        "not a key",
        "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----",
    ],
)
def test_an_unreadable_private_key_is_named_not_shown(
    settings: SalesforceSettings, key: str
) -> None:
    """An invalid key is a hold, and its text is not repeated."""
    flow = msgspec.structs.replace(settings, flow="jwt_bearer", username="u")
    with pytest.raises(Hold, match="expected an unencrypted RSA private key") as held:
        next(token_flow(flow, Secrets(private_key=key), WALL_MS))
    assert "c2Vj" not in str(held.value)


@pytest.mark.parametrize(
    ("value", "lifetime_s"),
    [
        (7_191, 7_191.0),
        ("7191", 7_191.0),
        (1, 60.0),
        (10**9, 86_400.0),
        (0, 900.0),
        (-5, 900.0),
        (True, 900.0),
        ("soon", 900.0),
        ([], 900.0),
        pytest.param(None, 900.0, id="K02-null"),
    ],
)
def test_lifetime(
    settings: SalesforceSettings, core: Answers, tenant: Answers, value: object, lifetime_s: float
) -> None:
    """The lifetime is between a minute and a day; without a usable value it is 15 minutes."""
    _, grant = auth_flow(settings, core(), tenant(expires_in=value))
    assert lifetime_s == grant.lifetime_s


def test_missing_lifetime_k02(settings: SalesforceSettings, core: Answers) -> None:
    """Without expires_in the token is used for 15 minutes and renewed at 80 % of that."""
    bare = Answer(200, (), b'{"access_token":"t","instance_url":"t.c360a.salesforce.com"}')
    _, grant = auth_flow(settings, core(), bare)
    assert 720.0 == refresh_after_s(grant.lifetime_s)


MEMBER_FAULTS = [
    pytest.param({"access_token": None}, "access_token", id="K04-null"),
    pytest.param({"access_token": ""}, "access_token", id="K04-empty"),
    pytest.param({"access_token": 5}, "access_token", id="K04-number"),
    pytest.param({"access_token": "seCRet\r\nX: y"}, "access_token", id="K05-crlf"),
    pytest.param({"access_token": "seCRet token"}, "access_token", id="K05-space"),
    pytest.param({"access_token": "seCRét"}, "access_token", id="K05-beyond-ascii"),
    pytest.param({"access_token": "seCRet" * 9_999}, "access_token", id="K05-length"),
    pytest.param({"token_type": "MAC"}, "token_type", id="K07"),
    pytest.param({"token_type": 1}, "token_type", id="K07-number"),
    pytest.param({"instance_url": None}, "instance_url", id="K08-null"),
    pytest.param({"instance_url": ""}, "instance_url", id="K08-empty"),
    pytest.param(
        {"instance_url": "https://x.c360a.salesforce.com.evil.test"}, "not allowed: host", id="K12"
    ),
    pytest.param(
        {"instance_url": "https://x.c360a.salesforce.com:22"}, "not allowed: host", id="K14-port"
    ),
    pytest.param(
        {"instance_url": "https://x.c360a.salesforce.com/path"}, "got a path too", id="K14-path"
    ),
    pytest.param(
        {"instance_url": "https://x.c360a.salesforce.com?a=b"},
        "not allowed: not an absolute URL",
        id="K14-query",
    ),
    pytest.param(
        {"instance_url": "https://x.c360a.salesforce.com#a"},
        "not allowed: not an absolute URL",
        id="K14-fragment",
    ),
    pytest.param({"instance_url": "127.0.0.1"}, "not allowed: host", id="loopback"),
]


@pytest.mark.parametrize(("members", "text"), MEMBER_FAULTS)
def test_a_bad_exchange_answer(
    settings: SalesforceSettings, core: Answers, tenant: Answers, members: dict[str, Any], text: str
) -> None:
    """The member at fault is named, its value is not shown, and no request follows."""
    detail = refusal(settings, core(), tenant(**members))
    assert detail.startswith("token exchange returned")
    assert text in detail
    assert "seCR" not in detail


@pytest.mark.parametrize(("members", "text"), MEMBER_FAULTS)
def test_a_bad_login_answer(
    settings: SalesforceSettings, core: Answers, members: dict[str, Any], text: str
) -> None:
    """The login's answer is read as strictly, because the core token goes to its instance_url."""
    detail = refusal(settings, core(**members))
    assert detail.startswith("login returned")
    assert text in detail


def test_a_missing_token_k04(settings: SalesforceSettings) -> None:
    """An answer without an access_token is a hold."""
    assert "access_token" in refusal(
        settings, Answer(200, (), b'{"instance_url":"x.salesforce.com"}')
    )


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(200, (), PAGE), id="K21-page"),
        pytest.param(Answer(200), id="empty"),
        pytest.param(Answer(200, (), b"[]"), id="list"),
        pytest.param(Answer(200, (), b'"x"'), id="text"),
        pytest.param(Answer(200, (), b"\x1f\x8b\x08\x00bomb"), id="K22-gzip"),
        pytest.param(Answer(200, (), b" " * 65_536, truncated=True), id="K22-endless"),
        pytest.param(Answer(200, (), b'{"access_token":"t"}', truncated=True), id="K22-cut"),
    ],
)
def test_200_without_a_token_is_a_hold(settings: SalesforceSettings, answer: Answer) -> None:
    """A page, compressed bytes or an empty body with status 200 is a hold."""
    assert "expected a JSON object, got another body" in refusal(settings, answer)


@pytest.mark.parametrize(
    ("code", "description", "text"),
    [
        pytest.param(
            "invalid_grant",
            "user hasn't approved this consumer",
            "user hasn't approved",
            id="K16-approval",
        ),
        pytest.param(
            "invalid_grant",
            "expired access/refresh token",
            "expired access/refresh",
            id="K16-expired",
        ),
        pytest.param(
            "invalid_grant", "audience is invalid", "audience is invalid", id="K16-audience"
        ),
        pytest.param("invalid_client", "invalid client credentials", "invalid client", id="K17"),
        pytest.param("invalid_client_id", None, "invalid_client_id", id="K17-id"),
    ],
)
def test_a_refused_grant_names_its_code(
    settings: SalesforceSettings, code: str, description: str | None, text: str
) -> None:
    """The OAuth code and the service's description tell the operator what to fix."""
    members = {"error": code, "error_description": description}
    detail = refusal(settings, Answer(400, (), orjson.dumps(members)))
    assert detail.startswith(f"login refused with 400: {code}")
    assert text in detail


@pytest.mark.parametrize("status", [400, 401, 403, 404])
@pytest.mark.parametrize(
    "body", [b"", PAGE, b"[]", b'{"error":7}', b'{"error":"x y <b>"}', b'{"a":1}']
)
def test_refusals_without_words(settings: SalesforceSettings, status: int, body: bytes) -> None:
    """A refusal without an OAuth error says so."""
    assert f"login refused with {status}: no OAuth" in refusal(settings, Answer(status, (), body))


def test_a_description_is_masked(settings: SalesforceSettings) -> None:
    """Values that the service repeats do not reach a log."""
    body = orjson.dumps(
        {"error": "invalid_grant", "error_description": "bad user 'ann@example.org' {secret"}
    )
    detail = refusal(settings, Answer(400, (), body))
    assert "ann" not in detail
    assert "secret" not in detail


@pytest.mark.parametrize(
    ("date", "text"),
    [
        ("Thu, 01 Jan 2026 00:10:00 GMT", "this machine's clock is 600 s behind the service's"),
        ("Wed, 31 Dec 2025 23:50:00 GMT", "this machine's clock is 600 s ahead of the service's"),
    ],
)
def test_a_clock_that_is_off_is_named_k18(
    settings: SalesforceSettings, date: str, text: str
) -> None:
    """The service only says that the grant has expired; its Date header shows why."""
    body = b'{"error":"invalid_grant","error_description":"expired authorization code"}'
    assert text in refusal(settings, Answer(400, (("date", date),), body))


@pytest.mark.parametrize("date", ["Thu, 01 Jan 2026 00:00:20 GMT", "today", ""])
def test_a_good_clock_is_not_blamed(settings: SalesforceSettings, date: str) -> None:
    """A difference of seconds, or an unreadable date, is not mentioned."""
    assert "clock" not in refusal(settings, Answer(400, (("date", date),)))


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_refused_k20(settings: SalesforceSettings, status: int) -> None:
    """The secret is not posted to the address that a redirect names."""
    steps = token_flow(settings, Secrets(client_secret="s"), WALL_MS)
    next(steps)
    with pytest.raises(Hold, match="a redirect, which is not followed"):
        steps.send(Answer(status, (("location", "https://evil.test/"),)))


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_the_moments_faults_are_transient(
    settings: SalesforceSettings, core: Answers, status: int
) -> None:
    """A transient status says nothing about the credentials, in either step."""
    with pytest.raises(Transient, match=f"login returned {status}"):
        auth_flow(settings, Answer(status))
    with pytest.raises(Transient, match=f"token exchange returned {status}"):
        auth_flow(settings, core(), Answer(status))


def test_a_pause_is_passed_on(settings: SalesforceSettings) -> None:
    """The pause of Retry-After is passed on to the provider."""
    with pytest.raises(Transient) as fault:
        auth_flow(settings, Answer(503, (("retry-after", "7"),)))
    assert 7.0 == fault.value.after_s


def test_a_local_login_exchanges_locally(
    settings: SalesforceSettings, core: Answers, tenant: Answers
) -> None:
    """The sandbox returns its address without a scheme and is called by the login's scheme."""
    local = msgspec.structs.replace(settings, login_url="http://127.0.0.1:8400")
    requests, grant = auth_flow(
        local, core(instance_url="http://127.0.0.1:8400"), tenant(instance_url="127.0.0.1:8400")
    )
    assert "http://127.0.0.1:8400/services/a360/token" == requests[1].url
    assert "http://127.0.0.1:8400" == grant.base_url


@pytest.mark.holds("I17")
@pytest.mark.parametrize(
    "shown",
    [
        CoreGrant("seCRet", "https://x.salesforce.com", "seCRet"),
        TokenGrant("seCRet", "https://x.salesforce.com", 60.0),
        Secrets(
            private_key="seCRet", client_secret="seCRet", refresh_token="seCRet", password="seCRet"
        ),
    ],
)
def test_nothing_secret_is_shown_i17(shown: object) -> None:
    """Values that carry secrets do not print them."""
    assert "seCR" not in f"{shown!r} {shown}"


@pytest.mark.parametrize(
    ("identity", "user"),
    [
        (
            "https://login.salesforce.com/id/00D5g0000000001EAA/0055g0000000001AAA",
            "0055g0000000001AAA",
        ),
        ("https://login.salesforce.com/id/00D5g0000000001EAA/", ""),
        (7, ""),
        (None, ""),
    ],
)
def test_a_core_token_knows_its_user(
    settings: SalesforceSettings, core: Answers, identity: object, user: str
) -> None:
    """The user id is taken from the identity URL of the login, if there is one."""
    steps = core_flow(settings, Secrets(client_secret="client-secret"), WALL_MS)
    next(steps)
    with pytest.raises(StopIteration) as end:
        steps.send(core(id=identity))
    assert ("core-token", user) == (end.value.value.value, end.value.value.user)
