"""A machine whose clock is off, is set, or is suspended: no good record is dead-lettered for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
import structlog.testing

from consumer.http.messages import Answer
from consumer.sandbox.login import LoginCredentials
from consumer.sandbox.virtual_time import VirtualLoop
from tests.simulation.scenarios import scenario
from tests.simulation.test_logins_at_their_worst import jwt_settings, key_pair
from tests.simulation.world import CUSTOMERS, ROUTES, VIEWS, Member, World, settings

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.http.client import Transport
    from consumer.http.messages import HttpOutcome, Request

TEN_MINUTES_MS = 600_000


def some(world: World, first: int, *, ahead_ms: int = 0) -> None:
    """Write ten changes of this moment by the true time."""
    for key in range(first, first + 10):
        world.change(key, "c", ts_ms=world.clock.wall_ms() + ahead_ms, email="a@x.io")


async def settled(world: World, member: Member) -> None:
    """Wait until all is settled, with nothing dead-lettered and no hold."""
    await world.until(member.settled)
    assert [] == world.dead_letter_reasons()
    assert () == member.status().holds


@pytest.mark.parametrize("skew_ms", [-TEN_MINUTES_MS, TEN_MINUTES_MS, -10 * 3_600_000])
@scenario
async def test_a_clock_that_is_off_from_the_start_is_corrected(skew_ms: int) -> None:
    """Good records go out with their own times; one that is too far ahead is still refused."""
    world = World()
    world.machine.skew_ms = skew_ms
    some(world, 0)
    member = world.member()
    with structlog.testing.capture_logs() as lines:
        await member.start(0)
        await settled(world, member)
    assert 10 == len(world.tenant.rows("customers"))
    offset_s = member.status().clock_offset_s
    assert offset_s is not None
    assert abs(offset_s * 1_000 - skew_ms) < 2_000
    assert ["clock_off"] == [one["event"] for one in lines if one["event"].startswith("clock_")]
    some(world, 100, ahead_ms=420_000)
    await world.until(member.settled)
    assert {"TIME_RANGE"} == {*world.dead_letter_reasons()}
    await member.stop()


@pytest.mark.parametrize("skew_ms", [-TEN_MINUTES_MS, TEN_MINUTES_MS])
def test_a_login_that_is_signed_with_the_time_recovers(skew_ms: int, tmp_path: Path) -> None:
    """The refusals themselves have a date."""
    private, public = key_pair()
    key_file = tmp_path / "key.pem"
    key_file.write_text(private)

    async def steps() -> None:
        world = World(jwt_settings(key_file))
        world.tenant._login._credentials = LoginCredentials(public_key=public)
        world.machine.skew_ms = skew_ms
        some(world, 0)
        member = world.member()
        await member.start(0)
        await settled(world, member)
        assert 10 == len(world.tenant.rows("customers"))
        await member.stop()

    VirtualLoop.run(steps())


@scenario
async def test_a_clock_that_is_set_while_running_changes_nothing() -> None:
    """Back by ten minutes, forward by an hour, and right again: each time at once."""
    world = World()
    member = world.member()
    await member.start(0)
    for at, skew_ms in enumerate((0, -TEN_MINUTES_MS, 3_600_000, 0)):
        world.machine.skew_ms = skew_ms
        some(world, at * 100)
        await settled(world, member)
        offset_s = member.status().clock_offset_s
        assert offset_s is not None
        assert abs(offset_s * 1_000 - skew_ms) < 2_000
    assert 40 == len(world.tenant.rows("customers"))
    await member.stop()


@scenario
async def test_a_suspended_machine_takes_its_own_clock_until_the_service_answers() -> None:
    """The monotonic clock stood still, so the learned time is late; the machine's is not."""
    world = World()
    member = world.member()
    await member.start(0)
    some(world, 0)
    await settled(world, member)
    # Both wall clocks go on, the monotonic clock of the machine does not.
    world.clock.skew_ms = world.machine.skew_ms = TEN_MINUTES_MS
    for at in range(1, 4):
        some(world, at * 100)
        await settled(world, member)
    assert 40 == len(world.tenant.rows("customers"))
    offset_s = member.status().clock_offset_s
    assert offset_s is not None
    assert abs(offset_s) < 2
    await member.stop()


@pytest.mark.parametrize("skew", ["100000h", "-480000h", "48h", "-48h"])
@scenario
async def test_a_peer_with_an_absurd_date_breaks_nothing(skew: str) -> None:
    """Ten years on, 1970, and days that no correction covers."""
    world = World()
    world.faults(f"any skew={skew}")
    some(world, 0)
    member = world.member()
    await member.start(0)
    await settled(world, member)
    assert 10 == len(world.tenant.rows("customers"))
    await member.stop()


class Dateless:
    """A network that takes the dates out of the answers."""

    def __init__(self, network: Transport) -> None:
        self._network = network

    async def send(self, request: Request) -> HttpOutcome:
        """Send once."""
        outcome = await self._network.send(request)
        if not isinstance(outcome, Answer):
            return outcome
        kept = tuple(one for one in outcome.headers if one[0] != "date")
        return msgspec.structs.replace(outcome, headers=kept)

    def leave(self, origin: str) -> None:
        """Close the connections to this origin that no request uses."""
        self._network.leave(origin)

    async def close(self) -> None:
        """Close the network."""
        await self._network.close()


@pytest.mark.parametrize("routes", [1, 2])
@scenario
async def test_without_a_date_the_timestamps_of_the_records_are_believed(routes: int) -> None:
    """A late machine has no other clock to ask; a record beyond both clocks is at fault."""
    mirror = msgspec.structs.replace(CUSTOMERS, name="mirror")
    to_mirror = msgspec.structs.replace(ROUTES[0], object="mirror")
    world = World(
        settings(
            objects=(CUSTOMERS, mirror, VIEWS),
            routes=(*ROUTES, to_mirror) if routes == 2 else ROUTES,
        )
    )
    world.between = Dateless
    world.machine.skew_ms = -TEN_MINUTES_MS
    member = world.member()
    with structlog.testing.capture_logs() as lines:
        await member.start(0)
        some(world, 0)
        await settled(world, member)
    assert 10 == len(world.tenant.rows("customers"))
    assert ["clock_off"] == [one["event"] for one in lines if one["event"].startswith("clock_")]
    some(world, 100, ahead_ms=420_000)
    await world.until(member.settled)
    assert {"TIME_RANGE"} == {*world.dead_letter_reasons()}
    await member.stop()
