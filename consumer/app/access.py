"""Whether tenant and CRM let us in.

The first that is read of an answer to a question of ours before the start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consumer.delivery.judge import detail_of
from consumer.errors import Hold, HoldReason, Transient
from consumer.http.messages import NoAnswer

if TYPE_CHECKING:
    from consumer.auth.port import Token, Tokens
    from consumer.http.messages import Answer, HttpOutcome

_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403


def require_access(outcome: HttpOutcome, token: Token, tokens: Tokens) -> Answer:
    """Return the answer, when there is one and it is not about who asks.

    Raises: `Transient` for none, or for a token that was refused and is forgotten; `Hold(AUTH)`.
    """
    if isinstance(outcome, NoAnswer):
        raise Transient(outcome.detail)
    if outcome.status == _UNAUTHORIZED:
        tokens.refused(token)
        raise Transient(detail_of(outcome))
    if outcome.status == _FORBIDDEN:
        raise Hold(
            HoldReason.AUTH,
            f"{detail_of(outcome)}; check the app's scopes and the user's permissions",
        )
    return outcome
