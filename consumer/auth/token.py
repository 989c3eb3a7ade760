"""Reads the answers of login and token exchange, strictly."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec
import orjson

from consumer.errors import Hold, HoldReason

if TYPE_CHECKING:
    from consumer.http.hosts import Hosts
    from consumer.http.messages import Answer

ASSUMED_LIFETIME_S: Final = 900.0
SHORTEST_LIFETIME_S: Final = 60.0
LONGEST_LIFETIME_S: Final = 86_400.0
_REFRESH_AT: Final = 0.8
_IDENTITY = re.compile(r"/id/[A-Za-z0-9]{15,18}/([A-Za-z0-9]{15,18})$", re.ASCII)
_TOKEN = re.compile(r"[\x21-\x7e]{1,32768}", re.ASCII)


class CoreGrant(msgspec.Struct, frozen=True):
    """A core access token from the login, and the instance that accepts it. Never shown."""

    value: str
    base_url: str
    rotated: str | None = None
    """A new refresh token that replaces the one that was used."""
    user: str = ""
    """Id of the logged-in user, as the CRM writes it into the records that this user creates."""

    def __repr__(self) -> str:
        return f"CoreGrant({self.base_url})"


class TokenGrant(msgspec.Struct, frozen=True):
    """A Data 360 access token from the exchange, the tenant's origin, and the token's lifetime.

    Never shown.
    """

    value: str
    base_url: str
    lifetime_s: float
    user: str = ""

    def __repr__(self) -> str:
        return f"TokenGrant({self.base_url}, {self.lifetime_s:g} s)"


def refresh_after_s(lifetime_s: float) -> float:
    """Return the age at which a token of this lifetime is renewed."""
    return lifetime_s * _REFRESH_AT


def read_core(answer: Answer, hosts: Hosts) -> CoreGrant:
    """Read a 200 of the login.

    Raises: `Hold(AUTH)` that names the member at fault, never its value.
    """
    members = _members(answer, "login")
    value, base_url = _token_and_origin(members, hosts, "login")
    rotated = members.get("refresh_token")
    rotated = rotated if isinstance(rotated, str) and _TOKEN.fullmatch(rotated) else None
    return CoreGrant(value, base_url, rotated, _user(members.get("id")))


def read_exchange(answer: Answer, hosts: Hosts) -> TokenGrant:
    """Read a 200 of the token exchange.

    Raises: `Hold(AUTH)` that names the member at fault, never its value.
    """
    members = _members(answer, "token exchange")
    value, base_url = _token_and_origin(members, hosts, "token exchange")
    return TokenGrant(value, base_url, _lifetime_s(members.get("expires_in")))


def _members(answer: Answer, step: str) -> dict[str, Any]:
    parsed: object = None
    if not answer.truncated:
        try:
            parsed = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            parsed = None
    if not isinstance(parsed, dict):
        raise _refused(
            step,
            "returned 200 without a token: expected a JSON object, got another body, perhaps a"
            " login page; check salesforce.login_url",
        )
    return parsed


def _token_and_origin(members: dict[str, Any], hosts: Hosts, step: str) -> tuple[str, str]:
    value = members.get("access_token")
    if not isinstance(value, str) or not value:
        raise _refused(step, "returned no usable access_token; expected text")
    # The token goes into a header: a line break in it would add another header.
    if not _TOKEN.fullmatch(value):
        raise _refused(step, "returned an access_token with characters that a token cannot have")
    kind = members.get("token_type", "Bearer")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise _refused(step, "returned another token_type than Bearer")
    origin = members.get("instance_url")
    if not isinstance(origin, str) or not origin.strip():
        raise _refused(step, "returned no instance_url")
    try:
        return value, hosts.tenant_origin(origin)
    except ValueError as fault:
        detail = f"returned an instance_url that is not allowed: {fault}"
        raise _refused(step, detail) from None


def _user(identity: object) -> str:
    """Return the user id at the end of an identity URL, or nothing."""
    found = _IDENTITY.search(identity) if isinstance(identity, str) else None
    return found[1] if found is not None else ""


def _lifetime_s(value: object) -> float:
    """Return the lifetime in seconds, or the assumed one when the answer has no usable value."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:9])
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        return ASSUMED_LIFETIME_S
    return min(max(float(value), SHORTEST_LIFETIME_S), LONGEST_LIFETIME_S)


def _refused(step: str, detail: str) -> Hold:
    return Hold(HoldReason.AUTH, f"{step} {detail}")
