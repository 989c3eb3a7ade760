"""The auth flow without I/O: yields requests, receives answers, returns a token."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import urlencode

import orjson

from consumer.auth.assertion import assertion
from consumer.auth.token import LONGEST_LIFETIME_S, CoreGrant, TokenGrant, read_core, read_exchange
from consumer.errors import Hold, HoldReason, Transient
from consumer.http.hosts import Hosts
from consumer.http.messages import Request
from consumer.http.retry_after import pause_s
from consumer.masking import mask

if TYPE_CHECKING:
    from collections.abc import Generator

    from consumer.auth.settings import SalesforceSettings
    from consumer.http.messages import Answer

    AuthFlow: TypeAlias = "Generator[Request, Answer, TokenGrant]"

_JWT_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_EXCHANGE_GRANT: Final = "urn:salesforce:grant-type:external:cdp"
_ACCESS_TOKEN_TYPE: Final = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a name, not a secret
_FORM: Final = (
    ("Content-Type", "application/x-www-form-urlencoded"),
    ("Accept", "application/json"),
)
_TRANSIENT: Final = frozenset({408, 425, 429})
_CODE = re.compile(r"[a-z][a-z_]{0,63}", re.ASCII)
_SKEW_S: Final = 60
"""A clock difference from here on is reported: it uses up the lifetime of an assertion."""

_DESCRIPTION_CHARS: Final = 200


class Secrets:
    """The secrets of one auth flow, as just read. Never shown.

    The flow writes a rotated refresh token back, even when a later step fails: the old one is void.
    """

    __slots__ = ("client_secret", "password", "private_key", "refresh_token")

    def __init__(
        self,
        *,
        private_key: str | None = None,
        client_secret: str | None = None,
        refresh_token: str | None = None,
        password: str | None = None,
    ) -> None:
        self.private_key = private_key
        self.client_secret = client_secret
        self.refresh_token = refresh_token
        self.password = password

    def __repr__(self) -> str:
        return "Secrets()"


def token_flow(settings: SalesforceSettings, secrets: Secrets, wall_ms: int) -> AuthFlow:
    """Log in, then exchange the core token for a Data 360 token.

    Each exchange logs in again, because some flows give a core token that can be used only once.

    Raises: `Hold(AUTH)` for a refusal, with the OAuth code; `Transient` for transient faults.
    """
    core = yield from login(settings, secrets, wall_ms)
    return (yield from exchange(settings, core, wall_ms))


def core_flow(settings: SalesforceSettings, secrets: Secrets, wall_ms: int) -> AuthFlow:
    """Log in only; the core token is what the CRM takes.

    The login does not say how long a session lasts, and using it extends it: the token is used
    until it is refused.
    Raises: as `token_flow`.
    """
    core = yield from login(settings, secrets, wall_ms)
    return TokenGrant(core.value, core.base_url, LONGEST_LIFETIME_S, core.user)


def login(
    settings: SalesforceSettings, secrets: Secrets, wall_ms: int
) -> Generator[Request, Answer, CoreGrant]:
    """Get a core token by the configured flow.

    Raises: as `token_flow`.
    """
    url = f"{settings.login_url}/services/oauth2/token"
    answer = yield _form(url, _login_form(settings, secrets, wall_ms), settings.timeout_s)
    _check(answer, "login", wall_ms)
    core = read_core(answer, _hosts(settings))
    # Stored at once: the old refresh token is void even if the exchange fails.
    if core.rotated is not None:
        secrets.refresh_token = core.rotated
    return core


def exchange(settings: SalesforceSettings, core: CoreGrant, wall_ms: int) -> AuthFlow:
    """Exchange a core token for a Data 360 token at the core instance that issued it.

    Raises: as `token_flow`.
    """
    form = {
        "grant_type": _EXCHANGE_GRANT,
        "subject_token": core.value,
        "subject_token_type": _ACCESS_TOKEN_TYPE,
    }
    answer = yield _form(f"{core.base_url}/services/a360/token", form, settings.timeout_s)
    _check(answer, "token exchange", wall_ms)
    return read_exchange(answer, _hosts(settings))


def _login_form(
    settings: SalesforceSettings, secrets: Secrets, wall_ms: int
) -> dict[str, str | None]:
    """Return the form fields of the flow; those that are `None` are not sent.

    Source: the four OAuth 2.0 flows of a connected app.
    """
    if settings.flow == "jwt_bearer":
        signed = assertion(settings, secrets.private_key or "", wall_ms)
        return {"grant_type": _JWT_GRANT, "assertion": signed}
    form: dict[str, str | None] = {
        "grant_type": settings.flow,
        "client_id": settings.client_id,
        "client_secret": secrets.client_secret,
    }
    if settings.flow == "refresh_token":
        form["refresh_token"] = secrets.refresh_token
    elif settings.flow == "password":
        form |= {"username": settings.username, "password": secrets.password}
    return form


def _form(url: str, members: dict[str, Any], timeout_s: float) -> Request:
    body = urlencode({name: value for name, value in members.items() if value is not None})
    return Request("POST", url, _FORM, body.encode(), timeout_s)


def _hosts(settings: SalesforceSettings) -> Hosts:
    return Hosts.known(settings.login_url, settings.allowed_domains)


def _check(answer: Answer, step: str, wall_ms: int) -> None:
    """Return for a 200; raise the matching error for any other status."""
    if answer.status == 200:  # noqa: PLR2004 - the one success of both endpoints
        return
    # Says nothing about the credentials.
    if answer.status in _TRANSIENT or answer.status >= 500:  # noqa: PLR2004 - HTTP's own border
        asked_s = pause_s(answer, wall_ms)
        detail = f"{step} returned {answer.status}" + (
            f" and asked for a pause of {asked_s:.0f} s" if asked_s else ""
        )
        raise Transient(detail, after_s=asked_s)
    if 300 <= answer.status < 400:  # noqa: PLR2004 - HTTP's own borders
        detail = (
            f"{step} returned {answer.status}, a redirect, which is not followed; check"
            " salesforce.login_url"
        )
        raise Hold(HoldReason.AUTH, detail)
    detail = f"{step} refused with {answer.status}: {_oauth_fault(answer)}{_skew(answer, wall_ms)}"
    raise Hold(HoldReason.AUTH, detail)


def _oauth_fault(answer: Answer) -> str:
    """Return the OAuth error code and its description, masked.

    Some refusals have neither, or are a web page.
    """
    try:
        parsed = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return "no OAuth error in the response"
    if not isinstance(parsed, dict):
        return "no OAuth error in the response"
    code = parsed.get("error")
    known = code if isinstance(code, str) and _CODE.fullmatch(code) else "no OAuth code"
    described = parsed.get("error_description")
    return (
        f"{known} ({mask(described)[:_DESCRIPTION_CHARS]})" if isinstance(described, str) else known
    )


def _skew(answer: Answer, wall_ms: int) -> str:
    """Return how far this machine's clock is off, or nothing.

    The service only says that an assertion has expired or is not valid yet.
    """
    try:
        ahead_s = round(
            wall_ms / 1000 - parsedate_to_datetime(answer.header("date") or "").timestamp()
        )
    except (ValueError, OverflowError):
        return ""
    if abs(ahead_s) < _SKEW_S:
        return ""
    return (
        f"; this machine's clock is {abs(ahead_s)} s {'ahead of' if ahead_s > 0 else 'behind'}"
        f" the service's"
    )
