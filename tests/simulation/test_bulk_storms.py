"""Bulk jobs of several members under faults, kills and moving partitions, checked by the fold."""

from __future__ import annotations

import asyncio
import random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec
import pytest

from consumer.mapping.settings import FlushSettings
from consumer.sandbox.virtual_time import VirtualLoop
from tests.simulation.scenarios import assert_accounted
from tests.simulation.test_bulk import bulk_world
from tests.simulation.world import CUSTOMERS, TOPIC

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.mapping.settings import ObjectSettings
    from tests.simulation.world import Member, World

PARTITIONS = 4
STEPS = 25
KEYS = 300
"""So many that most are written once or twice: a later change then does not hide a lost one."""

UNVERSIONED = msgspec.structs.replace(CUSTOMERS, record_modified=None)
FAULTS = (
    "",
    "close-job ratio=0.6 fail-job",
    "close-job ratio=0.6 vanish-job",
    "upload ratio=0.4 reset after",
    "upload ratio=0.4 reset; close-job ratio=0.3 reset after",
    "create-job ratio=0.3 status=503; job ratio=0.3 status=500",
    "create-job ratio=0.2 reset after",
    "any ratio=0.1 revoke-tokens",
    "upload delay=30s; job delay=15s",
)


class Storm:
    """Writes records, breaks things, moves partitions; knows the rows that must result."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.rng = random.Random(seed)  # noqa: S311 - a schedule, not a secret
        self.fold: dict[str, int] = {}
        self.age = 0
        self.owner: dict[int, Member] = {}

    def write(self, count: int) -> None:
        """Write changes of few keys, each always to the same partition."""
        for _ in range(count):
            key = self.rng.randrange(KEYS)
            self.age += 1
            partition, ts_ms = key % PARTITIONS, 1_750_000_000_000 + self.age
            if self.rng.random() < 0.2:
                self.fold.pop(str(key), None)
                self.world.change(key, "d", partition=partition, ts_ms=ts_ms)
            else:
                self.fold[str(key)] = self.age
                self.world.change(key, "u", partition=partition, ts_ms=ts_ms, age=self.age)

    async def join(self) -> Member:
        """Start a member that owns nothing yet."""
        member = self.world.member()
        await member.start()
        return member

    async def give(self, partition: int, member: Member) -> None:
        """Move a partition, by a revocation or a loss."""
        before = self.owner.pop(partition, None)
        if before is member:
            self.owner[partition] = member
            return
        if before is not None:
            place = (TOPIC, partition)
            if self.rng.random() < 0.5:
                before.source.lose([place])
            else:
                before.source.revoke([place])
            await self.world.until(lambda: before.source.ownership(place) is None)
        member.source.assign([(TOPIC, partition)])
        self.owner[partition] = member

    async def end(self, member: Member, *, killed: bool) -> None:
        """End a member; its partitions have no owner then."""
        if killed:
            await member.kill()
        else:
            await member.stop()
        self.owner = {partition: one for partition, one in self.owner.items() if one is not member}

    async def run_for(self, faults: Sequence[str], steps: int) -> list[Member]:
        """Write, break and move with two members, then repair all; return the live members."""
        world, rng = self.world, self.rng
        members = [await self.join(), await self.join()]
        for partition in range(PARTITIONS):
            await self.give(partition, rng.choice(members))
        for _ in range(steps):
            self.write(rng.randrange(40))
            world.faults(rng.choice(faults).replace("ratio", f"seed={rng.randrange(1_000)} ratio"))
            act = rng.randrange(5)
            if act == 0:
                await self.give(rng.randrange(PARTITIONS), rng.choice(members))
            elif act == 1:
                leaving = members.pop(rng.randrange(len(members)))
                await self.end(leaving, killed=rng.random() < 0.5)
                members.append(await self.join())
                for partition in range(PARTITIONS):
                    if partition not in self.owner:
                        await self.give(partition, rng.choice(members))
            await asyncio.sleep(rng.uniform(0.0, 200.0))
        world.faults("")
        await world.until(lambda: all(member.settled() for member in members), within_s=40_000.0)
        return members


@pytest.mark.holds("I1")
@pytest.mark.parametrize("versioned", [True, False], ids=["versioned", "unversioned"])
@pytest.mark.parametrize("seed", range(6))
def test_the_tenant_holds_the_fold_after_a_storm(seed: int, versioned: bool) -> None:  # noqa: FBT001 - a case
    """No loss, no open job, every position at its end, and no older row wins, even undated."""
    with TemporaryDirectory() as folder:
        VirtualLoop.run(_storm(folder, seed, CUSTOMERS if versioned else UNVERSIONED))


async def _storm(folder: str, seed: int, described: ObjectSettings) -> None:
    world = bulk_world(folder, flush=FlushSettings(every_s=90.0, bytes=3_000), described=described)
    storm = Storm(world, seed)
    members = await storm.run_for(FAULTS, STEPS)
    assert storm.fold == {key: row["age"] for key, row in world.tenant.rows("customers").items()}
    assert {"JobComplete", "Failed", "Aborted"} >= {
        job.state for job in world.tenant.bulk.jobs.values()
    }
    assert [] == world.dead_letters.letters
    assert_accounted(world)
    for member in members:
        await member.stop()
