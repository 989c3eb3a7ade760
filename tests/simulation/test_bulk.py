"""Bulk destinations on virtual time: rows become jobs, through every failure."""

from __future__ import annotations

import errno
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import msgspec
import pytest

from consumer.bulk.disk import disk_error
from consumer.bulk.files import CsvFiles
from consumer.bulk.spool import Spool
from consumer.delivery.settings import DeliverySettings
from consumer.errors import HoldReason
from consumer.mapping.settings import FlushSettings, RouteSettings
from consumer.sandbox.bulk_jobs import BULK_PATH
from consumer.sandbox.virtual_time import VirtualLoop
from consumer.sandbox.wire import Endpoint
from tests.simulation.crashes import crash
from tests.simulation.scenarios import assert_accounted, hold_reasons
from tests.simulation.world import CUSTOMERS, TOPIC, VIEWS, World, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from consumer.mapping.settings import ObjectSettings

EVERY_S = 60.0
ROUTE = RouteSettings(
    topics=(TOPIC,),
    object="customers",
    format="debezium",
    destination="bulk",
    flush=FlushSettings(every_s=EVERY_S, bytes=1_000_000),
)


def bulk_world(
    folder: str, *, flush: FlushSettings | None = ROUTE.flush, described: ObjectSettings = CUSTOMERS
) -> World:
    """Return a world with a bulk route and a streaming route."""
    views = RouteSettings(
        topics=("views",), object="views", format="json", tombstones="dead_letter"
    )
    return World(
        settings(
            objects=(described, VIEWS),
            routes=(msgspec.structs.replace(ROUTE, flush=flush), views),
            delivery=DeliverySettings(spool_dir=folder),
        )
    )


async def _in_loop(steps: Callable[[World], Coroutine[Any, Any, None]], folder: str) -> None:
    await steps(bulk_world(folder))


def scenario(steps: Callable[[World], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a scenario with a bulk route in virtual time."""

    def test() -> None:
        with TemporaryDirectory() as folder:
            VirtualLoop.run(_in_loop(steps, folder))

    test.__doc__ = steps.__doc__
    test.__name__ = steps.__name__
    return test


def requests_of(world: World, *endpoints: Endpoint) -> list[Endpoint]:
    """Return the requests of these kinds, in order."""
    return [line.endpoint for line in world.tenant.requests if line.endpoint in endpoints]


STEPS = (Endpoint.CREATE_JOB, Endpoint.UPLOAD, Endpoint.CLOSE_JOB)


def write(world: World, keys: range, partition: int = 0) -> None:
    """Write inserts, an update of every second key and a delete of every fifth."""
    for key in keys:
        world.change(key, "c", partition=partition, email=f"{key}@x.io", age=1)
    for key in keys[::2]:
        world.change(key, "u", partition=partition, email=f"{key}@y.io", age=2)
    for key in keys[::5]:
        world.change(key, "d", partition=partition)


def assert_folded(world: World, keys: range, name: str = "customers") -> None:
    """The tenant holds the fold of the log."""
    rows = world.tenant.rows(name)
    left = [key for at, key in enumerate(keys) if at % 5]
    assert {str(key) for key in left} == set(rows)
    assert {str(key): 2 if key in keys[::2] else 1 for key in left} == {
        key: row["age"] for key, row in rows.items()
    }


@scenario
async def test_a_bulk_batch_is_two_jobs_and_moves_positions_after_them(world: World) -> None:
    """The newest change of each key is sent, deletes first; both jobs end before the commit."""
    world.change(1, "c", email="old@x.io")
    write(world, range(100))
    member = world.member()
    await member.start(0)
    await world.until(lambda: Endpoint.CREATE_JOB in requests_of(world, *STEPS))
    assert world.clock.now_s() >= EVERY_S
    assert 0 == world.log.committed.get((TOPIC, 0), 0)
    await world.until(member.settled)
    assert [*STEPS, *STEPS] == requests_of(world, *STEPS)
    assert_folded(world, range(100))
    assert_accounted(world)
    ledger = member.status().ledger
    assert (100, 71, 0) == (ledger.accepted, ledger.conflated, ledger.open)
    await member.stop()


@scenario
async def test_progress_is_shown_and_readiness_is_kept(world: World) -> None:
    """While rows are buffered for longer than a minute the daemon is ready and shows them."""
    member = world.member()
    write(world, range(100))
    await member.start(0)
    await world.until(lambda: member.status().bulk[0].gathered_rows > 0)
    world.faults("close-job hang-job")
    await world.until(lambda: member.status().bulk[0].phase == "InProgress")
    await world.clock.sleep(120)
    assert [] == [check.problems for check in member.daemon.status.readiness() if check.problems]
    assert member.status().bulk[0].job is not None
    await member.kill()


@pytest.mark.holds("I15")
@scenario
async def test_memory_does_not_bound_a_row_buffer(world: World) -> None:
    """Rows on disk are unsettled but do not use the memory buffer."""
    write(world, range(200))
    member = world.member()
    await member.start(0)
    await world.until(lambda: member.status().ledger.open >= 240)
    assert 0 == member.status().buffer_bytes
    await member.kill()


def test_enough_bytes_make_a_job_early_and_a_second_batch_waits() -> None:
    """A full row buffer is sent at once; when the next is full its partitions pause, unheld."""
    with TemporaryDirectory() as folder:
        VirtualLoop.run(_full_row_buffers(folder))


async def _full_row_buffers(folder: str) -> None:
    world = bulk_world(folder, flush=FlushSettings(every_s=5_000.0, bytes=20_000))
    world.faults("close-job nth=1 hang-job")
    for key in range(2_000):
        world.change(key, "c", email=f"{key}@x.io", age=1)
    member = world.member()
    await member.start(0)
    await world.until(lambda: requests_of(world, *STEPS) == [*STEPS])
    await world.until(lambda: member.status().bulk[0].gathered_bytes >= 20_000)
    buffered = member.status().bulk[0].gathered_rows
    await world.clock.sleep(60)
    assert buffered == member.status().bulk[0].gathered_rows < 2_000
    assert set() == hold_reasons(world)
    for job in world.tenant.bulk.jobs.values():
        job.fault = None
    await world.until(lambda: member.status().ledger.accepted > 1_000)
    await member.kill()


@scenario
async def test_a_partition_that_goes_takes_its_buffered_rows_along(world: World) -> None:
    """A job that has not begun does not delay a revocation: the next owner reads the rows again."""
    write(world, range(100), partition=0)
    write(world, range(100, 200), partition=1)
    member = world.member()
    await member.start(0, 1)
    await world.until(lambda: member.status().ledger.open >= 300)
    began_s = world.clock.now_s()
    member.source.revoke([(TOPIC, 1)])
    await world.until(lambda: len(member.status().assignment) == 1)
    assert world.clock.now_s() - began_s < 1.0
    await world.until(member.settled)
    assert_folded(world, range(100))
    assert 0 == world.log.committed.get((TOPIC, 1), 0)
    await member.stop()


@scenario
async def test_a_stop_lets_a_job_finish_that_can(world: World) -> None:
    """A job that ends within the drain is settled and committed."""
    write(world, range(100))
    member = world.member()
    await member.start(0)
    await world.until(lambda: Endpoint.UPLOAD in requests_of(world, *STEPS))
    await member.stop()
    assert_folded(world, range(100))
    assert world.log.ends[TOPIC, 0] == world.log.committed[TOPIC, 0]


@scenario
async def test_a_stop_aborts_a_job_that_is_open(world: World) -> None:
    """A job whose upload does not end within the drain is aborted before the process ends."""
    write(world, range(100))
    world.faults("upload delay=200s")
    member = world.member()
    await member.start(0)
    await world.until(lambda: Endpoint.UPLOAD in requests_of(world, *STEPS))
    await member.stop()
    assert ["Aborted"] == [job.state for job in world.tenant.bulk.jobs.values()]
    assert 0 == world.log.committed.get((TOPIC, 0), 0)


@pytest.mark.holds("I1")
@pytest.mark.parametrize("acted_upon", [False, True], ids=["lost on the way", "answer lost"])
@pytest.mark.parametrize("at", range(1, 16))
def test_a_crash_at_every_step(at: int, acted_upon: bool) -> None:  # noqa: FBT001 - a case
    """Killed at any request of a job, the next run finishes it and loses nothing."""
    with TemporaryDirectory() as folder:
        VirtualLoop.run(_crash(folder, at, acted_upon=acted_upon))


async def _crash(folder: str, at: int, *, acted_upon: bool) -> None:
    world = bulk_world(folder)
    write(world, range(100))
    await crash(world, at, lambda url: BULK_PATH in url, acted_upon=acted_upon)
    assert_folded(world, range(100))
    assert all(job.state in {"JobComplete", "Aborted"} for job in world.tenant.bulk.jobs.values())


@pytest.mark.holds("I8")
@pytest.mark.parametrize(
    ("script", "detail"),
    [
        ("close-job nth=1 fail-job", "Failed"),
        ("close-job nth=1 vanish-job", "no longer known to the service"),
        ("upload nth=1 reset", "the upload got no response"),
        ("upload nth=1 reset after", "the upload got no response"),
        ("upload nth=1 status=400", "aborted"),
        ("create-job nth=1-6 status=404", "cannot create a job"),
        ("create-job nth=1-12 status=503", "503"),
        ("jobs status=500; job nth=1-9 status=500", "500"),
        ("upload nth=1-3 status=403", "403"),
        ("close-job nth=1-2 html", "without the body of this API"),
    ],
)
def test_a_failed_job_has_a_hold_and_an_end(script: str, detail: str) -> None:
    """Whatever happens to a job is a hold; nothing is dead-lettered, and the rows arrive."""
    with TemporaryDirectory() as folder:
        VirtualLoop.run(_gone_wrong(folder, script, detail))


async def _gone_wrong(folder: str, script: str, detail: str) -> None:
    world = bulk_world(folder)
    write(world, range(100))
    member = world.member()
    await member.start(0)
    world.faults(script)
    await world.until(lambda: bool(member.status().holds))
    assert detail in member.status().holds[0].detail
    assert 0 == world.log.committed.get((TOPIC, 0), 0)
    await world.until(member.settled, within_s=4_000.0)
    assert_folded(world, range(100))
    assert ([], set()) == (world.dead_letters.letters, hold_reasons(world))
    assert_accounted(world)
    await member.stop()


@scenario
async def test_a_revoked_token_in_the_middle_of_an_upload(world: World) -> None:
    """A new token, the same file, no hold."""
    write(world, range(100))
    member = world.member()
    await member.start(0)
    world.faults("upload nth=1 revoke-tokens")
    await world.until(member.settled)
    assert_folded(world, range(100))
    await member.stop()


@scenario
async def test_a_job_that_hangs_is_a_hold_and_never_sent_again(world: World) -> None:
    """It is polled for a day, and its rows are in no other job; when it ends, all continues."""
    write(world, range(1, 5))
    world.faults("close-job nth=1 hang-job")
    member = world.member()
    await member.start(0)
    await world.until(lambda: HoldReason.SINK in hold_reasons(world), within_s=5_000.0)
    await world.clock.sleep(86_400)
    assert 1 == len(world.tenant.bulk.jobs)
    (job,) = world.tenant.bulk.jobs.values()
    job.fault = None
    await world.until(member.settled)
    assert set() == hold_reasons(world)
    await member.stop()


@scenario
async def test_another_job_on_the_object_is_waited_for_with_a_hold(world: World) -> None:
    """A foreign job is left untouched until it has been open and unchanged for half an hour."""
    member = world.member()
    await member.start(0)
    write(world, range(100))
    world.faults("create-job nth=1 status=500 after")
    await world.until(
        lambda: "waiting for job" in (member.status().bulk[0].phase or ""), within_s=400.0
    )
    first = next(iter(world.tenant.bulk.jobs))
    assert first in (member.status().bulk[0].phase or "")
    await world.until(lambda: HoldReason.SINK in hold_reasons(world), within_s=1_000.0)
    assert "Open" == world.tenant.bulk.jobs[first].state
    await world.until(member.settled, within_s=4_000.0)
    assert "Aborted" == world.tenant.bulk.jobs[first].state
    assert_folded(world, range(100))
    assert set() == hold_reasons(world)
    await member.stop()


@scenario
async def test_only_a_row_that_csv_cannot_carry_is_dead_lettered(world: World) -> None:
    """Its neighbours go with the job."""
    world.change(1, "c", email="a@x.io")
    world.change(2, "c", email="x" * 1_100_000)
    member = world.member()
    await member.start(0)
    await world.until(member.settled)
    assert (["RECORD_SIZE"], ["1"]) == (
        world.dead_letter_reasons(),
        [*world.tenant.rows("customers")],
    )
    await member.stop()


def test_the_spool_is_empty_afterwards(tmp_path: Path) -> None:
    """No file and no journal of a job outlives its outcome."""
    VirtualLoop.run(_to_its_end(str(tmp_path)))
    assert ["lock"] == [path.name for path in tmp_path.rglob("*") if path.is_file()]


async def _to_its_end(folder: str) -> None:
    world = bulk_world(folder)
    write(world, range(100))
    member = world.member()
    await member.start(0)
    await world.until(member.settled)
    await member.stop()


def test_records_of_several_routes_do_not_stop_the_stream() -> None:
    """With a bulk and a streaming route on one topic, a full memory makes the job come early."""
    with TemporaryDirectory() as folder:
        VirtualLoop.run(_two_routes(folder))


async def _two_routes(folder: str) -> None:
    bulk_route = RouteSettings(
        topics=(TOPIC,),
        object="customers",
        format="debezium",
        destination="bulk",
        flush=FlushSettings(every_s=86_400.0),
    )
    people = msgspec.structs.replace(CUSTOMERS, name="people")
    world = World(
        settings(
            objects=(CUSTOMERS, people),
            routes=(bulk_route, RouteSettings(topics=(TOPIC,), object="people", format="debezium")),
            delivery=DeliverySettings(spool_dir=folder, buffer_bytes=400_000),
        )
    )
    write(world, range(500))
    member = world.member()
    await member.start(0)
    await world.until(
        lambda: member.status().ledger.polled == 950 and len(world.tenant.rows("people")) == 400
    )
    assert_folded(world, range(500), "people")
    await member.kill()


NO_SPACE = OSError(errno.ENOSPC, "No space left on device")


@scenario
async def test_a_full_disk_holds_its_object_and_nothing_else(world: World) -> None:
    """The other route continues; every row is sent once there is space, within 30 s."""
    member = world.member()
    await member.start(0)
    member.source.assign([("views", 0)])
    write(world, range(100))
    no_space = disk_error(NO_SPACE, Path("spool"))
    with patch.object(Spool, "_write", side_effect=no_space):
        write(world, range(100, 400))
        await world.until(lambda: HoldReason.SPOOL in hold_reasons(world))
        for at in range(50):
            world.put(b'{"id":"%d","page":"/","at":"2025-06-15T00:00:00Z"}' % at, topic="views")
        await world.until(lambda: world.log.committed.get(("views", 0)) == 50)
        await world.clock.sleep(2 * EVERY_S)
        assert [] == requests_of(world, *STEPS)
        [held] = member.status().holds
    assert "set delivery.spool_dir" in held.detail
    await world.clock.sleep(31)
    assert HoldReason.SPOOL not in hold_reasons(world)
    await world.until(member.settled)
    assert_folded(world, range(400))
    assert_accounted(world)
    await member.stop()


@scenario
async def test_job_files_that_do_not_fit_are_a_hold(world: World) -> None:
    """No job begins without its files; it begins when they fit."""
    member = world.member()
    await member.start(0)
    write(world, range(100))
    await world.clock.sleep(EVERY_S / 2)
    with patch.object(CsvFiles, "_put", side_effect=NO_SPACE):
        await world.until(lambda: HoldReason.SPOOL in hold_reasons(world))
        await world.clock.sleep(EVERY_S)
        assert [] == requests_of(world, *STEPS)
    await world.until(member.settled)
    assert_folded(world, range(100))
    assert set() == hold_reasons(world)
    await member.stop()
