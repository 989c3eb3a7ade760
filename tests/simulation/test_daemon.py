"""The daemon's promises, one scenario each, on virtual time; ids as in the lists of promises."""

from __future__ import annotations

import asyncio
import json

import pytest

from consumer.delivery.settings import DeliverySettings
from consumer.errors import HoldReason
from consumer.sandbox.wire import Endpoint
from tests.simulation.scenarios import assert_accounted, hold_reasons, scenario
from tests.simulation.world import TOPIC, World, settings


@pytest.mark.holds("I16")
@scenario
async def test_rows_are_the_fold_of_the_log() -> None:
    """Inserts, updates and deletes of several partitions arrive, and positions reach the end."""
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


@scenario
async def test_a_full_body_is_filled_to_the_limit_and_never_over_it() -> None:
    """I-size: under load every body but the last is 97 % full or more, none is over the limit."""
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


@scenario
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


@pytest.mark.holds("I8")
@pytest.mark.parametrize("status", [408, 425, 500, 502, 503, 504, 429])
@scenario
async def test_transient_faults_are_outlasted(status: int) -> None:
    """J18: half an hour of faults loses and dead-letters nothing; delivery resumes by itself."""
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


@pytest.mark.holds("I12")
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        pytest.param("upsert/customers status=404", HoldReason.CONFIG, id="404"),
        pytest.param("upsert/customers status=403", HoldReason.AUTH, id="J16"),
        pytest.param("upsert/customers status=409", HoldReason.SINK, id="J19"),
        pytest.param("upsert/customers status=207", HoldReason.SINK, id="J08"),
        pytest.param("upsert/customers html", HoldReason.SINK, id="html"),
        pytest.param(
            "upsert/customers redirect=https://elsewhere.test/", HoldReason.CONFIG, id="redirect"
        ),
    ],
)
@scenario
async def test_a_fault_of_the_set_up_holds_only_its_object(fault: str, reason: HoldReason) -> None:
    """I12: nothing is dead-lettered or committed, the other object continues, the hold ends."""
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


@pytest.mark.holds("I2")
@scenario
async def test_gaps_and_control_records_at_the_end_do_not_keep_lag() -> None:
    """I2, H13: offsets without records are passed, also at the end."""
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


@pytest.mark.holds("I15")
@scenario
async def test_unsettled_records_stay_within_the_buffer() -> None:
    """I15: while the tenant does not answer, intake pauses; it resumes with the tenant."""
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


@pytest.mark.holds("I7")
@scenario
async def test_a_key_is_never_in_two_open_requests_and_never_goes_back() -> None:
    """I7: over upserts and deletes, a key is accepted in log order with rising versions."""
    world = World(latency_s=0.2)
    for at in range(20_000):
        key = at % 7
        world.change(
            key, "d" if at % 11 == 0 else "u", email=f"{at}@x.io", age=at, ts_ms=1_749_000_000_000
        )
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


@scenario
async def test_a_record_of_two_changes_follows_the_changes_before_it() -> None:
    """A changed key deletes the old row after the changes of that row in the same chunk."""
    world = World()
    ts_ms = 1_750_000_000_000
    world.change(1, "c", email="a@x.io", ts_ms=ts_ms)
    moved = {
        "op": "u",
        "before": {"id": 1},
        "after": {"id": 2, "email": "a@x.io"},
        "source": {"ts_ms": ts_ms + 1},
    }
    world.put(json.dumps(moved).encode())
    world.change(3, "c", email="c@x.io", ts_ms=ts_ms + 2)
    member = world.member()
    await member.start(0)
    await world.until(member.settled)
    assert ["2", "3"] == sorted(world.tenant.rows("customers"))
    assert_accounted(world)
    await member.stop()


@pytest.mark.holds("I12")
@scenario
async def test_a_start_without_tenant_waits_with_a_hold() -> None:
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
