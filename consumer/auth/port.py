"""The token provider as a port of the daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from consumer.http.messages import HttpOutcome


class Token(msgspec.Struct, frozen=True):
    """An access token and the origin that accepts it (`https://host`), tenant or CRM.

    Never shown.
    """

    value: str
    base_url: str
    serial: int
    """Rises by one with each token of this process, so that "this token was refused" is exact."""
    user: str = ""
    """Id of the logged-in user, for tokens of the CRM."""

    def __repr__(self) -> str:
        return f"Token(#{self.serial})"


class Tokens(Protocol):
    """The source of tokens for requests."""

    async def current(self) -> Token:
        """Return a valid token; wait for a refresh that is in progress.

        Raises: `Hold(AUTH)` for a refused login, `Transient` for transient faults. It may be called
        again at once: the provider does the backoff.
        """
        ...

    def refused(self, token: Token) -> bool:
        """Discard a token that the service answered with 401, unless a newer one is there already.

        Returns whether the caller may send again: False when new tokens keep being refused (hold
        AUTH).
        """
        ...

    def accepted(self, token: Token) -> None:
        """Note that the service accepted this token; earlier refusals no longer count."""
        ...

    async def has_moved(self, token: Token, outcome: HttpOutcome) -> bool:
        """Note the outcome of a request that was sent with this token.

        Outcomes that put the address in doubt lead to one new login. Returns whether the outcome is
        one of these and the current token names another address, to which the caller sends again.
        """
        ...

    def paused_s(self) -> float:
        """Return how long the login is not called, because it asked for a pause (Retry-After)."""
        ...
