"""A token is used until its tenant's address is in doubt; then one login asks for the address."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from consumer.auth.caller import send_with
from consumer.auth.doubt import AddressDoubt
from consumer.auth.provider import TokenProvider
from consumer.errors import Hold, HoldReason
from consumer.http.messages import Answer, Failure, NoAnswer, Request
from tests.unit.auth.conftest import core_answer, tenant_answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from consumer.auth.settings import SalesforceSettings
    from consumer.http.messages import HttpOutcome
    from tests.unit.auth.conftest import ScriptedTransport, StillClock

OLD, NEW = "https://t.c360a.salesforce.com", "https://new.c360a.salesforce.com"
REFUSED = Answer(400, (), b'{"error":"invalid_grant"}')
LOST = NoAnswer(Failure.CONNECTION, "connection refused", written=False)
LATE = NoAnswer(Failure.TIMEOUT, "no answer", written=True, elapsed_s=20.0)
PAGE = (("content-type", "text/html; charset=utf-8"),)
DENIALS = [Answer(status) for status in (301, 302, 303, 307, 308, 404, 410, 421)]
FAULTS: list[HttpOutcome] = [
    LOST,
    NoAnswer(Failure.MALFORMED, "not HTTP", written=True),
    *[Answer(status) for status in (500, 502, 503, 504, 521, 530)],
    Answer(200, PAGE, b"<html>parked</html>"),
    Answer(403, PAGE, b"<html>no such site</html>"),
]
ANSWERS = [Answer(status) for status in (400, 401, 403, 409, 413, 422, 429)]


class Moves:
    """Keeps the moves that the provider reports."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def token_refresh(self, result: str) -> None:
        """Ignore the result."""

    def tenant_moved(self, old_host: str, new_host: str) -> None:
        """Note a move."""
        self.seen.append((old_host, new_host))


@pytest.fixture
def moves() -> Moves:
    return Moves()


@pytest.fixture
async def provider(
    settings: SalesforceSettings, transport: ScriptedTransport, clock: StillClock, moves: Moves
) -> AsyncIterator[TokenProvider]:
    made = TokenProvider(settings, transport, clock, jitter=lambda: 0.0, observer=moves)
    yield made
    await made.close()


def moved_to_new(transport: ScriptedTransport) -> None:
    """Let the next login name the new address."""
    transport.script = [core_answer(), tenant_answer(instance_url=NEW, access_token="next")]


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.parametrize("answer", DENIALS, ids=lambda answer: str(answer.status))
async def test_a_denial_asks_at_once_and_names_the_new_address(
    provider: TokenProvider, transport: ScriptedTransport, moves: Moves, answer: Answer
) -> None:
    """The sender waits for the one login, then sends to the new address."""
    old = await provider.current()
    moved_to_new(transport)
    assert await provider.has_moved(old, answer)
    assert NEW == (await provider.current()).base_url
    assert [("t.c360a.salesforce.com", "new.c360a.salesforce.com")] == moves.seen
    assert [OLD] == transport.left


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_three_faults_in_a_row_over_five_seconds_ask(
    provider: TokenProvider, transport: ScriptedTransport, clock: StillClock, fault: HttpOutcome
) -> None:
    """The sender of the third sends to the new address."""
    old = await provider.current()
    moved_to_new(transport)
    for _ in range(2):
        assert not await provider.has_moved(old, fault)
    clock.at_s += 5.0
    assert await provider.has_moved(old, fault)
    assert NEW == (await provider.current()).base_url


async def test_faults_at_one_moment_do_not_ask(
    provider: TokenProvider, transport: ScriptedTransport
) -> None:
    """Thirty requests that were in flight together fail together."""
    old = await provider.current()
    for _ in range(30):
        assert not await provider.has_moved(old, LOST)
    await settled()
    assert 2 == len(transport.requests)


async def test_time_outs_at_one_moment_ask(
    provider: TokenProvider, transport: ScriptedTransport
) -> None:
    """Requests that had no answer for twenty seconds are a row of that length."""
    old = await provider.current()
    for _ in range(3):
        await provider.has_moved(old, LATE)
    await settled()
    assert 4 == len(transport.requests)


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: str(answer.status))
async def test_answers_of_the_service_end_a_row_of_faults(
    provider: TokenProvider, transport: ScriptedTransport, clock: StillClock, answer: Answer
) -> None:
    """A tenant that rejects rows is at its address."""
    old = await provider.current()
    for _ in range(10):
        for _ in range(2):
            await provider.has_moved(old, LOST)
            clock.at_s += 10.0
        assert not await provider.has_moved(old, answer)
    await settled()
    assert 2 == len(transport.requests)


async def test_an_acceptance_ends_a_row_of_faults(
    provider: TokenProvider, transport: ScriptedTransport, clock: StillClock
) -> None:
    """A tenant that fails now and then is at its address."""
    old = await provider.current()
    for _ in range(10):
        for _ in range(2):
            await provider.has_moved(old, Answer(503))
            clock.at_s += 10.0
        await provider.has_moved(old, Answer(202))
        provider.accepted(old)
    await settled()
    assert 2 == len(transport.requests)


async def test_thirty_denials_cost_one_login(
    provider: TokenProvider, transport: ScriptedTransport
) -> None:
    """Every sender waits for the same login, and all of them send to the new address."""
    old = await provider.current()
    moved_to_new(transport)
    assert all(await asyncio.gather(*[provider.has_moved(old, Answer(404)) for _ in range(30)]))
    assert 4 == len(transport.requests)


async def test_the_same_address_changes_nothing_and_backs_off(
    provider: TokenProvider, transport: ScriptedTransport, clock: StillClock, moves: Moves
) -> None:
    """With a denial every second for five minutes: 5, 10, 20, then every 30 s."""
    token = await provider.current()
    logins_s: list[float] = []
    for second in range(300):
        before = len(transport.requests)
        assert not await provider.has_moved(token, Answer(404))
        if len(transport.requests) > before:
            logins_s.append(second)
        clock.at_s += 1.0
    assert [0, 5, 15, 35, 65, 95, 125, 155, 185, 215, 245, 275] == logins_s
    assert ([], []) == (moves.seen, transport.left)


async def test_one_missing_object_beside_good_ones_asks_once(
    provider: TokenProvider, transport: ScriptedTransport, clock: StillClock
) -> None:
    """Its 404s say nothing about an address where other rows are accepted."""
    token = await provider.current()
    for _ in range(100):
        await provider.has_moved(token, Answer(404))
        provider.accepted(token)
        clock.at_s += 30.0
    assert 4 == len(transport.requests)
    # The tenant moves now: the second denial without an acceptance finds it.
    moved_to_new(transport)
    assert [False, True] == [await provider.has_moved(token, Answer(404)) for _ in range(2)]


async def test_the_old_token_is_used_while_the_login_is_refused(
    provider: TokenProvider, transport: ScriptedTransport, clock: StillClock
) -> None:
    """A login that is down must not stop a tenant that answers again."""
    old = await provider.current()
    transport.script = [REFUSED]
    assert not await provider.has_moved(old, Answer(404))
    assert await provider.current() is old
    clock.at_s += 10.0
    assert not await provider.has_moved(old, Answer(404))
    assert 3 == len(transport.requests)


async def test_a_late_answer_of_the_old_address_is_sent_again(
    provider: TokenProvider, transport: ScriptedTransport
) -> None:
    """It costs no login, and a late acceptance stands."""
    old = await provider.current()
    moved_to_new(transport)
    await provider.has_moved(old, Answer(410))
    for outcome in (LATE, Answer(503), Answer(404)):
        assert await provider.has_moved(old, outcome)
    assert not await provider.has_moved(old, Answer(202))
    provider.accepted(old)
    assert 4 == len(transport.requests)


async def test_an_address_outside_the_allowed_domains_is_not_used(
    provider: TokenProvider, transport: ScriptedTransport
) -> None:
    """I18: a new address is judged as the first one was."""
    old = await provider.current()
    transport.script = [core_answer(), tenant_answer(instance_url="https://evil.test")]
    assert not await provider.has_moved(old, Answer(301))
    assert await provider.current() is old


async def test_a_name_that_leads_elsewhere_is_a_fault(
    provider: TokenProvider, transport: ScriptedTransport, clock: StillClock
) -> None:
    """The name of the old address resolves to a private address: nothing is sent, and it counts."""
    old = await provider.current()
    request = Request("POST", f"{OLD}/api")
    elsewhere = Hold(HoldReason.CONFIG, "resolves to 10.0.0.1")
    for _ in range(2):
        transport.script = [elsewhere]
        with pytest.raises(Hold, match="resolves to"):
            await send_with(transport, provider, old, request)
        clock.at_s += 3.0
    moved_to_new(transport)
    transport.script.insert(0, elsewhere)
    assert (await send_with(transport, provider, old, request))[1]


def test_after_a_calm_minute_the_steps_are_short_again() -> None:
    """A second move within a day is found as fast as the first."""
    doubt = AddressDoubt()
    for now_s in (0.0, 5.0, 15.0, 35.0):
        assert doubt.answered(Answer(404), now_s)
        doubt.login_begun(now_s)
    assert not doubt.answered(Answer(404), 64.0)
    assert doubt.answered(Answer(404), 1_000.0)
    doubt.login_begun(1_000.0)
    assert doubt.answered(Answer(404), 1_005.0)
