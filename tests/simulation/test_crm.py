"""Destination `crm_bulk` on virtual time: rows become CRM jobs, each with one outcome."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from consumer.errors import HoldReason
from consumer.sandbox.virtual_time import VirtualLoop
from consumer.sandbox.wire import Endpoint
from tests.simulation.crm import (
    EVERY_S,
    assert_folded,
    contact,
    contacts,
    crm_route,
    crm_world,
    in_time,
    refused,
    scenario,
    write,
)
from tests.simulation.scenarios import assert_accounted, hold_reasons
from tests.simulation.test_bulk import STEPS, requests_of
from tests.simulation.world import TOPIC, World

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.mapping.settings import CrmOperation


@scenario
async def test_rows_arrive_and_refused_ones_are_dead_letters(world: World) -> None:
    """The newest change of each key is sent; a row that the CRM rejects is dead-lettered."""
    write(world, range(100))
    member = world.member()
    await member.start(0)
    await world.until(lambda: Endpoint.CREATE_JOB in requests_of(world, *STEPS))
    assert 0 == world.log.committed.get((TOPIC, 0), 0)
    await world.until(member.settled)
    assert_folded(world, range(100))
    assert [key for key in range(0, 100, 7) if key % 5] == refused(world)
    assert_accounted(world)
    (account,) = member.daemon.status.accounts().objects
    assert (190, 88, 70, 20, 12, 0) == (
        account.offered,
        account.accepted,
        account.conflated,
        account.filtered,
        account.dead_lettered,
        account.open,
    )
    ledger = member.status().ledger
    assert (12, 0) == (ledger.dead_lettered, ledger.open)
    assert 88 == ledger.accepted
    assert 0 == member.status().buffer_bytes
    assert Endpoint.EXCHANGE not in [line.endpoint for line in world.tenant.requests]
    await member.stop()


@scenario
async def test_progress_is_shown(world: World) -> None:
    """The status shows buffered rows and the job's state, and readiness is kept meanwhile."""
    write(world, range(100))
    member = world.member()
    await member.start(0)
    await world.until(lambda: member.status().bulk[0].gathered_rows > 0)
    world.faults("close-job hang-job")
    await world.until(lambda: member.status().bulk[0].phase == "InProgress")
    assert ("Contact", True) == (member.status().bulk[0].object, bool(member.status().bulk[0].job))
    await world.clock.sleep(120)
    assert [] == [check.problems for check in member.daemon.status.readiness() if check.problems]
    await member.kill()


@scenario
async def test_partial_changes_are_merged_and_rejected_together(world: World) -> None:
    """Fields that the newer change lacks come from the older one; a rejection concerns both."""
    rows = (
        {"id": 1, "name": ""},
        {"id": 1, "email": "a@x.io"},
        {"id": 2, "name": "B"},
        {"id": 2, "email": "b@x.io"},
    )
    for at, row in enumerate(rows):
        value = {"op": "u", "after": row, "source": {"ts_ms": at}, "ts_ms": at}
        world.put(json.dumps(value).encode(), key=row["id"])  # type: ignore[arg-type]  # the numbers above
    member = world.member()
    await member.start(0)
    await world.until(member.settled)
    assert [1, 1] == refused(world)
    assert {"2": ("B", "b@x.io")} == {
        key: (row["LastName"], row["Email"]) for key, row in contacts(world).items()
    }
    assert_accounted(world)
    assert (1, 1, 2) == (
        member.status().ledger.accepted,
        member.status().ledger.conflated,
        member.status().ledger.dead_lettered,
    )
    await member.stop()


@scenario
async def test_upserts_and_deletes_of_a_key_are_never_in_overlapping_jobs(world: World) -> None:
    """Deletes end before upserts begin, also when another batch waits behind them."""
    alone: list[bool] = []
    member = world.member()
    await member.start(0)
    for turn in range(4):
        for key in range(10):
            contact(world, key, name=f"{turn}")
            if key % 2 == turn % 2:
                world.change(key, "d")
        await world.clock.sleep(EVERY_S / 2)
        states = [job.state for job in world.tenant.crm.jobs.values()]
        alone.append(
            sum(state in {"Open", "UploadComplete", "InProgress"} for state in states) <= 1
        )
    await world.until(member.settled)
    assert all(alone)
    assert {str(key) for key in range(10) if key % 2 == 0} == {*contacts(world)}
    await member.stop()


@scenario
async def test_locked_rows_go_again(world: World) -> None:
    """They are not at fault: the next job takes them, and nothing is dead-lettered."""
    for key in range(30):
        contact(world, key)
    world.faults("close-job nth=1-2 lock-job")
    member = world.member()
    await member.start(0)
    await world.until(member.settled, within_s=2_000.0)
    assert 30 == len(contacts(world))
    assert [] == world.dead_letters.letters
    await member.stop()


@scenario
async def test_rows_that_stay_locked_are_dead_letters_in_the_end(world: World) -> None:
    """After five jobs."""
    contact(world, 1)
    world.faults("close-job lock-job")
    member = world.member()
    await member.start(0)
    await world.until(member.settled, within_s=4_000.0)
    assert ([1], 5) == (refused(world), len(world.tenant.crm.jobs))
    await member.stop()


@pytest.mark.holds("I12")
@scenario
async def test_everything_refused_is_a_hold_and_not_a_flood(world: World) -> None:
    """Twenty are dead-lettered; the others wait under MASS_REJECT and arrive afterwards."""
    for key in range(100):
        contact(world, key, name="Kay")
    world.faults("upsert/Contact poison=LastName:Kay")
    member = world.member()
    await member.start(0)
    await world.until(lambda: HoldReason.MASS_REJECT in hold_reasons(world))
    await world.until(lambda: len(world.dead_letters.letters) == 20)
    world.faults("")
    await world.until(member.settled, within_s=2_000.0)
    assert (20, 80, set()) == (
        len(world.dead_letters.letters),
        len(contacts(world)),
        hold_reasons(world),
    )
    assert_accounted(world)
    await member.stop()


@scenario
async def test_deletes_of_missing_rows_are_done(world: World) -> None:
    """No delete job is needed, and nothing is rejected."""
    world.change(7, "d")
    member = world.member()
    await member.start(0)
    await world.until(member.settled)
    assert ([], {}) == (world.dead_letters.letters, world.tenant.crm.jobs)
    assert 1 == member.status().ledger.accepted
    await member.stop()


@pytest.mark.parametrize("operation", ["update", "delete"])
def test_rows_that_go_by_id(operation: CrmOperation) -> None:
    """An update writes, a delete removes, and a missing row is a dead letter."""

    async def steps(world: World) -> None:
        rows = world.tenant.crm.store
        for at in range(3):
            rows.apply("Contact", "insert", None, {"LastName": f"{at}", "Kafka_Id__c": f"{at}"})
        ids = [*world.tenant.crm_rows("Contact")]
        for at, id_ in enumerate([*ids[:2], "0039999"]):
            value = {
                "op": "u",
                "after": {"id": id_, "email": "new@x.io"},
                "source": {"ts_ms": 1},
                "ts_ms": 1,
            }
            world.put(json.dumps(value).encode(), key=at)
        member = world.member()
        await member.start(0)
        await world.until(member.settled)
        left = {id_: row.get("Email") for id_, row in world.tenant.crm_rows("Contact").items()}
        expected: dict[str, str | None] = {ids[2]: None}
        assert (
            expected | (dict.fromkeys(ids[:2], "new@x.io") if operation == "update" else {}) == left
        )
        assert [2] == refused(world)
        assert_accounted(world)
        await member.stop()

    in_time(steps, crm_route(operation, None))


def test_deletes_by_id_are_one_column_whatever_the_id_is() -> None:
    """Only a value that is not an id is rejected; its neighbours are deleted."""

    async def steps(world: World) -> None:
        world.tenant.crm.store.apply("Contact", "insert", None, {"LastName": "Kay"})
        (id_,) = world.tenant.crm_rows("Contact")
        for at, key in enumerate((id_, 'no "id", at all')):
            value = {"op": "d", "before": {"id": key}, "source": {"ts_ms": 1}, "ts_ms": 1}
            world.put(json.dumps(value).encode(), key=at)
        member = world.member()
        await member.start(0)
        await world.until(member.settled)
        assert ({}, [1]) == (world.tenant.crm_rows("Contact"), refused(world))
        await member.stop()

    in_time(steps, crm_route("update", None))


def test_the_spool_is_empty_afterwards(tmp_path: Path) -> None:
    """No job file, result file or journal outlives its outcome."""

    async def steps() -> None:
        world = crm_world(str(tmp_path))
        write(world, range(40))
        member = world.member()
        await member.start(0)
        await world.until(member.settled)
        await member.stop()

    VirtualLoop.run(steps())
    assert ["lock"] == [path.name for path in tmp_path.rglob("*") if path.is_file()]
