"""A process that was stopped for longer than its session sends nothing when it wakes.

Another member owns its partitions by then. The event loop may run before the consumer thread has
noticed, with retries that are due at once.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import pytest

from consumer.sandbox.wire import Endpoint
from consumer.source.lease import OwnershipGate
from tests.simulation.scenarios import assert_accounted, scenario
from tests.simulation.world import TOPIC, Member, World

if TYPE_CHECKING:
    from consumer.sandbox.virtual_time import VirtualLoop

STOPPED_S = 60.0
CHANGING = {Endpoint.UPSERT, Endpoint.DELETE}


def sent_count(world: World) -> int:
    """Return how many requests that change rows have reached the tenant."""
    return sum(
        count
        for (endpoint, _status), count in world.tenant.requests.totals.items()
        if endpoint in CHANGING
    )


async def stop_with_requests_open(world: World) -> tuple[Member, Member, int]:
    """Stop a member whose batches wait for a retry; another one has its partition meanwhile.

    Returns: the stopped member, awake again for 5 s, the other one, and how many requests left in
    these 5 s.
    """
    first, second = world.member(), world.member()
    await first.start(0)
    await second.start()
    await world.until(lambda: first.status().in_flight > 0 and sent_count(world) > 1)
    # The clock goes on without the process: every timer of the first member is due at once.
    first.source.is_frozen = True
    cast("VirtualLoop", asyncio.get_running_loop()).jump(STOPPED_S)
    world.log.readers.remove(first.source)
    before = sent_count(world)
    await asyncio.sleep(5.0)
    return first, second, sent_count(world) - before


async def recover(world: World, first: Member, second: Member) -> None:
    """Report the partition as lost, give it to the other member, and wait for the end."""
    first.source.lose([(TOPIC, 0)])
    first.source.is_frozen = False
    world.faults("")
    second.source.assign([(TOPIC, 0)])
    await world.until(second.settled)


def world_of(operation: str) -> World:
    """Return a tenant that answers 503, and changes of a hundred keys, three for each."""
    world = World()
    for number in range(300):
        world.change(number % 100, operation if number >= 200 else "u", age=number)
    world.faults("upsert/customers status=503; delete/customers status=503")
    return world


@pytest.mark.holds("I3", "I7")
@pytest.mark.parametrize("operation", ["u", "d"])
@scenario
async def test_it_sends_nothing_before_the_group_has_confirmed_it(operation: str) -> None:
    """I3: no upsert and no delete leaves, and the rows end as their newest state."""
    world = world_of(operation)
    first, second, late_count = await stop_with_requests_open(world)
    assert 0 == late_count
    await recover(world, first, second)
    rows = world.tenant.rows("customers")
    expected = {} if operation == "d" else {str(key): 200 + key for key in range(100)}
    assert expected == {key: row["age"] for key, row in rows.items()}
    assert_accounted(world)


@scenario
async def test_it_continues_when_the_group_has_confirmed_it() -> None:
    """The member still owned its partition: nothing is lost, and no restart is needed."""
    world = world_of("u")
    first, second, _ = await stop_with_requests_open(world)
    world.faults("")
    first.source.is_frozen = False
    world.log.readers.append(first.source)
    await world.until(first.settled)
    assert 100 == len(world.tenant.rows("customers"))
    await first.stop()
    await second.stop()


@scenario
async def test_no_dead_letter_leaves_either() -> None:
    """A dead letter that waits for its topic is not sent again by a stopped member."""
    world = World()
    first = world.member()
    await first.start(0)
    world.dead_letters.break_down()
    world.put(b"not JSON")
    await world.until(lambda: bool(first.status().holds))
    first.source.is_frozen = True
    cast("VirtualLoop", asyncio.get_running_loop()).jump(STOPPED_S)
    world.dead_letters.recover()
    await asyncio.sleep(60.0)
    assert [] == world.dead_letters.letters
    first.source.is_frozen = False
    await world.until(first.settled)
    assert ["DECODE_SYNTAX"] == world.dead_letter_reasons()
    await first.stop()


@scenario
async def test_the_check_sees_a_member_without_a_gate() -> None:
    """Planted: requests leave at once after the process wakes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OwnershipGate, "is_open", lambda _: True)
        world = world_of("u")
        first, second, late_count = await stop_with_requests_open(world)
        assert late_count > 0
        await recover(world, first, second)
