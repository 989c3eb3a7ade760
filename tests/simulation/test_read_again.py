"""Records that are read a second time because their commit did not reach the group."""

from __future__ import annotations

from consumer.sandbox.virtual_time import VirtualLoop
from tests.simulation.world import TOPIC, World

BEGIN_MS = 1_750_000_000_000
CHANGES = 3


def test_changes_that_come_again_keep_their_versions() -> None:
    """I7: otherwise an older change would be lifted above later ones and win at the next owner."""

    async def scenario() -> None:
        world = World()
        member = world.member()
        await member.start()
        member.source.refuse_commits = "the coordinator is away"
        member.source.assign([(TOPIC, 0)])
        sent_ms: list[int] = []
        while len(sent_ms) < CHANGES:
            sent_ms.append(BEGIN_MS + len(sent_ms))
            world.change(1, "u", ts_ms=sent_ms[-1], age=len(sent_ms))
            await world.until(lambda: member.status().ledger.accepted == len(sent_ms))
        assert 0 == member.status().ledger.open
        member.source.lose([(TOPIC, 0)])
        first_time = world.tenant.acceptances("customers")
        member.source.refuse_commits = None
        member.source.assign([(TOPIC, 0)])
        await world.until(member.settled)
        await member.stop()
        again = world.tenant.acceptances("customers")[len(first_time) :]
        assert {sent_ms[-1] * 1000} == {one.versions[-1] for one in again}

    VirtualLoop.run(scenario())
