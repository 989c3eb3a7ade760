"""A daemon that has passed its checks, a log to carry, and then something goes wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.world import TOPIC

if TYPE_CHECKING:
    from tests.simulation.world import Member, World

PARTITIONS = 4


async def begin(world: World, faults: str) -> Member:
    """Start a daemon that has passed its checks, then let things go wrong."""
    member = world.member()
    await member.start()
    world.faults(faults)
    member.source.assign([(TOPIC, partition) for partition in range(PARTITIONS)])
    return member


def fill(world: World, count: int, poison_every: int = 0) -> int:
    """Write inserts, some of them poisoned; returns how many of them are."""
    for key in range(count):
        bad = bool(poison_every) and key % poison_every == poison_every - 1
        world.change(key, "c", partition=key % PARTITIONS, email="bad@x.io" if bad else f"{key}@x.io")
    return count // poison_every if poison_every else 0
