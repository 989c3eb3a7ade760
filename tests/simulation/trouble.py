"""A daemon that has passed its checks and a log to deliver, for tests in which something fails."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from consumer.sandbox.virtual_time import VirtualLoop
from tests.simulation.world import TOPIC, World

if TYPE_CHECKING:
    from tests.simulation.world import Member

PARTITIONS = 4
POISON = "ingest poison=email:bad@x.io"


async def begin(world: World, faults: str) -> Member:
    """Start a daemon that has passed its checks, then put faults in force."""
    member = world.member()
    await member.start()
    world.faults(faults)
    member.source.assign([(TOPIC, partition) for partition in range(PARTITIONS)])
    return member


def fill(world: World, count: int, poison_every: int = 0) -> int:
    """Write inserts, some of them poison; return how many are."""
    for key in range(count):
        bad = bool(poison_every) and key % poison_every == poison_every - 1
        world.change(
            key, "c", partition=key % PARTITIONS, email="bad@x.io" if bad else f"{key}@x.io"
        )
    return count // poison_every if poison_every else 0


class Carried(NamedTuple):
    """How one log was delivered."""

    duration_s: float
    requests: int
    letters: int
    rows: int
    largest_batch: int
    was_held: bool


def carry(count: int, poison_every: int = 0, *, faults: str = POISON) -> Carried:
    """Deliver a log of so many inserts to its end."""

    async def steps() -> Carried:
        world = World()
        member = await begin(world, faults)
        await world.until(lambda: member.status().rate.share == 1.0)
        poisoned = fill(world, count, poison_every)
        began_s, began = world.clock.now_s(), world.tenant.requests.totals.total()
        was_held = False
        while not member.settled():
            await asyncio.sleep(0.1)
            was_held = was_held or bool(member.status().holds)
            assert world.clock.now_s() - began_s < 3_600, member.status()
        rows = world.tenant.rows("customers")
        assert count - poisoned == len(rows)
        await member.stop()
        return Carried(
            duration_s=world.clock.now_s() - began_s,
            requests=world.tenant.requests.totals.total() - began,
            letters=len(world.dead_letters.letters),
            rows=len(rows),
            largest_batch=max(line.records for line in world.tenant.requests),
            was_held=was_held,
        )

    return VirtualLoop.run(steps())
