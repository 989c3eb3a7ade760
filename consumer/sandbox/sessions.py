"""The tokens of the fake tenant: core tokens, exchanged once, and Data 360 tokens, which expire."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import msgspec
import orjson

if TYPE_CHECKING:
    from consumer.clock import Clock


class _Issued(msgspec.Struct):
    expires_at_s: float
    revoked: bool = False


def _segment(content: object) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(content)).rstrip(b"=").decode()


class Sessions:
    """Every issued token. Tokens are unique, and the same in every run."""

    def __init__(self, clock: Clock, *, tenant_id: str, lifetime_s: float) -> None:
        self._clock = clock
        self._tenant_id = tenant_id
        self.lifetime_s = lifetime_s
        self._core: set[str] = set()
        self._core_sessions: set[str] = set()
        self._tokens: dict[str, _Issued] = {}
        self._serial = 0

    def _fingerprint(self) -> str:
        self._serial += 1
        return hashlib.sha256(f"{self._tenant_id}:{self._serial}".encode()).hexdigest()

    def issue_core(self) -> str:
        """Return a new core token, with a `!` as in real ones."""
        token = f"00D5g0000000001EAA!AQ{self._fingerprint()[:44]}"
        self._core.add(token)
        self._core_sessions.add(token)
        return token

    def spend_core(self, token: str) -> bool:
        """Use up a core token; false when it is unknown or was exchanged before."""
        if token not in self._core:
            return False
        self._core.remove(token)
        return True

    def issue(self) -> str:
        """Return a new Data 360 token in the form of a JWT, valid for `lifetime_s`."""
        fingerprint = self._fingerprint()
        expiry = self._clock.wall_ms() // 1000 + int(self.lifetime_s)
        claims = {"audienceTenantId": self._tenant_id, "exp": expiry, "jti": fingerprint[:32]}
        token = f"{_segment({'alg': 'ES256', 'typ': 'JWT'})}.{_segment(claims)}.{fingerprint}"
        self._tokens[token] = _Issued(expires_at_s=self._clock.now_s() + self.lifetime_s)
        return token

    def refusal(self, authorization: str | None) -> str | None:
        """Return the error of this Authorization header, or `None` when it is valid."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return "Missing bearer token"
        issued = self._tokens.get(token)
        if issued is None:
            return "Invalid JWT"
        if issued.revoked:
            return "Invalid JWT (revoked)"
        if self._clock.now_s() >= issued.expires_at_s:
            return "Invalid JWT (not before or expired)"
        return None

    def is_core_session(self, authorization: str | None) -> bool:
        """Return whether this Authorization header is valid for the CRM: only core tokens are."""
        scheme, _, token = (authorization or "").partition(" ")
        return scheme.lower() == "bearer" and token in self._core_sessions

    def expire_all(self) -> None:
        """Expire every issued token."""
        self._core_sessions.clear()
        for issued in self._tokens.values():
            issued.expires_at_s = min(issued.expires_at_s, self._clock.now_s())

    def revoke_all(self) -> None:
        """Revoke every issued token."""
        self._core_sessions.clear()
        for issued in self._tokens.values():
            issued.revoked = True

    def revoke(self, token: str) -> None:
        """Revoke one token. As in the service, an unknown token does not fail."""
        issued = self._tokens.get(token)
        if issued is not None:
            issued.revoked = True
