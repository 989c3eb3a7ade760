"""Kills a process at one request of a job, and lets the next process finish."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.http.messages import Answer
from consumer.sandbox.wire import Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.http.messages import Request
    from tests.simulation.world import World


async def crash(world: World, at: int, counts: Callable[[str], bool], *, acted_upon: bool) -> None:
    """Kill the first process at its request number `at`; let a second process finish.

    Only some addresses count. `acted_upon` says whether the service acted on the request whose
    answer is lost.
    """
    first = world.member()
    answer, seen = world.tenant.answer, 0

    def dying(request: Request) -> Reply:
        nonlocal seen
        seen += counts(request.url)
        if seen < at or first.task is None or first.task.done() or first.task.cancelling():
            return answer(request)
        first.source.crash()
        first.task.cancel()
        return answer(request) if acted_upon else Reply(Answer(500))

    world.tenant.answer = dying  # type: ignore[method-assign]  # the wire is cut here
    await first.start(0)
    task = first.task
    assert task is not None
    await world.until(lambda: task.done() or first.settled())
    if not task.done():
        await first.kill()
    second = world.member()
    await second.start(0)
    await world.until(second.settled, within_s=4_000.0)
    assert set() == {hold.reason for hold in second.status().holds}
    await second.stop()
