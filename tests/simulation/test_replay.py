"""I19: equal input and configuration make equal requests; a retry sends the same bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumer.delivery.settings import DeliverySettings
from consumer.sandbox.virtual_time import VirtualLoop
from tests.simulation.world import World, settings

if TYPE_CHECKING:
    from consumer.http.messages import Request
    from consumer.sandbox.wire import Reply


def watched(world: World) -> list[tuple[str, str, bytes]]:
    """Return a list that receives every upsert and delete that reaches the tenant."""
    seen: list[tuple[str, str, bytes]] = []
    answer = world.tenant.answer

    def look_and_answer(request: Request) -> Reply:
        if "/ingest/" in request.url and not request.url.endswith("/test"):
            seen.append((request.method, request.url, request.body))
        return answer(request)

    world.tenant.answer = look_and_answer  # type: ignore[method-assign]  # to look over its shoulder
    return seen


async def carry(*, faults: str = "") -> list[tuple[str, str, bytes]]:
    """Deliver one log and return the requests to the tenant."""
    world = World(settings(delivery=DeliverySettings(batch_bytes=5_000)))
    world.faults(faults)
    seen = watched(world)
    for key in range(300):
        world.change(key, "c", partition=key % 3, email=f"{key}@x.io", age=key)
    for key in range(0, 300, 7):
        world.change(key, "d", partition=key % 3)
    for key in range(0, 300, 14):
        world.change(key, "c", partition=key % 3, email=f"{key}@z.io")
    member = world.member()
    await member.start(0, 1, 2)
    await world.until(member.settled)
    await member.stop()
    return seen


@pytest.mark.holds("I19")
def test_the_same_log_makes_the_same_requests() -> None:
    """Two independent daemons send the same requests, byte for byte and in the same order."""
    first, second = VirtualLoop.run(carry()), VirtualLoop.run(carry())
    assert len(first) > 5
    assert first == second


@pytest.mark.holds("I19")
def test_a_request_that_is_repeated_is_the_same_bytes() -> None:
    """The first answers are lost after the tenant acted; the retry is not built again."""
    seen = VirtualLoop.run(carry(faults="ingest nth=1-3 reset after"))
    assert 3 == len(seen) - len(set(seen))
