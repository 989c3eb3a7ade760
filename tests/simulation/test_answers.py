"""Every answer of the service, given to three requests in ten: the holds and dead letters."""

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
"""Holds for faults that an operator must fix; a transient answer never causes one."""

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
"""400 and 422 are missing here: they concern rows, see `test_tenant_at_its_worst`."""


def carry(fault: str) -> set[HoldReason]:
    """Deliver a log while three answers in ten are this one; return every hold, however short."""

    async def steps() -> None:
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
        VirtualLoop.run(steps())
    return {HoldReason(line["reason"]) for line in log if line["event"] == "hold_started"}


@pytest.mark.parametrize("fault", THE_MOMENTS)
def test_a_transient_answer_costs_no_row_and_no_hold_for_the_operator(fault: str) -> None:
    """I11, I12: each request is sent again or accepted, and nothing is dead-lettered."""
    assert set() == carry(fault) & SET_UP


@pytest.mark.parametrize(("fault", "reason"), SOMEBODYS)
def test_an_answer_of_another_party_costs_no_row_and_is_a_hold(
    fault: str, reason: HoldReason
) -> None:
    """I11, I12: exactly this hold is reported, and it ends by itself."""
    assert {reason} == carry(fault) & SET_UP
