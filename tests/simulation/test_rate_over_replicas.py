"""I14: many replicas stay within the tenant's 250 requests in any sliding second."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from bench.concurrency import PROFILES, measure
from consumer.delivery.settings import DeliverySettings
from consumer.model import PlainRecord
from tests.simulation.backlog import Backlog
from tests.simulation.scenarios import scenario
from tests.simulation.trouble import begin, fill
from tests.simulation.world import TOPIC, World, settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.concurrency import Profile
    from consumer.http.messages import Request
    from consumer.sandbox.wire import Reply
    from tests.simulation.world import Member

TENANT = 250
PARTITIONS = 30
LATENCY_S = 0.05


class Group:
    """Members that share the partitions evenly; the coordinator moves them by revocation."""

    def __init__(self) -> None:
        delivery = DeliverySettings(batch_bytes=200, linger_s=0.1, buffer_bytes=60_000)
        self.world = World(settings(delivery=delivery), latency_s=LATENCY_S)
        self.places = [(TOPIC, partition) for partition in range(PARTITIONS)]
        for place in self.places:
            self.world.log.records[place] = Backlog(place, 10_000, _customer)  # type: ignore[assignment]  # looks like a list
            self.world.log.ends[place] = 10_000
        self.members: list[Member] = []
        self.arrivals: list[float] = []
        self._watch()

    def _watch(self) -> None:
        """Record when requests reach the ingestion endpoints; the tenant's log is too short."""
        answer = self.world.tenant.answer

        def note_and_answer(request: Request) -> Reply:
            if "/ingest/" in request.url:
                self.arrivals.append(self.world.clock.now_s())
            return answer(request)

        self.world.tenant.answer = note_and_answer  # type: ignore[method-assign]  # to look over its shoulder

    async def become(self, count: int) -> None:
        """Set the number of members, and give every partition an owner."""
        while len(self.members) < count:
            member = self.world.member()
            await member.start()
            self.members.append(member)
        expected = {place: self.members[at % count] for at, place in enumerate(self.places)}
        for member in self.members:
            going = [
                place
                for place in self.places
                if expected[place] is not member and member.source.ownership(place)
            ]
            if going:
                member.source.revoke(going)
        await self.world.until(lambda: self._moved(expected))
        for member in [*self.members]:
            coming = [
                place
                for place in self.places
                if expected[place] is member and not member.source.ownership(place)
            ]
            member.source.assign(coming)
            if member not in expected.values():
                self.members.remove(member)
                await member.stop()

    def _moved(self, expected: dict[tuple[str, int], Member]) -> bool:
        return all(
            expected[place] is member or member.source.ownership(place) is None
            for place in self.places
            for member in self.members
        )

    async def kill_one(self) -> None:
        """Kill the last member; its partitions are assigned to the others at once."""
        member = self.members.pop()
        gone = [place for place in self.places if member.source.ownership(place)]
        await member.kill()
        for at, place in enumerate(gone):
            self.members[at % len(self.members)].source.assign([place])

    async def end(self) -> None:
        """End without draining."""
        for member in self.members:
            await member.kill()


def _customer(partition: int, offset: int) -> PlainRecord:
    key = b'"%d-%d"' % (partition, offset)
    value = b'{"op":"c","before":null,"after":{"id":%s},"source":{"ts_ms":1750000000000}}' % key
    return PlainRecord(TOPIC, partition, offset, key=key, value=value)


def most_in_a_second(arrivals: Sequence[float]) -> int:
    """Return the number of requests in the fullest sliding second."""
    most = first = 0
    for last, at_s in enumerate(arrivals):
        while arrivals[first] <= at_s - 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


def per_second(arrivals: Sequence[float], from_s: float, until_s: float) -> float:
    """Return the mean rate over a period."""
    return len([at_s for at_s in arrivals if from_s <= at_s < until_s]) / (until_s - from_s)


@pytest.mark.parametrize("sizes", [(1, 2, 3, 5, 10), (10, 5, 3, 2, 1), (2, 10, 1, 5)])
@scenario
async def test_no_sliding_second_exceeds_the_tenants_rate(sizes: tuple[int, ...]) -> None:
    """I14: at every size and through every rebalance; between these nine tenths are used."""
    group = Group()
    offset_ranges = []
    for size in sizes:
        await group.become(size)
        await asyncio.sleep(5)
        assert [1 / size] * size == pytest.approx(
            [member.status().rate.share for member in group.members]
        )
        now_s = group.world.clock.now_s()
        offset_ranges.append((now_s - 2, now_s))
    arrivals = group.arrivals
    await group.end()
    assert most_in_a_second(arrivals) <= TENANT
    for offset_range in offset_ranges:
        assert per_second(arrivals, *offset_range) >= 0.9 * TENANT


@scenario
async def test_a_killed_members_share_goes_to_the_others() -> None:
    """I14: the others take it over only after its last requests have left the second."""
    group = Group()
    await group.become(4)
    await asyncio.sleep(5)
    for _ in range(3):
        await group.kill_one()
        await asyncio.sleep(4)
    arrivals = group.arrivals
    shares = [member.status().rate.share for member in group.members]
    await group.end()
    assert [1.0] == shares
    assert most_in_a_second(arrivals) <= TENANT


@pytest.mark.parametrize("seed", [0, 4, 6, 14])
@scenario
async def test_members_that_come_go_and_die_at_any_moment_stay_within_it(seed: int) -> None:
    """I14: rebalances follow each other faster than a second."""
    rng = random.Random(seed)  # noqa: S311 - a schedule, not a secret
    group = Group()
    for _ in range(6):
        if len(group.members) > 1 and rng.random() < 0.3:
            await group.kill_one()
        else:
            await group.become(rng.choice([1, 2, 3, 5, 10]))
        await asyncio.sleep(rng.uniform(0.2, 4))
    await group.end()
    assert 200 < most_in_a_second(group.arrivals) <= TENANT


@pytest.mark.holds("I14")
@pytest.mark.parametrize("count", range(1, 11))
@scenario
async def test_members_that_start_under_full_load_can_send_their_checks(
    count: int,
) -> None:
    """I14: a member's checks before it owns anything, one call per object, count too."""
    rng = random.Random(count)  # noqa: S311 - a schedule, not a secret
    group = Group()
    await group.become(1)
    await asyncio.sleep(5)
    began_s = group.world.clock.now_s()
    newcomers = [group.world.member() for _ in range(count)]
    await asyncio.gather(*(_start_later(newcomer, rng.uniform(0, 2)) for newcomer in newcomers))
    loaded = per_second(group.arrivals, began_s, group.world.clock.now_s())
    group.members += newcomers
    await group.become(count + 1)
    await asyncio.sleep(3)
    arrivals = group.arrivals
    await group.end()
    assert most_in_a_second(arrivals) <= TENANT
    assert loaded >= 0.9 * TENANT


async def _start_later(member: Member, delay_s: float) -> None:
    await asyncio.sleep(delay_s)
    await member.start()


@scenario
async def test_nothing_comes_before_retry_after() -> None:
    """I14: a replica that was asked to wait waits; the others continue with their shares."""
    group = Group()
    await group.become(5)
    await asyncio.sleep(5)
    told_s = group.world.clock.now_s()
    for member in group.members[:3]:
        member.daemon._rate.pause_until(told_s, 7.0)
    await asyncio.sleep(10)
    arrivals = group.arrivals
    await group.end()
    assert per_second(arrivals, told_s + 1, told_s + 7) <= 2 / 5 * TENANT
    assert per_second(arrivals, told_s + 8, told_s + 10) >= 0.9 * TENANT
    assert most_in_a_second(arrivals) <= TENANT


ASKED_TO_WAIT = "test nth=1 status=429 retry-after=60"


@scenario
async def test_a_member_that_is_asked_to_wait_at_its_start_waits() -> None:
    """I14: the start-up checks keep to Retry-After like all other requests."""
    group = Group()
    group.world.faults(ASKED_TO_WAIT)
    await group.become(1)
    await group.end()
    first_s, second_s, *_ = group.arrivals
    assert second_s - first_s >= 60


@scenario
async def test_a_pause_asked_by_the_validation_call_holds_for_all() -> None:
    """I14: the validation call that finds a bad row may itself be throttled."""
    world = World(latency_s=LATENCY_S)
    member = await begin(world, f"ingest poison=email:bad@x.io; {ASKED_TO_WAIT}")
    fill(world, 8, poison_every=8)
    await world.until(lambda: any(line.status == 429 for line in world.tenant.requests))
    told_s = world.clock.now_s()
    requests = [*world.tenant.requests]
    await asyncio.sleep(told_s + 59 - world.clock.now_s())
    assert requests == [*world.tenant.requests]
    await world.until(member.settled)
    await member.kill()


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_the_adaptive_limit_comes_within_a_tenth_of_the_best_fixed_one(profile: Profile) -> None:
    """At any latency of the tenant: the figures of `python -m bench.concurrency`."""
    assert measure(profile).share >= 0.9
