"""Answer the Salesforce login (four grants) and the exchange for a Data 360 token."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import jwt
import msgspec

from consumer.http.messages import Answer
from consumer.sandbox.vendor_answers import JSON_TYPE, as_json, oauth_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consumer.http.messages import Request
    from consumer.sandbox.sessions import Sessions

_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_EXCHANGE = "urn:salesforce:grant-type:external:cdp"
_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - the name of a token type
_LONGEST_ASSERTION_S = 3_660
"""Salesforce's own client asks for an hour. An `exp` in milliseconds is far beyond this."""

_AUDIENCES = ("https://login.salesforce.com", "https://test.salesforce.com")


class LoginCredentials(msgspec.Struct, frozen=True, kw_only=True):
    """The credentials that the login accepts. A field that is `None` accepts any value.

    `public_key` is PEM; with it the signature of an assertion is checked.
    """

    client_id: str | None = None
    client_secret: str | None = None
    username: str | None = None
    password: str | None = None
    refresh_token: str | None = None
    public_key: bytes | None = None

    def __repr__(self) -> str:
        return "LoginCredentials(...)"


def _form(request: Request) -> dict[str, str]:
    """Return the parameters of a call: its form body, or its query. Official clients use both."""
    text = request.body.decode("utf-8", "replace") or urlsplit(request.url).query
    return dict(parse_qsl(text, keep_blank_values=True))


def _fits(given: str | None, known: str | None) -> bool:
    return bool(given) and (known is None or given == known)


class Login:
    """`POST /services/oauth2/token` and `POST /services/a360/token`."""

    def __init__(self, sessions: Sessions, credentials: LoginCredentials) -> None:
        self._sessions = sessions
        self._credentials = credentials

    def token(self, request: Request, origin: str, wall_ms: int, instance: str) -> Answer:
        """Answer the first step: a core token for a grant, with `instance` as its address."""
        form = _form(request)
        grant = form.get("grant_type", "")
        refusal = self._refusal(grant, form, origin, wall_ms)
        if refusal is not None:
            return refusal
        return as_json(
            200,
            {
                "access_token": self._sessions.issue_core(),
                "scope": "cdp_ingest_api api",
                "instance_url": instance,
                "id": f"{origin}/id/00D5g0000000001EAA/0055g0000000001AAA",
                "token_type": "Bearer",
                "issued_at": str(wall_ms),
            },
        )

    def exchange(self, request: Request, origin: str) -> Answer:
        """Answer the second step: exchange a core token, once, for a Data 360 token.

        As in the service, `instance_url` is a host without a scheme.
        """
        form = _form(request)
        if form.get("grant_type") != _EXCHANGE or form.get("subject_token_type") != _ACCESS_TOKEN:
            return Answer(status=400)
        # The service accepts each core token for one exchange only.
        if not self._sessions.spend_core(form.get("subject_token", "")):
            return oauth_error("invalid_grant", "invalid subject token")
        return as_json(
            200,
            {
                "access_token": self._sessions.issue(),
                "instance_url": urlsplit(origin).netloc,
                "token_type": "Bearer",
                "issued_token_type": "urn:ietf:params:oauth:token-type:jwt",
                "expires_in": int(self._sessions.lifetime_s),
            },
        )

    def revoke(self, request: Request) -> Answer:
        """Revoke a Data 360 token; the answer is the same for an unknown token."""
        self._sessions.revoke(_form(request).get("token", ""))
        return Answer(status=200, headers=(JSON_TYPE,), body=b'"Token revoked successfully"')

    def _refusal(  # noqa: PLR0911 - one per grant
        self, grant: str, form: Mapping[str, str], origin: str, wall_ms: int
    ) -> Answer | None:
        match grant:
            case _ if grant == _JWT_BEARER:
                return self._refuse_assertion(form.get("assertion", ""), origin, wall_ms)
            case "client_credentials":
                return self._refuse_client(form)
            case "refresh_token":
                if not _fits(form.get("refresh_token"), self._credentials.refresh_token):
                    return oauth_error("invalid_grant", "expired access/refresh token")
                return self._refuse_client_id(form)
            case "password":
                username = _fits(form.get("username"), self._credentials.username)
                password = _fits(form.get("password"), self._credentials.password)
                if not (username and password):
                    return oauth_error("invalid_grant", "authentication failure")
                return self._refuse_client(form)
            case _:
                return oauth_error("unsupported_grant_type", "grant type not supported")

    def _refuse_client_id(self, form: Mapping[str, str]) -> Answer | None:
        if not _fits(form.get("client_id"), self._credentials.client_id):
            return oauth_error("invalid_client_id", "client identifier invalid")
        return None

    def _refuse_client(self, form: Mapping[str, str]) -> Answer | None:
        if not _fits(form.get("client_secret"), self._credentials.client_secret):
            return oauth_error("invalid_client", "invalid client credentials")
        return self._refuse_client_id(form)

    def _refuse_assertion(self, assertion: str, origin: str, wall_ms: int) -> Answer | None:
        key = self._credentials.public_key
        # Times and audience are checked below, by the clock of this tenant and with the messages of
        # the service.
        options = {
            "verify_signature": key is not None,
            "verify_exp": False,
            "verify_aud": False,
            "verify_iat": False,
        }
        try:
            header = jwt.get_unverified_header(assertion)
            claims = jwt.decode(assertion, key or b"", algorithms=["RS256"], options=options)  # type: ignore[arg-type]
        except jwt.InvalidTokenError:
            return oauth_error("invalid_grant", "invalid assertion")
        if header.get("alg") != "RS256":
            return oauth_error("invalid_grant", "algorithm not supported")
        known = self._credentials
        if not (
            _fits(claims.get("iss"), known.client_id) and _fits(claims.get("sub"), known.username)
        ):
            return oauth_error("invalid_grant", "user hasn't approved this consumer")
        if claims.get("aud") not in (origin, *_AUDIENCES):
            return oauth_error("invalid_grant", "audience is invalid")
        expiry = claims.get("exp")
        ahead_s = expiry - wall_ms / 1000 if type(expiry) is int else 0
        if not 0 < ahead_s <= _LONGEST_ASSERTION_S:
            return oauth_error("invalid_grant", "expired authorization code")
        return None
