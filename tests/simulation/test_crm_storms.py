"""CRM jobs of several members under faults, kills and moving partitions, checked by the fold."""

from __future__ import annotations

from tempfile import TemporaryDirectory

import msgspec
import pytest

from consumer.mapping.settings import FieldRule, FlushSettings
from consumer.sandbox.virtual_time import VirtualLoop
from tests.simulation.crm import contacts, crm_route, crm_world
from tests.simulation.scenarios import assert_accounted
from tests.simulation.test_bulk_storms import Storm

STEPS = 20
FAULTS = (
    "",
    "close-job ratio=0.6 fail-job",
    "close-job ratio=0.6 stop-job",
    "close-job ratio=0.3 lock-job",
    "close-job ratio=0.4 vanish-job",
    "upload ratio=0.4 reset after",
    "upload ratio=0.4 reset; close-job ratio=0.3 reset after",
    "create-job ratio=0.3 status=503; job ratio=0.3 status=500",
    "results ratio=0.4 status=500; query ratio=0.3 reset",
    "create-job ratio=0.2 reset after",
    "any ratio=0.1 revoke-tokens",
    "upload delay=30s; results delay=15s",
)


@pytest.mark.holds("I1")
@pytest.mark.parametrize("seed", range(6))
def test_the_crm_holds_the_fold_after_a_storm(seed: int) -> None:
    """No loss, every position at its end, no older row wins, and no good row is dead-lettered."""
    with TemporaryDirectory() as folder:
        VirtualLoop.run(_storm(folder, seed))


async def _storm(folder: str, seed: int) -> None:
    route = crm_route()
    route = msgspec.structs.replace(
        route,
        flush=FlushSettings(every_s=90.0, bytes=3_000),
        fields=route.fields | {"LastName": FieldRule(source="age")},
    )
    world = crm_world(folder, route)
    storm = Storm(world, seed)
    members = await storm.run_for(FAULTS, STEPS)
    assert storm.fold == {key: int(row["LastName"] or 0) for key, row in contacts(world).items()}
    assert [] == world.dead_letters.letters
    assert_accounted(world)
    for member in members:
        await member.stop()
