"""Partitions come and go with and without notice: no loss, no commit for foreign partitions."""

from __future__ import annotations

import asyncio

import pytest

from tests.simulation.scenarios import assert_accounted, scenario
from tests.simulation.world import TOPIC, World


@pytest.mark.holds("I5")
@scenario
async def test_a_stop_drains_and_a_restart_repeats_nothing() -> None:
    """I5: with a tenant that answers, SIGTERM in the middle causes no duplicate and no loss."""
    world = World()
    for key in range(20_000):
        world.change(key, "c", email=f"{key}@x.io")
    first = world.member()
    await first.start(0)
    await world.until(lambda: first.status().ledger.accepted > 3_000)
    await first.stop()
    assert 0 < world.log.committed[TOPIC, 0] < 20_000
    second = world.member()
    await second.start(0)
    await world.until(second.settled)
    accepted = [key for one in world.tenant.acceptances("customers") for key in one.keys]
    assert 20_000 == len(accepted) == len(set(accepted))
    await second.stop()


@pytest.mark.holds("I1")
@scenario
async def test_a_kill_loses_nothing() -> None:
    """I1: after a kill the next process repeats the uncommitted records, and every row arrives."""
    world = World(latency_s=10.0)
    for key in range(20_000):
        world.change(key % 5_000, "u", email=f"{key}@x.io", age=key)
    first = world.member()
    await first.start(0)
    await world.until(lambda: (TOPIC, 0) in world.log.committed)
    assert first.status().ledger.open
    await first.kill()
    second = world.member()
    await second.start(0)
    await world.until(second.settled)
    rows = world.tenant.rows("customers")
    assert {str(key): 15_000 + key for key in range(5_000)} == {
        key: row["age"] for key, row in rows.items()
    }
    await second.stop()


@pytest.mark.holds("I5")
@scenario
async def test_a_revoked_partition_is_committed_before_it_goes() -> None:
    """I3, I5: the next owner starts where the first ended, which sends nothing afterwards."""
    world = World()
    for key in range(10_000):
        world.change(key, "c", partition=key % 2, email=f"{key}@x.io")
    first, second = world.member(), world.member()
    await first.start(0, 1)
    await second.start()
    await world.until(lambda: first.status().ledger.accepted > 1_000)
    first.source.revoke([(TOPIC, 1)])
    await world.until(lambda: [0] == [one.partition for one in first.status().assignment])
    second.source.assign([(TOPIC, 1)])
    await world.until(lambda: first.settled() and second.settled())
    accepted = [key for one in world.tenant.acceptances("customers") for key in one.keys]
    assert 10_000 == len(accepted) == len(set(accepted))
    offsets = [offset for (_, partition), offset in world.log.commits if partition == 1]
    assert sorted(offsets) == offsets
    await first.stop()
    await second.stop()


@pytest.mark.holds("I3", "I6")
@scenario
async def test_a_lost_partition_commits_nothing_any_more() -> None:
    """I3, I6: after a loss the old owner sends no commit and no request; the new one does."""
    world = World(latency_s=1.0)
    for key in range(2_000):
        world.change(key, "c", email=f"{key}@x.io")
    first, second = world.member(), world.member()
    await second.start()
    await first.start(0)
    await world.until(lambda: first.daemon.status.snapshot().in_flight > 0)
    before = len(world.log.commits), world.tenant.acceptances("customers")
    first.source.lose([(TOPIC, 0)])
    await asyncio.sleep(30)
    assert before == (len(world.log.commits), world.tenant.acceptances("customers"))
    assert 0 == first.status().ledger.open
    second.source.assign([(TOPIC, 0)])
    await world.until(second.settled)
    assert 2_000 == len(world.tenant.rows("customers"))
    assert_accounted(world)
    await first.stop()
    await second.stop()


@pytest.mark.holds("I6")
@scenario
async def test_a_drain_that_cannot_end_releases_at_its_deadline() -> None:
    """I3: a tenant that does not answer costs the drain budget; nothing unsettled is committed."""
    world = World()
    for key in range(100):
        world.change(key, "c", email=f"{key}@x.io")
    member = world.member()
    await member.start()
    world.faults("upsert status=503")
    member.source.assign([(TOPIC, 0)])
    await asyncio.sleep(5)
    began_s = world.clock.now_s()
    await member.stop()
    assert world.clock.now_s() - began_s <= 25
    assert 0 == world.log.committed[TOPIC, 0]
    assert_accounted(world)


@pytest.mark.holds("I4")
@scenario
async def test_failed_commits_go_out_again() -> None:
    """I4: a refused commit is repeated while the partition is owned."""
    world = World()
    world.change(1, "c", email="a@x.io")
    member = world.member()
    await member.start()
    member.source.refuse_commits = "coordinator is loading"
    member.source.assign([(TOPIC, 0)])
    await asyncio.sleep(10)
    assert {} == world.log.committed
    member.source.refuse_commits = None
    await world.until(member.settled)
    await member.stop()
