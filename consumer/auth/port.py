"""The token provider as a port."""

from __future__ import annotations

from typing import Protocol

import msgspec


class Token(msgspec.Struct, frozen=True):
    """A token and the origin that takes it (`https://host`, no trailing slash): tenant or CRM.

    Never shown.
    """

    value: str
    base_url: str
    serial: int
    """Rises by one with each token of this process, so that 'this one was refused' is exact."""
    user: str = ""
    """Id of the user that is logged in, of tokens for the CRM."""

    def __repr__(self) -> str:
        return f"Token(#{self.serial})"


class Tokens(Protocol):
    """Where lanes get their token."""

    async def current(self) -> Token:
        """Return a token that is believed good; waits for the one refresh under way, if any.

        Raises `Hold(AUTH)` for a refused grant and `Transient` for the moment's faults; asking
        again is always allowed, the provider does its own backing off.
        """
        ...

    def refused(self, token: Token) -> bool:
        """The service answered 401 to this token: forget it, unless a newer one is there already.

        Returns whether the caller may send again: false when tokens keep being refused fresh (hold
        AUTH).
        """
        ...

    def accepted(self, token: Token) -> None:
        """The service took this token: earlier refusals are forgotten."""
        ...
