"""Sends one request with a token, and says whether the tenant has another address by now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.errors import Hold
from consumer.http.messages import Failure, NoAnswer

if TYPE_CHECKING:
    from consumer.auth.port import Token, Tokens
    from consumer.http.client import Transport
    from consumer.http.messages import HttpOutcome, Request


async def send_with(
    transport: Transport, tokens: Tokens, token: Token, request: Request
) -> tuple[HttpOutcome, bool]:
    """Send a request that was built with this token.

    Returns: the outcome, and whether the request must be built again with the current token,
    because the outcome is bad and the tenant's address is another one by now.

    Raises: `Hold(CONFIG)` when the address may not be called: see `Transport.send`.
    """
    try:
        outcome = await transport.send(request)
    except Hold as hold:
        # The name of an address that was given up may lead anywhere.
        unsent = NoAnswer(Failure.CONNECTION, hold.detail, written=False)
        if await tokens.has_moved(token, unsent):
            return unsent, True
        raise
    return outcome, await tokens.has_moved(token, outcome)
