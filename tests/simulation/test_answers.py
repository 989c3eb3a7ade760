"""Every row of the table of answers, given to three requests in ten on virtual time.

What it holds, and costs.
"""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from consumer.delivery.settings import DeliverySettings
from consumer.errors import HoldReason
from consumer.sandbox.virtual_time import VirtualLoop
from tests.simulation.trouble import begin, fill
from tests.simulation.world import World, settings

COUNT = 2_000
SET_UP = {HoldReason.CONFIG, HoldReason.AUTH, HoldReason.SINK, HoldReason.MASS_REJECT}
"""What holds where somebody has to look; an answer of the moment never does."""

THE_MOMENTS = (
    "status=200 after body='{\"accepted\": true}'",
    "status=201 after body='{\"accepted\": true}'",
    "status=202 after header=x-ratelimit-remaining:0 header=x-ratelimit-reset:5",
    "status=408 after",
    "status=413",
    "status=425",
    "status=429",
    "status=429 retry-after=3",
    "status=500 after",
    "status=502 after",
    "status=503",
    "status=504 after",
    "delay=10m",
    "delay=10m after",
    "reset",
    "reset after",
    "malformed",
    "malformed after",
)
SOMEBODYS = (
    ("status=202 body='{\"accepted\": false}'", HoldReason.SINK),
    ('status=202 body=\'{"records": [{"accepted": false}]}\'', HoldReason.SINK),
    ("status=200 body='<html>'", HoldReason.SINK),
    ("status=201", HoldReason.SINK),
    ("status=204", HoldReason.SINK),
    ("status=206", HoldReason.SINK),
    ("status=207", HoldReason.SINK),
    ("redirect=https://elsewhere.test/ status=301", HoldReason.CONFIG),
    ("redirect=https://elsewhere.test/ status=307", HoldReason.CONFIG),
    ("status=401", HoldReason.AUTH),
    ("status=403", HoldReason.AUTH),
    ("status=404", HoldReason.CONFIG),
    ("status=405", HoldReason.CONFIG),
    ("status=406", HoldReason.CONFIG),
    ("status=409", HoldReason.SINK),
    ("status=415", HoldReason.CONFIG),
    ("status=418", HoldReason.SINK),
    ("status=451", HoldReason.SINK),
    ("status=511 html", HoldReason.SINK),
)
"""400 and 422 are missing here: they are about rows, see the tenant at its worst."""


def carry(fault: str) -> set[HoldReason]:
    """Carry a log while three answers in ten are this one.

    Returns what was held meanwhile, for however short.
    """

    async def told() -> None:
        world = World(settings(delivery=DeliverySettings(batch_bytes=2_000)))
        fill(world, COUNT)
        member = await begin(world, f"ingest ratio=0.3 seed=5 until=60s {fault}")
        await world.until(member.settled, within_s=1_800)
        assert world.tenant.fault_lines()[0][1] > 0, "void: it was never given"
        assert {str(key) for key in range(COUNT)} == world.tenant.rows("customers").keys()
        assert [] == world.dead_letter_reasons()
        await world.until(lambda: not member.status().holds, within_s=60)
        await member.stop()

    with capture_logs() as log:
        VirtualLoop.run(told())
    return {HoldReason(line["reason"]) for line in log if line["event"] == "hold_started"}


@pytest.mark.parametrize("fault", THE_MOMENTS)
def test_an_answer_of_the_moment_costs_no_row_and_is_nobodys_to_mend(fault: str) -> None:
    """I11, I12: each is tried again or taken for what it is, and nothing is dead-lettered."""
    assert set() == carry(fault) & SET_UP


@pytest.mark.parametrize(("fault", "reason"), SOMEBODYS)
def test_an_answer_of_somebody_else_costs_no_row_and_is_named(
    fault: str, reason: HoldReason
) -> None:
    """I11, I12: a hold of that name and no other, which ends by itself."""
    assert {reason} == carry(fault) & SET_UP
