"""The daemon's promises, one story each, on virtual time. The ids are those of the promises and of bad inputs."""

from __future__ import annotations

import asyncio
import inspect
import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from consumer.dead_letter.settings import DeadLetterSettings
from consumer.delivery.settings import DeliverySettings
from consumer.errors import Fatal, HoldReason
from consumer.operations.reconciliation import differences
from consumer.sandbox.virtual_time import VirtualLoop
from consumer.sandbox.wire import Endpoint
from tests.simulation.world import TOPIC, World, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


def story(told: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a coroutine test in virtual time."""

    def test() -> None:
        VirtualLoop.run(told())

    test.__doc__ = inspect.getdoc(told)
    test.__name__ = told.__name__
    return test


def hold_reasons(world: World) -> set[HoldReason]:
    """Return what the first member is held by."""
    return {hold.reason for hold in world.members[0].status().holds}


def assert_accounted(world: World) -> None:
    """The ledger's identity holds for every member, and for those alive by partition and by object too."""
    for member in world.members:
        ledger = member.status().ledger
        assert ledger.polled == (
            ledger.accepted + ledger.conflated + ledger.filtered + ledger.dead_lettered + ledger.open
        )
        if member.task is None or member.task.done():
            continue  # what it held went with it
        facts = member.daemon.facts
        assert [] == differences(msgspec.structs.replace(facts.status(), accounts=facts.accounts()))


@story
async def test_rows_are_the_fold_of_the_log() -> None:
    """Inserts, updates and deletes of several partitions arrive; positions reach the end; all is accounted for."""
    world = World()
    for key in range(500):
        world.change(key, "c", partition=key % 3, email=f"{key}@x.io", age=1)
    for key in range(0, 500, 2):
        world.change(key, "u", partition=key % 3, email=f"{key}@y.io", age=2)
    for key in range(0, 500, 5):
        world.change(key, "d", partition=key % 3)
    member = world.member()
    await member.start(0, 1, 2)
    await world.until(member.settled)
    await member.stop()
    rows = world.tenant.rows("customers")
    assert {str(key) for key in range(500) if key % 5} == set(rows)
    assert {2} == {rows[str(key)]["age"] for key in range(0, 500, 2) if key % 5}
    assert_accounted(world)
    ledger = member.status().ledger
    assert (100, 0) == (ledger.filtered, ledger.open)


@story
async def test_a_full_body_is_filled_to_the_limit_and_never_over_it() -> None:
    """I-size: under load every body but the last is at least 97 % full, and none is over the limit."""
    world = World()
    member = world.member()
    await member.start(0)
    await world.until(lambda: member.status().rate.share == 1.0)
    for key in range(5_000):
        world.change(key, "c", email=f"{key}@example.com" * 10)
    await world.until(member.settled)
    sizes = [line.body_bytes for line in world.tenant.requests if line.endpoint is Endpoint.UPSERT]
    assert max(sizes) <= 200_000
    assert min(sizes[:-1]) >= 0.97 * 200_000
    await member.stop()


@story
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


@story
async def test_one_bad_record_is_found_by_halving_when_validation_does_not_help() -> None:
    """J11: without the validation call's help at most 2·ceil(log2 n) extra requests find the record."""
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


@story
async def test_everything_rejected_is_a_hold_and_not_a_flood() -> None:
    """J12: after 20 single rejections the lane holds; at most 20 dead letters; it recovers by itself."""
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


@story
async def test_an_expired_token_costs_one_refresh() -> None:
    """J14: many senders, one token request, no dead letter, nothing lost."""
    world = World()
    for key in range(20_000):
        world.change(key, "c", email=f"{key}@x.io")
    world.faults("upsert nth=5 revoke-tokens")
    member = world.member()
    await member.start(0)
    await world.until(member.settled)
    assert 2 == world.tenant.requests.totals[Endpoint.EXCHANGE, 200]
    assert 20_000 == len(world.tenant.rows("customers"))
    assert [] == world.dead_letter_reasons()
    await member.stop()


@pytest.mark.parametrize("status", [408, 425, 500, 502, 503, 504, 429])
def test_the_moments_faults_are_outlasted(status: int) -> None:
    """J18: half an hour of it loses nothing, dead-letters nothing, and delivery goes on by itself."""

    async def told() -> None:
        world = World()
        for key in range(50):
            world.change(key, "c", email=f"{key}@x.io")
        member = world.member()
        await member.start()
        world.faults(f"upsert status={status}")
        member.source.assign([(TOPIC, 0)])
        await asyncio.sleep(1800)
        assert {} == world.tenant.rows("customers")
        assert {} == {place: offset for place, offset in world.log.committed.items() if offset}
        world.faults("")
        await world.until(member.settled, within_s=60)
        assert 50 == len(world.tenant.rows("customers"))
        assert [] == world.dead_letter_reasons()
        await member.stop()

    VirtualLoop.run(told())


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        pytest.param("upsert/customers status=404", HoldReason.CONFIG, id="404"),
        pytest.param("upsert/customers status=403", HoldReason.AUTH, id="J16"),
        pytest.param("upsert/customers status=409", HoldReason.SINK, id="J19"),
        pytest.param("upsert/customers status=207", HoldReason.SINK, id="J08"),
        pytest.param("upsert/customers html", HoldReason.SINK, id="html"),
        pytest.param("upsert/customers redirect=https://elsewhere.test/", HoldReason.CONFIG, id="redirect"),
    ],
)
def test_a_fault_of_the_set_up_holds_its_object_alone(fault: str, reason: HoldReason) -> None:
    """I12: nothing is dead-lettered or committed, the other object goes on, the hold ends with its cause."""

    async def told() -> None:
        world = World()
        member = world.member()
        await member.start()
        world.faults(fault)
        for key in range(50):
            world.change(key, "c", email=f"{key}@x.io")
            world.put(b'{"id":"%d","page":"/","at":"2025-06-15T00:00:00Z"}' % key, topic="views")
        member.source.assign([(TOPIC, 0), ("views", 0)])
        await world.until(lambda: {reason} == hold_reasons(world), within_s=60)
        await asyncio.sleep(300)
        assert 50 == world.log.committed["views", 0]
        assert 0 == world.log.committed[TOPIC, 0]
        assert [] == world.dead_letter_reasons()
        world.faults("")
        await world.until(lambda: not hold_reasons(world), within_s=31)
        await world.until(member.settled)
        assert 50 == len(world.tenant.rows("customers"))
        await member.stop()

    VirtualLoop.run(told())


@story
async def test_a_stop_drains_and_a_restart_repeats_nothing() -> None:
    """I5: with a tenant that answers, SIGTERM in the middle causes no duplicate and loses nothing."""
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


@story
async def test_a_kill_loses_nothing() -> None:
    """I1: after a kill in the middle the next process repeats what was not committed, and every row arrives."""
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
    assert {str(key): 15_000 + key for key in range(5_000)} == {key: row["age"] for key, row in rows.items()}
    await second.stop()


@story
async def test_a_revoked_partition_is_committed_before_it_goes() -> None:
    """I3, I5: the next owner starts where the first ended; nothing is sent or committed for it afterwards."""
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


@story
async def test_a_lost_partition_commits_nothing_any_more() -> None:
    """I3, I6: after a loss no commit and no request of the old owner; the new owner brings everything."""
    world = World(latency_s=1.0)
    for key in range(2_000):
        world.change(key, "c", email=f"{key}@x.io")
    first, second = world.member(), world.member()
    await second.start()
    await first.start(0)
    await world.until(lambda: first.daemon.facts.status().in_flight > 0)
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


@story
async def test_a_drain_that_cannot_end_lets_go_at_its_deadline() -> None:
    """I3: a tenant that does not answer costs the drain budget, and nothing is committed that is not settled."""
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


@story
async def test_holes_and_markers_at_the_end_do_not_keep_lag() -> None:
    """I2, H13: offsets without records are passed over, also at the end."""
    world = World()
    world.change(1, "c", email="a@x.io")
    world.log.leave_hole(TOPIC, 0, 5)
    world.change(2, "c", email="b@x.io")
    world.log.leave_hole(TOPIC, 0, 2)
    member = world.member()
    await member.start(0)
    await world.until(member.settled)
    assert 9 == world.log.committed[TOPIC, 0]
    await member.stop()


@story
async def test_a_dead_letter_outage_holds_the_partitions_concerned_alone() -> None:
    """The partition of the bad record waits, the other goes on; then the record is there, once or more."""
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


@story
async def test_a_last_record_that_is_dead_lettered_moves_the_position() -> None:
    """The position passes a record at fault once its letter is there, also at the end of a partition."""
    world = World()
    world.put(b"{")
    member = world.member()
    await member.start(0)
    await world.until(member.settled)
    assert 1 == world.log.committed[TOPIC, 0]
    await member.stop()


@story
async def test_a_run_of_bad_records_is_a_hold_and_drips() -> None:
    """The fuse: 20 bad records in a row hold the topic; it drips, does not flood, and ends with a good one."""
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


@story
async def test_on_fault_stop_ends_the_daemon_before_the_record() -> None:
    """`dead_letter.on_fault: stop`: what is before the record is committed, nothing beyond, and it says where."""
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


@story
async def test_what_is_open_stays_within_the_buffer() -> None:
    """I15: with a tenant that does not answer, intake pauses; it goes on when the tenant does."""
    world = World(settings(delivery=DeliverySettings(buffer_bytes=500_000)))
    for key in range(5_000):
        world.change(key, "c", email=f"{key}@x.io")
    member = world.member()
    await member.start()
    world.faults("upsert status=503")
    member.source.assign([(TOPIC, 0)])
    await asyncio.sleep(120)
    assert member.status().ledger.polled < 1_000
    world.faults("")
    await world.until(member.settled)
    assert 5_000 == len(world.tenant.rows("customers"))
    await member.stop()


@story
async def test_a_key_is_never_in_two_open_requests_and_never_goes_back() -> None:
    """I7: over upserts and deletes together, acceptances of a key are in log order, versions strictly rising."""
    world = World(latency_s=0.2)
    for at in range(20_000):
        key = at % 7
        world.change(key, "d" if at % 11 == 0 else "u", email=f"{at}@x.io", age=at, ts_ms=1_749_000_000_000)
    world.faults("ingest ratio=0.3 seed=3 status=503; ingest ratio=0.1 seed=4 reset after")
    member = world.member()
    await member.start(0)
    await world.until(member.settled, within_s=3_000)
    versions: dict[str, int] = {}
    for one in world.tenant.acceptances("customers"):
        for name, version in zip(one.keys, one.versions, strict=True):
            if version is not None:
                assert version >= versions.get(name, 0)
                versions[name] = version
    last = {at % 7: at for at in range(20_000)}
    expected = {str(key): at for key, at in last.items() if at % 11}
    assert expected == {key: row["age"] for key, row in world.tenant.rows("customers").items()}
    await member.stop()


@story
async def test_a_record_of_two_changes_follows_what_came_before_it() -> None:
    """A changed key in one record deletes the old row after the changes written to it in the same chunk."""
    world = World()
    ts_ms = 1_750_000_000_000
    world.change(1, "c", email="a@x.io", ts_ms=ts_ms)
    moved = {"op": "u", "before": {"id": 1}, "after": {"id": 2, "email": "a@x.io"}, "source": {"ts_ms": ts_ms + 1}}
    world.put(json.dumps(moved).encode())
    world.change(3, "c", email="c@x.io", ts_ms=ts_ms + 2)
    member = world.member()
    await member.start(0)
    await world.until(member.settled)
    assert ["2", "3"] == sorted(world.tenant.rows("customers"))
    assert_accounted(world)
    await member.stop()


@story
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


@story
async def test_a_start_without_tenant_waits_by_name() -> None:
    """A wrong object is a hold before the first record is read, and ends by itself."""
    world = World()
    world.change(1, "c", email="a@x.io")
    world.faults("test/customers status=404")
    member = world.member()
    task = asyncio.create_task(member.daemon.run())
    await asyncio.sleep(60)
    assert {HoldReason.CONFIG} == hold_reasons(world)
    assert not hasattr(member.source, "_events")
    world.faults("")
    await world.until(lambda: hasattr(member.source, "_events"), within_s=31)
    assert not hold_reasons(world)
    member.daemon.stop()
    await task
