"""CRM jobs that fail, and a CRM that lacks an object or a field: each is a hold that ends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest

from consumer.errors import HoldReason
from consumer.mapping.settings import FieldType
from consumer.sandbox.wire import Endpoint
from tests.simulation.crm import (
    assert_folded,
    contact,
    contacts,
    crm_route,
    in_time,
    scenario,
    write,
)
from tests.simulation.scenarios import assert_accounted, hold_reasons
from tests.simulation.test_bulk import requests_of
from tests.simulation.world import TOPIC, World

if TYPE_CHECKING:
    from consumer.mapping.settings import RouteSettings

STEPS = (
    Endpoint.QUERY,
    Endpoint.JOBS,
    Endpoint.CREATE_JOB,
    Endpoint.UPLOAD,
    Endpoint.CLOSE_JOB,
    Endpoint.JOB,
    Endpoint.RESULTS,
)
ANSWERS = (
    *[f"status={status}" for status in (204, 400, 401, 403, 404, 409, 429, 500)],
    *("html", "reset", "reset after", "status=503 after"),
)


def exists(world: World, key: int) -> None:
    """Insert a contact in advance."""
    world.tenant.crm.store.apply(
        "Contact", "insert", None, {"LastName": "Old", "Kafka_Id__c": str(key)}
    )


@pytest.mark.holds("I12")
@pytest.mark.parametrize(
    ("script", "detail"),
    [
        pytest.param("close-job nth=1 fail-job", "could not be finished", id="CRM15 fails"),
        pytest.param(
            "close-job nth=1 stop-job", "could not be finished", id="CRM15 fails half way"
        ),
        pytest.param(
            "close-job nth=1 vanish-job", "no longer known to the service", id="CRM17 vanishes"
        ),
        pytest.param("upload nth=1 reset", "the upload got no response", id="CRM14 cut"),
        pytest.param(
            "upload nth=1 reset after", "the upload got no response", id="CRM14 answer cut"
        ),
        pytest.param(
            "create-job nth=1 status=400 body=INVALIDENTITY", "cannot create a job", id="CRM12"
        ),
        pytest.param("query nth=1 html", "cannot look up ids", id="CRM27 page"),
        pytest.param("query nth=1 status=200 body={}", "cannot look up ids", id="CRM27 nothing"),
        pytest.param("jobs nth=1-2 status=400", "cannot list the ingest jobs", id="CRM28"),
        pytest.param("close-job nth=1-4 status=400", "closing it was refused", id="CRM29"),
        ("create-job nth=1-2 status=403 body=REQUEST_LIMIT_EXCEEDED", "REQUEST_LIMIT_EXCEEDED"),
        ("upload nth=1 status=400", "aborted"),
        ("create-job nth=1-6 status=404", "cannot create a job"),
        ("create-job nth=1-12 status=503", "503"),
        ("results nth=1-9 status=500", "500"),
        ("results nth=1-2 status=403", "403"),
        ("upload nth=1-3 status=403", "403"),
        ("close-job nth=1-2 html", "without the body of this API"),
        ("query nth=1-2 status=400", "cannot look up ids"),
    ],
)
def test_a_failed_job_has_a_hold_and_an_end(script: str, detail: str) -> None:
    """Whatever happens to a job is a hold; no good row is dead-lettered, and the rows arrive."""

    async def steps(world: World) -> None:
        for key in range(1, 41):
            contact(world, key)
        exists(world, 41)
        world.change(41, "d")
        member = world.member()
        await member.start(0)
        world.faults(script)
        await world.until(lambda: bool(member.status().holds), within_s=4_000.0)
        assert detail in member.status().holds[0].detail
        assert 0 == world.log.committed.get((TOPIC, 0), 0)
        await world.until(member.settled, within_s=8_000.0)
        assert {str(key) for key in range(1, 41)} == {*contacts(world)}
        assert ([], set()) == (world.dead_letters.letters, hold_reasons(world))
        assert_accounted(world)
        await member.stop()

    in_time(steps)


@pytest.mark.parametrize("step", STEPS)
def test_a_token_that_is_revoked_before_a_step(step: Endpoint) -> None:
    """CRM13: one new token and the same request again: no hold, no additional job."""

    async def steps(world: World) -> None:
        exists(world, 0)
        write(world, range(40))
        member = world.member()
        await member.start(0)
        logins = requests_of(world, Endpoint.TOKEN)
        world.faults(f"{step} nth=1 revoke-tokens")
        await world.until(member.settled)
        assert_folded(world, range(40))
        assert (len(logins) + 1, 2) == (
            len(requests_of(world, Endpoint.TOKEN)),
            len(world.tenant.crm.jobs),
        )
        assert set() == hold_reasons(world)
        await member.stop()

    in_time(steps)


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize(
    ("route", "step"),
    [(crm_route(), step) for step in STEPS]
    + [(crm_route("insert", None), step) for step in STEPS[1:]],
    ids=[f"upsert {step}" for step in STEPS] + [f"insert {step}" for step in STEPS[1:]],
)
def test_every_answer_at_every_step(route: RouteSettings, step: Endpoint, answer: str) -> None:
    """CRM30: any answer, given twice: no row is lost, doubled or dead-lettered."""

    async def steps(world: World) -> None:
        for key in range(10, 20):
            contact(world, key)
        if route.crm is not None and route.crm.operation == "upsert":
            exists(world, 20)
            world.change(20, "d")
        member = world.member()
        await member.start(0)
        world.faults(f"{step} nth=1-2 {answer}")
        await world.until(member.settled, within_s=4_000.0)
        assert [f"Name {key}" for key in range(10, 20)] == sorted(
            str(row["LastName"]) for row in world.tenant.crm_rows("Contact").values()
        )
        assert ([], set()) == (world.dead_letters.letters, hold_reasons(world))
        assert_accounted(world)
        await member.stop()

    in_time(steps, route)


@scenario
async def test_a_token_that_is_revoked_twice_is_replaced_twice(world: World) -> None:
    """The second time under an AUTH hold, which ends by itself with another token."""
    contact(world, 1)
    member = world.member()
    await member.start(0)
    world.faults("upload nth=1-2 revoke-tokens")
    await world.until(lambda: HoldReason.AUTH in hold_reasons(world))
    await world.until(member.settled)
    assert (["1"], set()) == ([*contacts(world)], hold_reasons(world))
    await member.stop()


@scenario
async def test_a_job_that_hangs_is_a_hold_and_never_sent_again(world: World) -> None:
    """CRM16: it is polled for a day, its rows are in no other job; when it ends, all continues."""
    contact(world, 1)
    world.faults("close-job nth=1 hang-job")
    member = world.member()
    await member.start(0)
    await world.until(lambda: HoldReason.SINK in hold_reasons(world), within_s=5_000.0)
    await world.clock.sleep(86_400)
    (job,) = world.tenant.crm.jobs.values()
    job.fault = None
    await world.until(member.settled)
    assert (set(), ["1"]) == (hold_reasons(world), [*contacts(world)])
    await member.stop()


@scenario
async def test_a_missing_object_is_waited_for_with_a_hold(world: World) -> None:
    """CRM11: nothing is read before; when the object exists, reading starts by itself."""
    fields = world.tenant.crm.store.objects.pop("Contact")
    contact(world, 1)
    member = world.member()
    member.task = asyncio.create_task(member.daemon.run())
    await world.until(lambda: HoldReason.CONFIG in hold_reasons(world))
    assert (
        "crm.yaml:12: object Contact does not exist in the CRM" in member.status().holds[0].detail
    )
    world.tenant.crm.store.objects["Contact"] = fields
    await world.until(lambda: hold_reasons(world) == set())
    await member.stop()


def test_an_unknown_column_is_a_hold_with_a_guess() -> None:
    """The hold comes before reading and names the route's line; it ends when the field exists."""
    route = crm_route()
    assert route.crm is not None
    described = msgspec.structs.replace(
        route.crm.described,
        fields=dict.fromkeys(["Kafka_Id__c", "LastNam", "Name"], FieldType.TEXT),
    )
    route = msgspec.structs.replace(
        route, crm=msgspec.structs.replace(route.crm, described=described)
    )

    async def steps(world: World) -> None:
        member = world.member()
        member.task = asyncio.create_task(member.daemon.run())
        await world.until(lambda: HoldReason.CONFIG in hold_reasons(world))
        detail = member.status().holds[0].detail
        assert "crm.yaml:12: Contact has no field `LastNam`; did you mean `LastName`?" in detail
        assert "`Name` of Contact cannot be set on upsert: it is read-only" in detail
        await member.stop()

    in_time(steps, route)
