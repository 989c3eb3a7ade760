"""Processes that die during CRM jobs, partitions that move: no loss, no doubled insert."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from structlog.testing import capture_logs

from consumer.sandbox.wire import Endpoint
from tests.simulation.crashes import crash
from tests.simulation.crm import (
    EVERY_S,
    assert_folded,
    contact,
    contacts,
    crm_route,
    in_time,
    refused,
    scenario,
    write,
)
from tests.simulation.scenarios import assert_accounted
from tests.simulation.test_bulk import STEPS, requests_of
from tests.simulation.world import TOPIC, World

if TYPE_CHECKING:
    from consumer.mapping.settings import RouteSettings


@pytest.mark.holds("I1")
@pytest.mark.parametrize("acted_upon", [False, True], ids=["lost on the way", "answer lost"])
@pytest.mark.parametrize("at", range(1, 17))
def test_a_crash_at_every_step(at: int, acted_upon: bool) -> None:  # noqa: FBT001 - a case
    """CRM32: killed at any request of the CRM, the next run finishes and loses nothing."""

    async def steps(world: World) -> None:
        write(world, range(40))
        await crash_in_crm(world, at, acted_upon=acted_upon)
        assert_folded(world, range(40))
        assert {key for key in range(0, 40, 7) if key % 5} == {*refused(world)}
        assert not [
            job.id
            for job in world.tenant.crm.jobs.values()
            if job.state in {"UploadComplete", "InProgress"}
        ]

    in_time(steps)


@pytest.mark.holds("I1")
@pytest.mark.parametrize("acted_upon", [False, True], ids=["lost on the way", "answer lost"])
@pytest.mark.parametrize("at", range(1, 11))
def test_a_crash_doubles_no_insert(at: int, acted_upon: bool) -> None:  # noqa: FBT001 - a case
    """CRM32: killed at any request, the next run reads the job's results and does not repeat it."""

    async def steps(world: World) -> None:
        for key in range(1, 41):
            contact(world, key, name="" if key % 7 == 0 else f"Name {key}")
        contact(world, 1)
        await crash_in_crm(world, at, acted_upon=acted_upon)
        assert sorted([f"Name {key}" for key in range(1, 41) if key % 7] + ["Name 1"]) == sorted(
            str(row["LastName"]) for row in world.tenant.crm_rows("Contact").values()
        )
        assert {*range(7, 41, 7)} == {*refused(world)}

    in_time(steps, crm_route("insert", None))


@pytest.mark.parametrize(
    ("route", "at", "action"),
    [
        (crm_route(), 3, "aborted: an earlier run left it open"),
        (crm_route(), 4, "adopted: a new job waits for its end"),
        (crm_route("insert", None), 3, "aborted: an earlier run left it open"),
        (crm_route("insert", None), 4, "adopted: its outcome is that of its rows"),
    ],
    ids=["upsert open", "upsert closed", "insert open", "insert closed"],
)
def test_the_handling_of_a_left_job_is_logged(route: RouteSettings, at: int, action: str) -> None:
    """CRM32: the log names the job."""

    async def steps(world: World) -> None:
        contact(world, 1)
        with capture_logs() as log:
            await crash_in_crm(world, at, acted_upon=True)
        (job,) = [job.id for job in world.tenant.crm.jobs.values()][:1]
        assert [(action, True)] == [
            (line["detail"], job in line["job"])
            for line in log
            if line["event"] == "bulk_job_found"
        ]

    in_time(steps, route)


async def crash_in_crm(world: World, at: int, *, acted_upon: bool) -> None:
    """Kill the first process at a request to the CRM."""
    await crash(
        world, at, lambda url: "/jobs/ingest" in url or "/query" in url, acted_upon=acted_upon
    )
    assert_accounted(world)


def test_a_stop_with_an_insert_in_progress_doubles_nothing() -> None:
    """The job continues at the CRM; the next process reads its results."""

    async def steps(world: World) -> None:
        for key in range(20):
            contact(world, key)
        world.faults("close-job nth=1 hang-job")
        first = world.member()
        await first.start(0)
        await world.until(lambda: first.status().bulk[0].phase == "InProgress")
        await first.stop()
        (job,) = world.tenant.crm.jobs.values()
        job.fault = None
        second = world.member()
        await second.start(0)
        await world.until(second.settled)
        assert (20, 1) == (len(world.tenant.crm_rows("Contact")), len(world.tenant.crm.jobs))
        await second.stop()

    in_time(steps, crm_route("insert", None))


@scenario
async def test_a_creation_whose_answer_was_lost_leaves_no_job_behind(world: World) -> None:
    """It is found in the list, and aborted once it was unchanged for half an hour."""
    member = world.member()
    await member.start(0)
    world.faults("create-job nth=1 status=500 after")
    for turn in range(40):
        contact(world, turn)
        await world.clock.sleep(EVERY_S)
    await world.until(member.settled)
    states = [job.state for job in world.tenant.crm.jobs.values()]
    assert ("Aborted", {"JobComplete"}) == (states[0], {*states[1:]})
    await member.stop()


@scenario
async def test_a_job_of_another_member_is_waited_for(world: World) -> None:
    """A partition arrives while its rows are in the former owner's job; the next job waits."""
    contact(world, 1, name="old")
    world.faults("close-job nth=1 hang-job")
    first = world.member()
    await first.start(0)
    await world.until(lambda: first.status().bulk[0].phase == "InProgress")
    first.source.lose([(TOPIC, 0)])
    contact(world, 1, "u", name="new")
    second = world.member()
    await second.start(0)
    await world.until(lambda: "waiting for job" in (second.status().bulk[0].phase or ""))
    await world.until(lambda: bool(second.status().holds), within_s=2_000.0)
    assert "of this user is active on Contact" in second.status().holds[0].detail
    (job,) = world.tenant.crm.jobs.values()
    job.fault = None
    await world.until(second.settled)
    assert ("new", ()) == (contacts(world)["1"]["LastName"], second.status().holds)
    await first.stop()
    await second.stop()


@scenario
async def test_a_job_of_another_member_is_seen_on_the_last_page(world: World) -> None:
    """CRM33: the list has seven days of jobs, oldest first; the new job waits for the newest."""
    world.tenant.crm.limits = msgspec.structs.replace(world.tenant.crm.limits, jobs_per_page=1)
    first = world.member()
    await first.start(0)
    for name in ("old", "older"):
        contact(world, 1, name=name)
        await world.until(first.settled)
    world.faults("close-job nth=1 hang-job")
    contact(world, 1, name="last")
    await world.until(lambda: first.status().bulk[0].phase == "InProgress")
    first.source.lose([(TOPIC, 0)])
    contact(world, 1, "u", name="new")
    second = world.member()
    await second.start(0)
    await world.until(lambda: "waiting for job" in (second.status().bulk[0].phase or ""))
    *_, job = world.tenant.crm.jobs.values()
    job.fault = None
    await world.until(second.settled)
    assert "new" == contacts(world)["1"]["LastName"]
    await first.stop()
    await second.stop()


def test_a_lost_partition_takes_its_rows_along() -> None:
    """The next owner sends the rows; results of the running job no longer count here."""

    async def steps(world: World) -> None:
        write(world, range(40))
        member = world.member()
        await member.start(0)
        await world.until(lambda: Endpoint.UPLOAD in requests_of(world, *STEPS))
        member.source.lose([(TOPIC, 0)])
        await world.clock.sleep(300)
        assert ([], 0) == (world.dead_letters.letters, member.status().ledger.open)
        assert_accounted(world)
        second = world.member()
        await second.start(0)
        await world.until(second.settled, within_s=2_000.0)
        assert_folded(world, range(40))
        await member.stop()
        await second.stop()

    in_time(steps)
