"""One token for all senders: one flow at a time, renewed early, held when refused."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from consumer.auth.exchange import core_flow, token_flow
from consumer.auth.port import Token
from consumer.auth.provider import TokenProvider
from consumer.auth.secret_files import SecretFiles
from consumer.auth.settings import Secret
from consumer.errors import Hold, HoldReason, Transient
from consumer.http.messages import Answer, Failure, NoAnswer
from tests.unit.auth.conftest import core_answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from consumer.auth.port import Tokens
    from consumer.auth.settings import SalesforceSettings
    from tests.unit.auth.conftest import ScriptedTransport, StillClock

REFUSED = Answer(400, (), b'{"error":"invalid_grant","error_description":"audience is invalid"}')
LOST = NoAnswer(Failure.CONNECTION, "connection lost", written=True)


class Counted:
    """Keeps the results of refreshes."""

    def __init__(self) -> None:
        self.results: list[str] = []
        self.moves: list[tuple[str, str]] = []

    def token_refresh(self, result: str) -> None:
        """Note one."""
        self.results.append(result)

    def tenant_moved(self, old_host: str, new_host: str) -> None:
        """Note a move."""
        self.moves.append((old_host, new_host))


@pytest.fixture
def counted() -> Counted:
    return Counted()


@pytest.fixture
async def provider(
    settings: SalesforceSettings, transport: ScriptedTransport, clock: StillClock, counted: Counted
) -> AsyncIterator[TokenProvider]:
    made = TokenProvider(settings, transport, clock, jitter=lambda: 0.0, observer=counted)
    yield made
    await made.close()


async def settled() -> None:
    """Let background tasks run."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_is_the_port(provider: TokenProvider) -> None:
    """The provider implements the port."""
    tokens: Tokens = provider
    assert "https://t.c360a.salesforce.com" == (await tokens.current()).base_url


async def test_a_good_token_is_used_again(
    provider: TokenProvider, transport: ScriptedTransport
) -> None:
    """Two calls cost one auth flow."""
    assert await provider.current() is await provider.current()
    assert 2 == len(transport.requests)


async def test_fifty_senders_cost_one_auth_flow_k23(
    provider: TokenProvider, transport: ScriptedTransport
) -> None:
    """One sender starts the flow and all get its token."""
    tokens = await asyncio.gather(*[provider.current() for _ in range(50)])
    assert {1} == {token.serial for token in tokens}
    assert 2 == len(transport.requests)


async def test_fifty_senders_get_one_refusal_k23(
    provider: TokenProvider, transport: ScriptedTransport
) -> None:
    """Every waiting sender gets the refusal of the one flow."""
    transport.script = [REFUSED]
    faults = await asyncio.gather(*[provider.current() for _ in range(50)], return_exceptions=True)
    assert all(isinstance(fault, Hold) for fault in faults)
    assert 1 == len(transport.requests)


async def test_a_cancelled_sender_does_not_cancel_the_flow(
    provider: TokenProvider, transport: ScriptedTransport
) -> None:
    """The other waiters still get the token."""
    transport.gate = asyncio.Event()
    first, second = (asyncio.ensure_future(provider.current()) for _ in range(2))
    await settled()
    first.cancel()
    transport.gate.set()
    assert 1 == (await second).serial
    assert first.cancelled()


async def test_early_renewal_keeps_no_sender_waiting(
    provider: TokenProvider, transport: ScriptedTransport, clock: StillClock
) -> None:
    """From 80 % of its lifetime a token is renewed while it is still used."""
    old = await provider.current()
    clock.at_s += 7_191 * 0.79
    await provider.current()
    await settled()
    assert 2 == len(transport.requests)
    clock.at_s += 7_191 * 0.02
    transport.gate = asyncio.Event()
    assert await provider.current() is old
    assert await provider.current() is old
    transport.gate.set()
    await settled()
    assert 2 == (await provider.current()).serial
    assert 4 == len(transport.requests)


async def test_an_expired_token_is_not_given_out(
    provider: TokenProvider, clock: StillClock
) -> None:
    """At the end of its lifetime senders wait for the next token."""
    await provider.current()
    clock.at_s += 7_191
    assert 2 == (await provider.current()).serial


async def test_a_failed_early_renewal_is_not_reported_to_senders(
    provider: TokenProvider, transport: ScriptedTransport, clock: StillClock
) -> None:
    """While the old token is valid, a failed login is only counted and not repeated at once."""
    old = await provider.current()
    clock.at_s += 7_000
    transport.script = [REFUSED]
    for _ in range(5):
        assert await provider.current() is old
        await settled()
    assert 3 == len(transport.requests)


async def test_expires_in_s(provider: TokenProvider, clock: StillClock) -> None:
    """The status page shows the remaining lifetime."""
    assert provider.expires_in_s() is None
    await provider.current()
    assert 7_191.0 == provider.expires_in_s()
    clock.at_s += 10_000
    assert 0.0 == provider.expires_in_s()


async def test_a_refusal_is_a_hold_with_its_code_k16(
    provider: TokenProvider, transport: ScriptedTransport
) -> None:
    """The OAuth code reaches the operator."""
    transport.script = [REFUSED]
    with pytest.raises(Hold, match=r"invalid_grant \(audience is invalid\)") as held:
        await provider.current()
    assert HoldReason.AUTH == held.value.reason


async def test_a_refusal_backs_off_k16(
    provider: TokenProvider, transport: ScriptedTransport, clock: StillClock
) -> None:
    """With a call every second for an hour, the login is tried after 30 s, doubling to 10 min."""
    transport.script = [REFUSED] * 100
    tried_s: list[float] = []
    for _ in range(3_600):
        before = len(transport.requests)
        with pytest.raises(Hold, match="invalid_grant"):
            await provider.current()
        if len(transport.requests) > before:
            tried_s.append(clock.at_s - 1_000)
        clock.at_s += 1
    gaps = [later - earlier for earlier, later in pairwise(tried_s)]
    assert [30, 60, 120, 240, 480, 600, 600, 600, 600] == gaps


@pytest.mark.parametrize("outcome", [LOST, Answer(503)])
async def test_a_transient_fault_is_transient(
    provider: TokenProvider,
    transport: ScriptedTransport,
    clock: StillClock,
    outcome: Answer | NoAnswer,
) -> None:
    """It says nothing about the credentials, and the next try is soon."""
    transport.script = [outcome]
    with pytest.raises(Transient) as fault:
        await provider.current()
    assert fault.value.after_s is not None
    assert 0 < fault.value.after_s <= 1
    with pytest.raises(Transient):
        await provider.current()
    assert 1 == len(transport.requests)
    clock.at_s += fault.value.after_s
    assert 1 == (await provider.current()).serial


async def test_transient_faults_back_off_to_half_a_minute(
    provider: TokenProvider, transport: ScriptedTransport, clock: StillClock
) -> None:
    """A login that is down for long is tried every 15 to 30 seconds."""
    transport.script = [LOST] * 20
    after_s = 0.0
    while transport.script:
        with pytest.raises(Transient) as fault:
            await provider.current()
        after_s = fault.value.after_s or 0.0
        clock.at_s += after_s
    assert 15.0 == after_s


async def test_a_pause_of_the_login_is_kept(
    provider: TokenProvider, transport: ScriptedTransport, clock: StillClock
) -> None:
    """No request is made before Retry-After has passed."""
    transport.script = [Answer(429, (("retry-after", "40"),))]
    with pytest.raises(Transient):
        await provider.current()
    clock.at_s += 39
    with pytest.raises(Transient):
        await provider.current()
    assert 1 == len(transport.requests)


async def test_a_pause_of_an_hour_is_kept_whole(
    provider: TokenProvider, transport: ScriptedTransport, clock: StillClock
) -> None:
    """It is not cut, and the status shows how much of it is left."""
    transport.script = [Answer(429, (("retry-after", "3600"),))]
    with pytest.raises(Transient, match="login returned 429 and asked for a pause of 3600 s"):
        await provider.current()
    assert 3_600.0 == provider.paused_s()
    clock.at_s += 3_599
    with pytest.raises(Transient):
        await provider.current()
    assert 1 == len(transport.requests)
    clock.at_s += 1
    assert 1 == (await provider.current()).serial
    assert 0.0 == provider.paused_s()


@pytest.mark.parametrize("status", [408, 425, 500, 507, 520, 530])
async def test_a_fault_of_a_server_says_nothing_about_the_credentials(
    provider: TokenProvider, transport: ScriptedTransport, status: int
) -> None:
    """I12: it is transient, whatever its number is."""
    transport.script = [Answer(status)]
    with pytest.raises(Transient):
        await provider.current()


async def test_an_unknown_host_keeps_its_hold_reason(
    provider: TokenProvider, transport: ScriptedTransport
) -> None:
    """A hold that the transport raises is passed on with its reason."""
    transport.script = [Hold(HoldReason.CONFIG, "x resolves to 10.0.0.1")]
    with pytest.raises(Hold) as held:
        await provider.current()
    assert HoldReason.CONFIG == held.value.reason


async def test_a_refused_token_is_replaced_once_j14(
    provider: TokenProvider, transport: ScriptedTransport
) -> None:
    """Many 401s for one token cost one auth flow."""
    old = await provider.current()
    assert [True] * 10 == [provider.refused(old) for _ in range(10)]
    tokens = await asyncio.gather(*[provider.current() for _ in range(10)])
    assert {2} == {token.serial for token in tokens}
    assert 4 == len(transport.requests)


async def test_a_late_401_does_not_cost_the_new_token(provider: TokenProvider) -> None:
    """A 401 for the old token says nothing about its replacement."""
    old = await provider.current()
    provider.refused(old)
    new = await provider.current()
    assert provider.refused(old)
    assert await provider.current() is new


async def test_five_refused_tokens_are_a_hold_k24(
    provider: TokenProvider, transport: ScriptedTransport, clock: StillClock
) -> None:
    """Each costs one auth flow; after five with none accepted the provider holds."""
    allowed = [provider.refused(await provider.current()) for _ in range(5)]
    assert [True, True, True, True, False] == allowed
    with pytest.raises(Hold, match="5 new tokens in a row were refused"):
        await provider.current()
    assert 10 == len(transport.requests)
    clock.at_s += 30
    assert not provider.refused(await provider.current())
    with pytest.raises(Hold, match="6 new tokens in a row"):
        await provider.current()
    clock.at_s += 59
    with pytest.raises(Hold):
        await provider.current()


async def test_an_accepted_token_ends_the_count_k24(provider: TokenProvider) -> None:
    """Ten revocations with successes between them are ten refreshes and no hold."""
    for _ in range(10):
        token = await provider.current()
        provider.accepted(token)
        assert provider.refused(token)


async def test_a_late_acceptance_of_an_old_token_proves_nothing(provider: TokenProvider) -> None:
    """An acceptance of an old token does not count for the tokens after it."""
    first = await provider.current()
    provider.refused(first)
    provider.accepted(first)
    for _ in range(3):
        assert provider.refused(await provider.current())
    assert not provider.refused(await provider.current())


async def test_a_held_provider_recovers_by_itself(
    provider: TokenProvider, clock: StillClock
) -> None:
    """An accepted token ends the hold."""
    for _ in range(5):
        provider.refused(await provider.current())
    clock.at_s += 30
    token = await provider.current()
    provider.accepted(token)
    assert provider.refused(token)


async def test_refreshes_are_counted(
    provider: TokenProvider, transport: ScriptedTransport, clock: StillClock, counted: Counted
) -> None:
    """Each auth flow has one of three results."""
    transport.script = [LOST]
    with pytest.raises(Transient):
        await provider.current()
    clock.at_s += 1
    transport.script = [REFUSED]
    with pytest.raises(Hold):
        await provider.current()
    clock.at_s += 60
    await provider.current()
    assert ["failed", "refused", "ok"] == counted.results


async def test_close_cancels_an_auth_flow(
    provider: TokenProvider, transport: ScriptedTransport
) -> None:
    """No task of the provider outlives it."""
    transport.gate = asyncio.Event()
    waiting = asyncio.ensure_future(provider.current())
    await settled()
    await provider.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting


def test_a_token_is_not_shown_i17() -> None:
    """`repr` shows the serial number, never the token."""
    assert "Token(#3)" == repr(Token("seCRet", "https://x.salesforce.com", 3))


async def test_a_core_token_is_one_request(
    settings: SalesforceSettings, transport: ScriptedTransport, clock: StillClock, counted: Counted
) -> None:
    """The CRM needs no exchange; a revocation costs one more request."""
    provider = TokenProvider(
        settings, transport, clock, jitter=lambda: 0.0, observer=counted, auth_flow=core_flow
    )
    token = await provider.current()
    assert ("core-token", "https://core.my.salesforce.com") == (token.value, token.base_url)
    assert provider.refused(token)
    assert [2, 2] == [(await one).serial for one in (provider.current(), provider.current())]
    assert ["/services/oauth2/token"] * 2 == [
        urlsplit(request.url).path for request in transport.requests
    ]
    await provider.close()


async def test_a_rotated_refresh_token_is_shared(
    settings: SalesforceSettings, transport: ScriptedTransport, clock: StillClock, counted: Counted
) -> None:
    """Two providers for the same user share the refresh token that the last login returned."""
    settings = msgspec.structs.replace(
        settings, flow="refresh_token", refresh_token=Secret(value="first")
    )
    secrets = SecretFiles(settings)
    transport.script.append(core_answer(refresh_token="second"))
    for auth_flow in (core_flow, token_flow):
        provider = TokenProvider(
            settings,
            transport,
            clock,
            jitter=lambda: 0.0,
            observer=counted,
            auth_flow=auth_flow,
            secrets=secrets,
        )
        await provider.current()
        await provider.close()
    sent = [
        parse_qs(request.body.decode()).get("refresh_token") for request in transport.requests[:2]
    ]
    assert [["first"], ["second"]] == sent
