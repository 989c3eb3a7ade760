"""I9, I15: every stall is named within a minute, and memory stays bounded meanwhile."""

from __future__ import annotations

import asyncio
import random
import tracemalloc
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from consumer.delivery.settings import SERVICE_BODY_BYTES, DeliverySettings
from consumer.model import PlainRecord
from consumer.offsets.ledger import RECORD_BYTES
from consumer.sandbox.memory_dead_letters import MemoryDeadLetterTopic
from consumer.sandbox.virtual_time import VirtualLoop
from tests.load_test import LONG_MARKS, long
from tests.simulation.backlog import Backlog
from tests.simulation.scenarios import scenario
from tests.simulation.storm import Storm
from tests.simulation.storm_writers import PARTITIONS as STORM_PARTITIONS
from tests.simulation.world import TOPIC, World, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from consumer.admin.port import Check
    from consumer.dead_letter.port import DeadLetter
    from consumer.model import Assignment, PartitionKey
    from consumer.sandbox.memory_source import MemorySource
    from consumer.source.port import Position
    from tests.load_test import LoadTest
    from tests.simulation.world import Member

PARTITIONS = 3


class SilentDeadLetters(MemoryDeadLetterTopic):
    """A topic that confirms nothing while it is silent."""

    silent = False

    async def send(self, *forms: DeadLetter) -> None:
        """Accept the dead letter, or never return."""
        while self.silent:  # noqa: ASYNC110 - virtual time, and no event to set
            await asyncio.sleep(1)
        await super().send(*forms)


def problems(member: Member) -> str:
    """Return the problems that `/readyz` lists; empty when the daemon is ready."""
    return "; ".join(
        problem for check in member.daemon.status.readiness() for problem in check.problems
    )


# ── stalls ──────────────────────────────────────────────────────────────────────────────────────


def tenant_never_answers(world: World, _: MemorySource) -> None:
    world.faults("ingest delay=10h")


def tenant_answers_503(world: World, _: MemorySource) -> None:
    world.faults("ingest status=503")


def tenant_resets(world: World, _: MemorySource) -> None:
    world.faults("ingest reset")


def tenant_refuses_the_object(world: World, _: MemorySource) -> None:
    world.faults("ingest/customers status=404")


def tenant_asks_for_pauses(world: World, _: MemorySource) -> None:
    world.faults("ingest status=429 retry-after=300")


def login_never_answers(world: World, _: MemorySource) -> None:
    world.faults("ingest nth=1 revoke-tokens; token delay=10h")


def exchange_never_answers(world: World, _: MemorySource) -> None:
    world.faults("ingest nth=1 revoke-tokens; exchange delay=10h")


def dead_letters_never_confirmed(world: World, _: MemorySource) -> None:
    assert isinstance(world.dead_letters, SilentDeadLetters)
    world.dead_letters.silent = True
    world.put(b"{")


def dead_letters_refused(world: World, _: MemorySource) -> None:
    world.dead_letters.break_down()
    world.put(b"{")


def source_hands_nothing_over(_: World, source: MemorySource) -> None:
    def hand_over(place: PartitionKey, assignment: Assignment) -> bool:
        """Return nothing."""
        del place, assignment
        return False

    source._deliver = hand_over  # type: ignore[method-assign]  # the stall


def commits_never_answered(_: World, source: MemorySource) -> None:
    def commit(positions: Sequence[Position]) -> None:
        """Do nothing."""
        del positions

    source.commit = commit  # type: ignore[method-assign]  # the stall


def commits_refused(_: World, source: MemorySource) -> None:
    source.refuse_commits = "coordinator is loading"


STALLS: list[tuple[Callable[[World, MemorySource], None], str]] = [
    (tenant_never_answers, "delivery: no answer (timeout)"),
    (tenant_answers_503, "delivery: the service returned 503"),
    (tenant_resets, "delivery: no answer (connection)"),
    (tenant_refuses_the_object, "CONFIG"),
    (tenant_asks_for_pauses, "RATE"),
    (login_never_answers, "login: no token"),
    (exchange_never_answers, "login: no token"),
    (dead_letters_never_confirmed, "dead_letter: the topic has not confirmed the record"),
    (dead_letters_refused, "DEAD_LETTER"),
    (source_hands_nothing_over, "source: the brokers send no records"),
    (commits_never_answered, "BROKER"),
    (commits_refused, "BROKER"),
]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("stall", "mechanism"), [pytest.param(*one, id=one[0].__name__) for one in STALLS]
)
@scenario
async def test_a_stall_is_named_within_a_minute(
    stall: Callable[[World, MemorySource], None], mechanism: str, seed: int
) -> None:
    """I9: with partition and mechanism; without the cause everything arrives again."""
    world = World(seed=seed)
    world.dead_letters = SilentDeadLetters()
    member = world.member()
    await member.start(*range(PARTITIONS))
    writer = asyncio.create_task(_write(world, random.Random(seed)))  # noqa: S311 - a schedule
    await asyncio.sleep(20 + 10 * world.random.random())
    assert "" == problems(member)
    kept = dict(vars(member.source))
    stall(world, member.source)
    await asyncio.sleep(60)
    found = problems(member)
    assert mechanism in found
    assert f"{TOPIC}[" in found
    _repair(world, member.source, kept)
    await world.until(lambda: not problems(member), within_s=400)
    writer.cancel()
    await world.until(member.settled, within_s=400)
    await member.stop()


async def _write(world: World, rng: random.Random) -> None:
    """Write to every partition twice a second, one record in a hundred at fault."""
    key = 0
    while True:
        for partition in range(PARTITIONS):
            key += 1
            if key % 25 == 0:
                world.put(b"{", partition=partition)
            else:
                world.change(key, "c", partition=partition, email=f"{key}@x.io")
        await asyncio.sleep(rng.random())


def _repair(world: World, source: MemorySource, kept: dict[str, Any]) -> None:
    """End the stall, whichever it is."""
    world.faults("")
    assert isinstance(world.dead_letters, SilentDeadLetters)
    world.dead_letters.silent = False
    world.dead_letters.recover()
    for name in ("_deliver", "commit"):
        if name not in kept:
            vars(source).pop(name, None)
    source.refuse_commits = None
    source.wake()


# ── false alarms ────────────────────────────────────────────────────────────────────────────────


class CalmStorm(Storm):
    """Members come and go and clocks jump, but the tenant and the brokers work."""

    timers: list[str]

    async def _trouble(self, end_s: float) -> None:
        troubles: list[Callable[[], Coroutine[Any, Any, None]]] = [
            self._kill,
            self._term,
            self._move,
            self._lose,
            self._jump_clock,
        ]
        while self.clock.now_s() < end_s:
            await asyncio.sleep(self.random.choice([0.5, 5.0, 20.0]))
            await self.random.choice(troubles)()

    async def _step(self) -> None:
        await super()._step()
        for member in self.members:
            checks: list[Check] = [*member.daemon.status.readiness()]
            # A member without partitions is not ready; that is not a false alarm.
            self.timers += [
                problem
                for check in checks
                if check.name != "assignment"
                for problem in check.problems
            ]


def calm(seed: int) -> CalmStorm:
    """Run this for ten minutes; return the alarms and counts."""

    async def steps() -> CalmStorm:
        storm = CalmStorm(seed)
        storm.timers = []
        await storm.run_for(600)
        assert len(storm.places) == STORM_PARTITIONS * 3
        return storm

    return VirtualLoop.run(steps())


@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_named_while_the_tenant_is_well(seed: int) -> None:
    """I9: ten minutes of revocations, kills, losses and jumping clocks raise no alarm."""
    assert [] == calm(seed).timers


@pytest.mark.parametrize("load_test", [pytest.param(long(144), id="long", marks=LONG_MARKS)])
def test_nothing_is_named_in_a_day_while_the_tenant_is_well(load_test: LoadTest) -> None:
    """I9: the same for a virtual day, from other seeds."""
    for number in load_test:
        seed = load_test.seed * load_test.rounds + number
        storm = calm(seed)
        assert [] == storm.timers, f"seed {seed}"
        load_test.count({**storm.checker.counts, "virtual minutes": 10})
    load_test.prove(kills=load_test.done, terms=load_test.done, losses=load_test.done)


# ── memory ──────────────────────────────────────────────────────────────────────────────────────


def _record(partition: int, offset: int, email_chars: int) -> PlainRecord:
    key = b'"%d-%d"' % (partition, offset)
    value = (
        b'{"op":"c","before":null,"after":{"id":%s,"email":"%s"},"source":{"ts_ms":1750000000000}}'
        % (
            key,
            b"x" * email_chars,
        )
    )
    return PlainRecord(TOPIC, partition, offset, key=key, value=value)


@pytest.mark.parametrize(
    ("email_chars", "count", "chunk_records"),
    [
        pytest.param(190_000, 10_000, 5, id="200 KB each"),
        pytest.param(20, 1_000_000, 50, id="1,000,000 behind"),
    ],
)
def test_memory_stays_within_its_bound(email_chars: int, count: int, chunk_records: int) -> None:
    """I15: without the tenant for an hour, memory is the buffer plus a chunk per partition."""
    buffer_bytes = 8 * 1024 * 1024
    record_bytes = email_chars + 150 + RECORD_BYTES
    bound = buffer_bytes + PARTITIONS * chunk_records * record_bytes

    async def steps() -> tuple[int, int]:
        world = World(settings(delivery=DeliverySettings(buffer_bytes=buffer_bytes)))
        for partition in range(PARTITIONS):
            world.log.records[TOPIC, partition] = Backlog(
                (TOPIC, partition), count // PARTITIONS, partial(_record, email_chars=email_chars)
            )  # type: ignore[assignment]  # has the same methods
            world.log.ends[TOPIC, partition] = count // PARTITIONS
        member = world.member()
        member.source._chunk_records = chunk_records
        await member.start()
        world.faults("ingest status=503 delay=10h")
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        member.source.assign([(TOPIC, partition) for partition in range(PARTITIONS)])
        most = 0
        for _ in range(3_600):
            await asyncio.sleep(1)
            most = max(most, member.status().buffer_bytes)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        await member.kill()
        return most, peak - before

    counted, traced = VirtualLoop.run(steps())
    assert counted <= bound
    # A row as wide as its record is there twice, and a third time in the body of a request.
    assert traced <= 2 * bound + 32 * SERVICE_BODY_BYTES
