"""The tenant or the CRM moves to another address while the token is good for hours."""

from __future__ import annotations

import asyncio
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from consumer.delivery.settings import DeliverySettings
from consumer.sandbox.wire import Endpoint
from tests.simulation.crm import contacts, crm_route, crm_world
from tests.simulation.crm import write as write_contacts
from tests.simulation.scenarios import assert_accounted, scenario
from tests.simulation.test_bulk import bulk_world
from tests.simulation.test_bulk import write as write_rows
from tests.simulation.trouble import PARTITIONS, begin, fill
from tests.simulation.world import World, settings

if TYPE_CHECKING:
    from tests.simulation.world import Member

OLD, NEW = "127.0.0.1:8021", "localhost:8021"
"""Two names of the tenant in memory: requests to the first meet the faults."""

FORMS = [
    *[f"status={status}" for status in (301, 302, 307, 308, 404, 410, 421, 500, 502, 503, 521)],
    "redirect=https://elsewhere.test/",
    "reset",
    "reset after",
    "malformed",
    "delay=10m",
    "gzip status=404",
    "html",
    "html status=403",
]
ENDPOINTS = "upsert delete test create-job upload close-job job jobs delete-job results describe"


def moved(form: str) -> str:
    """Return the script of a tenant that has moved, whose old address answers in this form."""
    named = f"token instance=http://{NEW}; exchange instance=http://{NEW}"
    return "; ".join([named, *[f"{one} host={OLD} {form}" for one in ENDPOINTS.split()]])


def logins(world: World) -> int:
    """Return how many core tokens were asked for."""
    return sum(line.endpoint is Endpoint.TOKEN for line in world.tenant.requests)


@pytest.mark.parametrize("form", FORMS)
@scenario
async def test_rows_reach_the_new_address(form: str) -> None:
    """With few logins, in order and none lost, whatever the old address does."""
    world = World(settings(delivery=DeliverySettings(batch_bytes=2_000)))
    fill(world, 200)
    member = await begin(world, "")
    await world.until(member.settled)
    before = logins(world)
    world.faults(moved(form))
    began_s = world.clock.now_s()
    for key in range(400):
        op = "u" if key % 5 else "d"
        world.change(key, op, partition=key % PARTITIONS, email=f"{key}@y.io")
    await world.until(member.settled, within_s=150)
    assert logins(world) - before <= 4
    assert {str(key): f"{key}@y.io" for key in range(400) if key % 5} == {
        key: row["email"] for key, row in world.tenant.rows("customers").items()
    }
    assert [] == world.dead_letter_reasons()
    assert_accounted(world)
    # From now on nothing goes to the old address.
    hits = dict(world.tenant.fault_lines())
    fill(world, 200)
    await world.until(member.settled, within_s=5)
    assert hits == dict(world.tenant.fault_lines())
    assert world.clock.now_s() - began_s < 150
    assert not member.status().holds
    await member.stop()


@pytest.mark.parametrize("form", ["status=404", "status=503", "reset"])
@scenario
async def test_a_login_that_names_the_new_address_late_is_found(form: str) -> None:
    """The old address fails for an hour first: a login at most every 30 s, and then all goes on."""
    world = World()
    fill(world, 200)
    member = await begin(world, "")
    await world.until(member.settled)
    before = logins(world)
    world.faults("; ".join(f"{one} host={OLD} {form}" for one in ("ingest", "test")))
    fill(world, 200)
    await asyncio.sleep(3_600)
    assert 3 <= logins(world) - before <= 3_600 / 30 + 4
    assert not member.settled()
    world.faults(moved(form))
    await world.until(member.settled, within_s=100)
    assert not member.status().holds
    await member.stop()


@scenario
async def test_requests_in_flight_are_sent_again_with_the_same_bytes() -> None:
    """I7, I19: thirty requests hang at the old address; all of their rows arrive at the new one."""
    world = World(settings(delivery=DeliverySettings(batch_bytes=1_000, timeout_s=3.0)))
    fill(world, 500)
    member = await begin(world, "")
    await world.until(lambda: member.status().rate.share == 1.0)
    await world.until(member.settled)
    world.faults(moved("delay=1h"))
    fill(world, 3_000)
    await world.until(lambda: member.status().in_flight >= 8)
    await world.until(member.settled, within_s=60)
    assert 3_000 == len(world.tenant.rows("customers"))
    await member.stop()


@pytest.mark.parametrize("form", ["status=301", "status=404", "status=410", "delay=10m", "reset"])
@scenario
async def test_a_tenant_that_moves_during_the_checks(form: str) -> None:
    """The validation calls at the start find the new address too."""
    world = World()
    fill(world, 20)
    member = world.member()
    # The first exchange still names the old address.
    named = f"token instance=http://{NEW}; exchange nth=2- instance=http://{NEW}"
    world.faults(f"{named}; test host={OLD} {form}")
    await member.start(*range(PARTITIONS))
    await world.until(member.settled, within_s=120)
    assert not member.status().holds
    await member.stop()


BULK_MOMENTS = [Endpoint.CREATE_JOB, Endpoint.UPLOAD, Endpoint.CLOSE_JOB, Endpoint.JOB]


async def at_moment(world: World, member: Member, moment: Endpoint, form: str) -> None:
    """Let the address move when the first request of this kind was answered."""
    world.faults("close-job hang-job" if moment is Endpoint.JOB else "")
    await world.until(lambda: any(line.endpoint is moment for line in world.tenant.requests))
    world.faults(moved(form))
    await world.until(member.settled, within_s=1_200)


@pytest.mark.parametrize("form", ["status=301", "status=404", "status=421", "status=503", "reset"])
@pytest.mark.parametrize("moment", [one for one in BULK_MOMENTS if one is not Endpoint.JOB])
@scenario
async def test_a_bulk_job_goes_on_at_the_new_address(moment: Endpoint, form: str) -> None:
    """A job that the new address knows is brought to its end there."""
    with TemporaryDirectory() as folder:
        world = bulk_world(folder)
        write_rows(world, range(100))
        member = world.member()
        await member.start(0)
        await at_moment(world, member, moment, form)
        assert {str(key) for key in range(100) if key % 5} == set(world.tenant.rows("customers"))
        assert logins(world) <= 8
        assert_accounted(world)
        await member.stop()


@scenario
async def test_a_bulk_job_that_the_new_address_does_not_know_is_run_again() -> None:
    """As a job that has vanished: its rows go into another job."""
    with TemporaryDirectory() as folder:
        world = bulk_world(folder)
        write_rows(world, range(100))
        member = world.member()
        await member.start(0)
        world.faults("close-job vanish-job")
        await world.until(
            lambda: any(line.endpoint is Endpoint.CLOSE_JOB for line in world.tenant.requests)
        )
        world.faults(moved("status=404"))
        await world.until(member.settled, within_s=600)
        assert {str(key) for key in range(100) if key % 5} == set(world.tenant.rows("customers"))
        await member.stop()


@pytest.mark.parametrize("form", ["status=301", "status=404", "status=410", "status=503", "reset"])
@pytest.mark.parametrize("moment", [Endpoint.CREATE_JOB, Endpoint.CLOSE_JOB, Endpoint.RESULTS])
@scenario
async def test_a_crm_job_goes_on_at_the_new_instance(moment: Endpoint, form: str) -> None:
    """A core token is used for a day; the CRM's new instance is found within minutes."""
    with TemporaryDirectory() as folder:
        world = crm_world(folder, crm_route())
        write_contacts(world, range(100))
        member = world.member()
        await member.start(0)
        await at_moment(world, member, moment, form)
        left = [key for key in range(100) if key % 5 and key % 7]
        assert {str(key) for key in left} == {*contacts(world)}
        assert_accounted(world)
        await member.stop()
