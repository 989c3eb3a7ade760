"""Inserts of rows without a key, which no retry may repeat, through failures of their jobs."""

from __future__ import annotations

from consumer.errors import HoldReason
from tests.simulation.crm import contact, crm_route, in_time
from tests.simulation.scenarios import assert_accounted, hold_reasons
from tests.simulation.world import TOPIC, World


def test_an_insert_whose_job_vanished_is_not_repeated() -> None:
    """CRM18: its result cannot be known, so a hold says what an operator can do."""

    async def steps(world: World) -> None:
        contact(world, 1)
        world.faults("close-job nth=1 vanish-job")
        member = world.member()
        await member.start(0)
        await world.until(lambda: bool(member.status().holds))
        assert "may be inserted already" in member.status().holds[0].detail
        assert "job.json" in member.status().holds[0].detail
        await world.clock.sleep(5_000)
        assert (1, 0) == (
            len(world.tenant.crm_rows("Contact")),
            world.log.committed.get((TOPIC, 0), 0),
        )
        await member.kill()

    in_time(steps, crm_route("insert", None))


def test_an_insert_that_stopped_half_way_continues_with_the_rest() -> None:
    """Rows that it did not process go into another job; nothing is inserted twice."""

    async def steps(world: World) -> None:
        for key in range(20):
            contact(world, key)
        world.faults("close-job nth=1 stop-job")
        member = world.member()
        await member.start(0)
        await world.until(member.settled, within_s=2_000.0)
        assert sorted(f"Name {key}" for key in range(20)) == sorted(
            str(row["LastName"]) for row in world.tenant.crm_rows("Contact").values()
        )
        assert_accounted(world)
        await member.stop()

    in_time(steps, crm_route("insert", None))


def test_an_insert_that_was_aborted_goes_into_another_job() -> None:
    """Rows that it had inserted stay, the rest is inserted once."""

    async def steps(world: World) -> None:
        for key in range(20):
            contact(world, key)
        world.faults("close-job nth=1 hang-job")
        member = world.member()
        await member.start(0)
        await world.until(lambda: member.status().bulk[0].phase == "InProgress")
        (job,) = world.tenant.crm.jobs.values()
        job.state = "Aborted"
        await world.until(lambda: HoldReason.SINK in hold_reasons(world))
        await world.until(member.settled, within_s=2_000.0)
        assert (20, 2, set()) == (
            len(world.tenant.crm_rows("Contact")),
            len(world.tenant.crm.jobs),
            hold_reasons(world),
        )
        await member.stop()

    in_time(steps, crm_route("insert", None))


def test_an_insert_whose_job_cannot_be_closed_goes_into_another() -> None:
    """CRM29: it is aborted before it inserted anything, and all rows are inserted once."""

    async def steps(world: World) -> None:
        for key in range(10, 20):
            contact(world, key)
        world.faults("close-job nth=1-4 status=400")
        member = world.member()
        await member.start(0)
        await world.until(lambda: HoldReason.SINK in hold_reasons(world))
        assert "closing it was refused 3 times" in member.status().holds[0].detail
        await world.until(member.settled, within_s=2_000.0)
        assert (["Aborted", "JobComplete"], [f"Name {key}" for key in range(10, 20)]) == (
            [job.state for job in world.tenant.crm.jobs.values()],
            sorted(str(row["LastName"]) for row in world.tenant.crm_rows("Contact").values()),
        )
        await member.stop()

    in_time(steps, crm_route("insert", None))
