"""The signed assertion that stands for the password in the JWT bearer flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import jwt

from consumer.errors import Hold, HoldReason

if TYPE_CHECKING:
    from consumer.auth.settings import SalesforceSettings

LIFETIME_S: Final = 180
"""Longer is refused by the service; shorter refuses machines whose clock is a little behind."""


def assertion(settings: SalesforceSettings, private_key: str, wall_ms: int) -> str:
    """Return an RS256 assertion that is good from now on for three minutes.

    Shape: `iss` consumer key, `sub` user, `aud` login origin, `exp` in seconds.
    Raises: `Hold(AUTH)` when the key is no RSA private key in PEM; the key is not repeated.
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
        # Without its cause: the parsers' messages may quote what they read.
        detail = f"private key is not an unencrypted RSA key in PEM form ({type(fault).__name__})"
        raise Hold(HoldReason.AUTH, detail) from None
