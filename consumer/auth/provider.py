"""Provides the access token: one auth flow at a time, early renewal, backoff after a refusal."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias
from urllib.parse import urlsplit

from consumer.auth.doubt import AddressDoubt, denies_tenant, is_fault
from consumer.auth.exchange import token_flow
from consumer.auth.port import Token
from consumer.auth.secret_files import SecretFiles
from consumer.auth.token import TokenGrant, refresh_after_s
from consumer.backoff import jittered_pause_s
from consumer.errors import Hold, HoldReason, Transient
from consumer.http.messages import NoAnswer

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.auth.exchange import AuthFlow, Secrets
    from consumer.auth.settings import SalesforceSettings
    from consumer.clock import Clock
    from consumer.http.client import Transport
    from consumer.http.messages import HttpOutcome

_RefreshFailure: TypeAlias = Hold | Transient

REFUSALS_IN_A_ROW: Final = 5
"""How many new tokens may be refused one after another, with none accepted, before it is a hold."""

_SHORTEST_REFUSAL_S: Final = 30.0
_LONGEST_REFUSAL_S: Final = 600.0
_SHORTEST_FAULT_S: Final = 1.0
_LONGEST_FAULT_S: Final = 30.0
_DOUBLINGS: Final = 10
_LOGIN_WAIT_S: Final = 5.0
"""How long a sender waits for the login that asks whether its tenant has moved."""


class RefreshObserver(Protocol):
    """Receives the results of auth flows for metrics."""

    def token_refresh(self, result: Literal["ok", "refused", "failed"]) -> None:
        """Report that an auth flow has ended."""
        ...

    def tenant_moved(self, old_host: str, new_host: str) -> None:
        """Report that a new token names another host than the one before it."""
        ...


class TokenProvider:
    """Runs one auth flow at a time; every sender without a valid token waits for it.

    A token past four fifths of its lifetime is renewed in the background while senders use it.
    After a refusal the next login is made after 30 s, rising to 10 min, or as soon as a secret file
    changes; until then callers get the same error at once. A token whose address is in doubt is
    used on until another login has named the address: see `AddressDoubt`.
    """

    def __init__(
        self,
        settings: SalesforceSettings,
        transport: Transport,
        clock: Clock,
        *,
        jitter: Callable[[], float],
        observer: RefreshObserver,
        auth_flow: Callable[[SalesforceSettings, Secrets, int], AuthFlow] = token_flow,
        secrets: SecretFiles | None = None,
    ) -> None:
        """`auth_flow` decides which kind of token is made.

        `secrets` is shared by providers that log in as the same user.
        """
        self._settings = settings
        self._transport = transport
        self._clock = clock
        self._jitter = jitter
        self._observer = observer
        self._token_flow = auth_flow
        self._secrets = secrets or SecretFiles(settings)
        self._token: Token | None = None
        self._serial = 0
        self._refresh_at_s = 0.0
        self._expires_at_s = 0.0
        self._running_flow: asyncio.Task[Token | _RefreshFailure] | None = None
        self._fault: _RefreshFailure | None = None
        self._fault_signature = self._secrets.signature()
        self._faults_in_a_row = 0
        self._next_refresh_s = 0.0
        self._paused_until_s = 0.0
        self._refused_serial = 0
        self._refusals_in_a_row = 0
        self._address = ""
        self._doubt = AddressDoubt()

    async def current(self) -> Token:
        """Return a valid token: see `Tokens.current`."""
        now_s = self._clock.now_s()
        token = self._token
        if token is not None and now_s < self._expires_at_s:
            # Past 80 % of its lifetime: renew it in the background, use it meanwhile.
            if now_s >= self._refresh_at_s and self._may_refresh(now_s):
                self._refresh()
            return token
        if not self._may_refresh(now_s):
            raise self._current_fault(now_s)
        # Shielded: a cancelled sender must not cancel the flow that others wait for.
        made = await asyncio.shield(self._refresh())
        if isinstance(made, Token):
            return made
        raise self._current_fault(self._clock.now_s())

    def refused(self, token: Token) -> bool:
        """Discard a refused token: see `Tokens.refused`."""
        # Lanes share a token: only the first refusal of the newest one counts.
        if token.serial > self._refused_serial and token.serial == self._serial:
            self._refused_serial = token.serial
            self._refusals_in_a_row += 1
            self._token = None
            if self._refusals_in_a_row >= REFUSALS_IN_A_ROW:
                detail = (
                    f"{self._refusals_in_a_row} new tokens in a row were refused with 401; check"
                    " the scopes of the connected app and the permissions of the user"
                )
                self._back_off(
                    Hold(HoldReason.AUTH, detail), self._refusals_in_a_row - REFUSALS_IN_A_ROW
                )
        return self._refusals_in_a_row < REFUSALS_IN_A_ROW

    def accepted(self, token: Token) -> None:
        """Note that a token was accepted: see `Tokens.accepted`."""
        # A late acceptance of an older token says nothing about the refused one.
        if self._refusals_in_a_row and token.serial > self._refused_serial:
            self._refusals_in_a_row = 0
        if token.base_url == self._address:
            self._doubt.accepted()

    async def has_moved(self, token: Token, outcome: HttpOutcome) -> bool:
        """Note an outcome, and log in again for an address in doubt: see `Tokens.has_moved`."""
        is_doubtful = denies_tenant(outcome) or is_fault(outcome)
        now_s = self._clock.now_s()
        # A late answer of an earlier address says nothing about the present one.
        if token.base_url == self._address:
            if self._doubt.answered(outcome, now_s) and self._may_refresh(now_s):
                self._doubt.login_begun(now_s)
                self._refresh()
            # Not for longer: the whole network may be down, and the login with it.
            if is_doubtful and self._running_flow is not None:
                await asyncio.wait([self._running_flow], timeout=_LOGIN_WAIT_S)
        return is_doubtful and token.base_url != self._address

    def paused_s(self) -> float:
        """Return how long the login is not called: see `Tokens.paused_s`."""
        return max(0.0, self._paused_until_s - self._clock.now_s())

    def expires_in_s(self) -> float | None:
        """Return for how long the present token is valid, `None` when there is none."""
        if self._token is None:
            return None
        return max(0.0, self._expires_at_s - self._clock.now_s())

    async def close(self) -> None:
        """Cancel the auth flow in progress."""
        if self._running_flow is not None:
            self._running_flow.cancel()
            await asyncio.wait([self._running_flow])

    def _refresh(self) -> asyncio.Task[Token | _RefreshFailure]:
        """Return the auth flow in progress; begin one if there is none."""
        if self._running_flow is None or self._running_flow.done():
            self._running_flow = asyncio.create_task(self._run_flow())
        return self._running_flow

    def _may_refresh(self, now_s: float) -> bool:
        # During the backoff only a replaced secret file is a reason to try again, and not where the
        # service asked for the pause.
        if self._fault is None or now_s >= self._next_refresh_s:
            return True
        return now_s >= self._paused_until_s and self._fault_signature != self._secrets.signature()

    async def _run_flow(self) -> Token | _RefreshFailure:
        """Run an auth flow. A failure is returned, not raised: the task may have no waiter left."""
        begun_s = self._clock.now_s()
        try:
            grant = await self._auth_flow()
        except Hold as fault:
            self._observer.token_refresh("refused")
            return self._back_off(fault, self._faults_in_a_row)
        except Transient as fault:
            self._observer.token_refresh("failed")
            return self._back_off(fault, self._faults_in_a_row)
        self._observer.token_refresh("ok")
        self._serial += 1
        self._token = Token(grant.value, grant.base_url, self._serial, grant.user)
        self._use_address(grant.base_url)
        # Counted from before the flow: the service may have issued the token at any time since.
        self._refresh_at_s = begun_s + refresh_after_s(grant.lifetime_s)
        self._expires_at_s = begun_s + grant.lifetime_s
        self._fault = None
        self._faults_in_a_row = 0
        return self._token

    def _use_address(self, address: str) -> None:
        """Note the address of the newest token, and leave the earlier one when it is another."""
        earlier, self._address = self._address, address
        if earlier in {"", address}:
            return
        self._doubt = AddressDoubt()
        self._transport.leave(earlier)
        self._observer.tenant_moved(
            urlsplit(earlier).hostname or earlier, urlsplit(address).hostname or address
        )

    async def _auth_flow(self) -> TokenGrant:
        secrets = self._secrets.read()
        auth_flow = self._token_flow(self._settings, secrets, self._clock.wall_ms())
        try:
            return await self._drive(auth_flow)
        finally:
            # Also when a later step failed: the refresh token that was used is void.
            self._secrets.remember(secrets.refresh_token)

    async def _drive(self, auth_flow: AuthFlow) -> TokenGrant:
        request = next(auth_flow)
        while True:
            outcome = await self._transport.send(request)
            if isinstance(outcome, NoAnswer):
                detail = f"no token from {urlsplit(request.url).hostname}: {outcome.detail}"
                raise Transient(detail)
            try:
                request = auth_flow.send(outcome)
            except StopIteration as end:
                grant: TokenGrant = end.value
                return grant

    def _back_off(self, fault: _RefreshFailure, earlier: int) -> _RefreshFailure:
        """Note a fault and when to try again; a Retry-After of the service is a minimum."""
        # A refusal waits for an operator; a transient fault waits for the service.
        doubled = 2.0 ** min(earlier, _DOUBLINGS)
        if isinstance(fault, Hold):
            wait_s = min(
                _LONGEST_REFUSAL_S, _SHORTEST_REFUSAL_S * doubled * (1.0 + 0.1 * self._jitter())
            )
        else:
            longest_s = min(_LONGEST_FAULT_S, _SHORTEST_FAULT_S * doubled)
            asked_s = jittered_pause_s(fault.after_s or 0.0, self._jitter())
            wait_s = max(longest_s * (1.0 + self._jitter()) / 2, asked_s)
            self._paused_until_s = max(self._paused_until_s, self._clock.now_s() + asked_s)
        self._fault = fault
        self._faults_in_a_row += 1
        self._fault_signature = self._secrets.signature()
        self._next_refresh_s = self._clock.now_s() + wait_s
        return fault

    def _current_fault(self, now_s: float) -> _RefreshFailure:
        """Return the current fault as a new exception, so that each caller raises its own."""
        if isinstance(self._fault, Hold):
            return Hold(self._fault.reason, self._fault.detail)
        detail = (
            self._fault.detail
            if self._fault is not None
            else "the token was replaced while this request waited for it"
        )
        return Transient(detail, after_s=max(0.0, self._next_refresh_s - now_s))
