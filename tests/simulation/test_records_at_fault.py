"""Records at fault are found among their neighbours and written to the dead-letter topic."""

from __future__ import annotations

import asyncio

import pytest

from consumer.dead_letter.settings import DeadLetterSettings
from consumer.delivery.settings import DeliverySettings
from consumer.errors import Fatal, HoldReason
from consumer.sandbox.wire import Endpoint
from tests.simulation.scenarios import assert_accounted, hold_reasons, scenario
from tests.simulation.world import TOPIC, World, settings


@pytest.mark.holds("I13")
@scenario
async def test_one_bad_record_is_found_among_512_within_18_extra_requests() -> None:
    """J11: exactly the record at fault is dead-lettered, its neighbours are accepted."""
    world = World(settings(delivery=DeliverySettings(linger_s=2.0)))
    world.faults("ingest poison=email:bad@x.io")
    for key in range(512):
        world.change(key, "c", email="bad@x.io" if key == 300 else "good@x.io")
    member = world.member()
    await member.start(0)
    await world.until(member.settled)
    assert ["SINK_REJECTED"] == world.dead_letter_reasons()
    assert 511 == len(world.tenant.rows("customers"))
    assert len([line for line in world.tenant.requests if line.object]) <= 1 + 1 + 18
    assert_accounted(world)
    await member.stop()


@pytest.mark.holds("I13")
@scenario
async def test_one_bad_record_is_found_by_halving_when_validation_does_not_help() -> None:
    """J11: without the validation call at most 2·ceil(log2 n) extra requests are needed."""
    world = World(settings(delivery=DeliverySettings(linger_s=2.0)))
    world.faults("test status=500; ingest poison=email:bad@x.io")
    for key in range(512):
        world.change(key, "c", email="bad@x.io" if key == 300 else "good@x.io")
    member = world.member()
    await world.until(lambda: True)
    task = asyncio.create_task(member.daemon.run())
    await asyncio.sleep(0.5)
    world.faults("ingest poison=email:bad@x.io")
    await world.until(lambda: not member.status().holds and hasattr(member.source, "_events"))
    world.faults("test status=500; ingest poison=email:bad@x.io")
    member.source.assign([(TOPIC, 0)])
    await world.until(member.settled)
    upserts = [line for line in world.tenant.requests if line.endpoint is Endpoint.UPSERT]
    assert ["SINK_REJECTED"] == world.dead_letter_reasons()
    assert len(upserts) <= 1 + 18
    member.daemon.stop()
    await task


@pytest.mark.holds("I12")
@scenario
async def test_everything_rejected_is_a_hold_and_not_a_flood() -> None:
    """J12: after 20 rejected rows the lane holds with 20 dead letters; it recovers by itself."""
    world = World()
    world.faults("ingest poison=email:bad@x.io")
    for key in range(300):
        world.change(key, "c", email="bad@x.io")
    member = world.member()
    await member.start(0)
    await world.until(lambda: HoldReason.MASS_REJECT in hold_reasons(world))
    await asyncio.sleep(600)
    assert len(world.dead_letters.letters) <= 20
    assert HoldReason.MASS_REJECT in hold_reasons(world)
    world.faults("")
    await world.until(lambda: not hold_reasons(world), within_s=31)
    await world.until(member.settled)
    assert 300 == len(world.dead_letters.letters) + len(world.tenant.rows("customers"))
    assert_accounted(world)
    await member.stop()


@pytest.mark.holds("I1")
@scenario
async def test_a_dead_letter_outage_holds_only_the_partitions_concerned() -> None:
    """The partition of the bad record waits, the other continues; then the record is there."""
    world = World()
    world.dead_letters.break_down()
    member = world.member()
    world.dead_letters.recover()
    await member.start()
    world.dead_letters.break_down()
    world.put(b"not json", partition=0)
    for key in range(100):
        world.change(key, "c", partition=key % 2, email=f"{key}@x.io")
    member.source.assign([(TOPIC, 0), (TOPIC, 1)])
    await asyncio.sleep(1800)
    assert {HoldReason.DEAD_LETTER} == hold_reasons(world)
    assert (0, 50) == (world.log.committed[TOPIC, 0], world.log.committed[TOPIC, 1])
    world.dead_letters.recover()
    await world.until(member.settled, within_s=60)
    assert ["DECODE_SYNTAX"] == world.dead_letter_reasons()
    assert not hold_reasons(world)
    await member.stop()


@scenario
async def test_a_last_record_that_is_dead_lettered_moves_the_position() -> None:
    """The position passes a record once its dead letter is confirmed, also the last one."""
    world = World()
    world.put(b"{")
    member = world.member()
    await member.start(0)
    await world.until(member.settled)
    assert 1 == world.log.committed[TOPIC, 0]
    await member.stop()


@scenario
async def test_a_run_of_bad_records_is_a_hold_and_drips() -> None:
    """The fuse: 20 bad records in a row hold the topic; a few pass, and a good one ends it."""
    world = World()
    for _ in range(24):
        world.put(b"{")
    for key in range(10):
        world.change(key, "c", email="a@x.io")
    member = world.member()
    await member.start(0)
    await world.until(lambda: HoldReason.MASS_REJECT in hold_reasons(world))
    assert 20 == len(world.dead_letters.letters)
    await world.until(member.settled, within_s=300)
    assert 24 == len(world.dead_letters.letters)
    assert 10 == len(world.tenant.rows("customers"))
    assert not hold_reasons(world)
    assert_accounted(world)
    await member.stop()


@scenario
async def test_on_fault_stop_ends_the_daemon_before_the_record() -> None:
    """`dead_letter.on_fault: stop` commits up to the record, stops, and names its place."""
    world = World(settings(dead_letter=DeadLetterSettings(on_fault="stop")))
    world.change(1, "c", email="a@x.io")
    world.put(b"{")
    world.change(2, "c", email="a@x.io")
    member = world.member()
    await member.start(0)
    assert member.task is not None
    with pytest.raises(Fatal, match=rf"{TOPIC}\[0\]@1: DECODE_SYNTAX"):
        await member.task
    assert 1 == world.log.committed[TOPIC, 0]
    assert [] == world.dead_letters.letters
