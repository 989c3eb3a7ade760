"""A topic with several routes: one dead letter per record and failing route, and no more."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from consumer.dead_letter.settings import DeadLetterSettings, FuseSettings
from consumer.errors import HoldReason
from consumer.mapping.settings import FieldType, ObjectSettings, RouteSettings
from tests.simulation.scenarios import assert_accounted, hold_reasons, scenario
from tests.simulation.world import CUSTOMERS, TOPIC, World, settings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consumer.dead_letter.port import DeadLetter

RANKS = ObjectSettings(
    name="ranks",
    fields={"id": FieldType.TEXT, "rank": FieldType.NUMBER, "updated_at": FieldType.DATE_TIME},
    primary_key="id",
    record_modified="updated_at",
)
ROUTES = [
    RouteSettings(topics=(TOPIC,), object=one.name, format="debezium") for one in (CUSTOMERS, RANKS)
]
NO_NUMBER = "many"


def world_of(*, fuse: int) -> World:
    """Return a world whose one topic fills two objects."""
    dead_letter = DeadLetterSettings(fuse=FuseSettings(consecutive=fuse))
    return World(settings(objects=[CUSTOMERS, RANKS], routes=ROUTES, dead_letter=dead_letter))


def addresses(letters: Iterable[DeadLetter]) -> Counter[tuple[int, str]]:
    """Return how many dead letters there are by offset and object."""
    headers = [dict(one.headers) for one in letters]
    return Counter(
        (int(one["__connect.errors.offset"] or b""), (one["datacloud.object"] or b"").decode())
        for one in headers
    )


@pytest.mark.parametrize("fuse", [1, 2, 3])
@scenario
async def test_a_record_that_both_routes_reject_has_a_dead_letter_for_each(fuse: int) -> None:
    """Even at the fuse's limit: a record is parked as a whole, or not at all."""
    world = world_of(fuse=fuse)
    for _ in range(7):
        world.put(b"{")
    world.change(1, "c", email="a@x.io")
    member = world.member()
    await member.start(0)
    await world.until(member.settled)
    expected = Counter((offset, route.object) for offset in range(7) for route in ROUTES)
    assert expected == addresses(world.dead_letters.letters)
    assert ({"1"}, {"1"}) == (set(world.tenant.rows("customers")), set(world.tenant.rows("ranks")))
    assert_accounted(world)
    await member.stop()


@scenario
async def test_the_fuse_counts_records_and_not_their_dead_letters() -> None:
    """It counts a record once, whatever number of routes it fails."""
    world = world_of(fuse=20)
    for _ in range(24):
        world.put(b"{")
    member = world.member()
    await member.start(0)
    await world.until(lambda: HoldReason.MASS_REJECT in hold_reasons(world))
    assert 20 == member.status().ledger.dead_lettered
    await member.stop()


@pytest.mark.parametrize("seed", range(6))
@scenario
async def test_each_fault_of_any_record_has_one_dead_letter(seed: int) -> None:
    """With runs that one route rejects, or the other, or both, and dead letters that wait."""
    rng = random.Random(seed)  # noqa: S311 - a schedule, not a secret
    world = world_of(fuse=rng.choice([1, 2, 3, 5]))
    expected: Counter[tuple[int, str]] = Counter()
    member = world.member()
    await member.start(0)
    for _ in range(20):
        age, rank = rng.choices([1, NO_NUMBER], k=2)
        for _ in range(rng.choice([1, 1, 2, 4])):
            offset = world.log.ends[TOPIC, 0]
            world.change(offset, "c", age=age, rank=rank)
            refusals = {"customers": age, "ranks": rank}
            expected.update(
                (offset, name) for name, detail in refusals.items() if detail == NO_NUMBER
            )
        if rng.random() < 0.2:
            world.dead_letters.break_down()
        await asyncio.sleep(rng.choice([0.01, 1.0, 20.0]))
        world.dead_letters.recover()
    await world.until(member.settled, within_s=2_000)
    assert expected == addresses(world.dead_letters.letters)
    assert_accounted(world)
    await member.stop()
