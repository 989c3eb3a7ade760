"""Builds the signed assertion that the JWT bearer flow sends instead of a password."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import jwt

from consumer.errors import Hold, HoldReason

if TYPE_CHECKING:
    from consumer.auth.settings import SalesforceSettings

LIFETIME_S: Final = 180
"""The service refuses a longer lifetime; a shorter one would fail on machines whose clock is
behind."""


def assertion(settings: SalesforceSettings, private_key: str, wall_ms: int) -> str:
    """Return an RS256 assertion that is valid for three minutes from now.

    Shape: `iss` consumer key, `sub` user, `aud` login origin, `exp` in seconds.
    Raises: `Hold(AUTH)` when the key is not an RSA private key in PEM; the message does not repeat
    it.
    Source: OAuth 2.0 JWT bearer flow, RFC 7523 section 3.
    """
    claims = {
        "iss": settings.client_id,
        "sub": settings.username,
        "aud": settings.audience,
        "exp": wall_ms // 1000 + LIFETIME_S,
    }
    try:
        return jwt.encode(claims, private_key, algorithm="RS256")
    except (jwt.PyJWTError, ValueError, TypeError) as fault:
        # Raised without its cause: messages of the parser may quote the key.
        detail = (
            "expected an unencrypted RSA private key in PEM form, got something else"
            f" ({type(fault).__name__}); check salesforce.private_key_file"
        )
        raise Hold(HoldReason.AUTH, detail) from None
