"""Tells a refused login or missing permission from other answers in the start-up checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consumer.delivery.judge import CHECK_ACCESS, detail_of
from consumer.errors import Hold, HoldReason, Transient
from consumer.http.messages import NoAnswer

if TYPE_CHECKING:
    from consumer.auth.port import Token, Tokens
    from consumer.http.messages import Answer, HttpOutcome

_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403


def require_access(outcome: HttpOutcome, token: Token, tokens: Tokens) -> Answer:
    """Return the answer, unless it is missing or refuses the caller.

    Raises: `Transient` when the answer is missing or the token was refused (it is discarded then);
    `Hold(AUTH)` when access is forbidden.
    """
    if isinstance(outcome, NoAnswer):
        raise Transient(outcome.detail)
    if outcome.status == _UNAUTHORIZED:
        tokens.refused(token)
        raise Transient(detail_of(outcome))
    if outcome.status == _FORBIDDEN:
        raise Hold(
            HoldReason.AUTH,
            f"{detail_of(outcome)}; {CHECK_ACCESS}",
        )
    return outcome
