"""Revoked tokens, exchanges that are down, rotated keys and wrong clocks, on virtual time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from consumer.auth.settings import Secret
from consumer.delivery.settings import DeliverySettings
from consumer.errors import HoldReason
from consumer.sandbox.login import LoginCredentials
from consumer.sandbox.virtual_time import VirtualLoop
from consumer.sandbox.wire import Endpoint
from tests.simulation.scenarios import scenario
from tests.simulation.trouble import PARTITIONS, begin, fill
from tests.simulation.world import ORIGIN, World, settings

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.config.settings import Settings


@scenario
async def test_a_revocation_every_5_s_costs_one_token_each() -> None:
    """J14, K23: for ten minutes, with many open requests: nothing is lost, no hold stays."""
    world = World(settings(delivery=DeliverySettings(batch_bytes=2_000)))
    member = await begin(world, "")
    revoked = 0
    for second in range(600):
        for key in range(100):
            world.change(second * 100 + key, "c", partition=key % PARTITIONS, email="a@x.io")
        if second % 5 == 4:
            world.faults("ingest nth=1 revoke-tokens")
            revoked += 1
        await asyncio.sleep(1)
    await world.until(member.settled)
    assert 1 + revoked == world.tenant.requests.totals[Endpoint.EXCHANGE, 200]
    assert 60_000 == len(world.tenant.rows("customers"))
    assert [] == world.dead_letter_reasons()
    assert not member.status().holds
    await member.stop()


@pytest.mark.parametrize(
    "fault", ["status=503", "reset", "html", "status=400", "delay=10m", "gzip", "endless"]
)
@scenario
async def test_an_exchange_that_is_down_for_ten_minutes_is_outlasted(fault: str) -> None:
    """K21, K22, I12: without a token it is tried twice a minute at most; nothing is lost."""
    world = World()
    fill(world, 2_000)
    member = await begin(world, f"upsert nth=1 revoke-tokens; exchange {fault}")
    before = len([line for line in world.tenant.requests if line.endpoint is Endpoint.EXCHANGE])
    await asyncio.sleep(600)
    exchanges = (
        len([line for line in world.tenant.requests if line.endpoint is Endpoint.EXCHANGE]) - before
    )
    assert 2 <= exchanges <= 40
    assert {} == world.tenant.rows("customers")
    world.faults("")
    await world.until(member.settled, within_s=700)
    assert 2_000 == len(world.tenant.rows("customers"))
    assert [] == world.dead_letter_reasons()
    await member.stop()


@scenario
async def test_all_batches_go_once_there_is_a_token_again() -> None:
    """I14: a batch that was not sent is not a retry, so it does not wait for the retry budget."""
    world = World(settings(delivery=DeliverySettings(batch_bytes=1_000)))
    fill(world, 3_000)
    member = await begin(world, "")
    await world.until(member.settled)
    await asyncio.sleep(70)
    world.faults("exchange status=503")
    world.tenant._sessions.revoke_all()
    fill(world, 3_000)
    await asyncio.sleep(5)
    assert member.status().in_flight >= 24
    world.faults("")
    await world.until(member.settled, within_s=12)
    await member.stop()


def key_pair() -> tuple[str, bytes]:
    """Return a private key as in the file, and the public key that the service has."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public


def jwt_settings(key_file: Path) -> Settings:
    """Return settings that log in with a signed assertion."""
    salesforce = msgspec.structs.replace(
        settings().salesforce,
        flow="jwt_bearer",
        client_secret=None,
        username="integration@example.com",
        private_key=Secret(path=key_file),
        audience=ORIGIN,
    )
    return msgspec.structs.replace(settings(), salesforce=salesforce)


def test_a_private_key_is_rotated_under_load(tmp_path: Path) -> None:
    """K16: the old key is refused with a hold; the new file ends it without a restart."""
    (old, old_public), (new, new_public) = key_pair(), key_pair()
    key_file = tmp_path / "key.pem"
    key_file.write_text(old)

    async def steps() -> None:
        world = World(jwt_settings(key_file))
        world.tenant._login._credentials = LoginCredentials(public_key=old_public)
        fill(world, 20_000)
        member = await begin(world, "")
        await world.until(lambda: member.status().ledger.accepted > 1_000)
        world.tenant._login._credentials = LoginCredentials(public_key=new_public)
        world.tenant._sessions.revoke_all()
        await world.until(
            lambda: {HoldReason.AUTH} == {hold.reason for hold in member.status().holds}
        )
        assert "invalid_grant" in next(hold.detail for hold in member.status().holds)
        await asyncio.sleep(120)
        assert not member.settled()
        key_file.write_text(new + "\n")
        await world.until(lambda: not member.status().holds, within_s=31)
        await world.until(member.settled, within_s=60)
        assert 20_000 == len(world.tenant.rows("customers"))
        assert [] == world.dead_letter_reasons()
        await member.stop()

    VirtualLoop.run(steps())


@pytest.mark.parametrize(("skew", "side"), [("10m", "behind"), ("-3h", "ahead of")])
def test_a_clock_that_is_off_is_named(skew: str, side: str, tmp_path: Path) -> None:
    """K18: the service only rejects the assertion; the hold says whose clock is off and how far."""
    private, public = key_pair()
    key_file = tmp_path / "key.pem"
    key_file.write_text(private)

    async def steps() -> None:
        world = World(jwt_settings(key_file))
        world.tenant._login._credentials = LoginCredentials(public_key=public)
        fill(world, 100)
        member = await begin(world, f"any skew={skew}; upsert nth=1 revoke-tokens")
        world.tenant._sessions.revoke_all()
        await world.until(lambda: bool(member.status().holds))
        hold = member.status().holds[0]
        assert HoldReason.AUTH is hold.reason
        assert f"s {side} the service's" in hold.detail
        world.faults("")
        await world.until(member.settled, within_s=120)
        assert [] == world.dead_letter_reasons()
        await member.stop()

    VirtualLoop.run(steps())


@pytest.mark.holds("I14")
@pytest.mark.parametrize("endpoint", ["token", "exchange"])
@pytest.mark.parametrize("status", [429, 503])
@scenario
async def test_a_pause_of_the_login_is_kept_and_named(endpoint: str, status: int) -> None:
    """Nothing is asked before Retry-After; the hold is RATE; then all rows arrive."""
    world = World()
    fill(world, 2_000)
    member = await begin(
        world, f"upsert nth=1 revoke-tokens; {endpoint} nth=1 status={status} retry-after=400"
    )
    await world.until(lambda: {HoldReason.RATE} == {hold.reason for hold in member.status().holds})
    [refused] = [line for line in world.tenant.requests if line.status == status]
    await asyncio.sleep(refused.now_s + 399.0 - world.clock.now_s())
    assert [refused] == [
        line
        for line in world.tenant.requests
        if line.now_s >= refused.now_s and str(line.endpoint) in ("token", "exchange")
    ]
    await world.until(member.settled, within_s=90)
    assert not member.status().holds
    await member.stop()
