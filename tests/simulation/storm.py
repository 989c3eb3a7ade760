"""A seeded storm in virtual time: writers, members that come and go, failing services."""

from __future__ import annotations

import asyncio
import random
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from consumer.admin.metrics import Metrics
from consumer.admin.telemetry import Telemetry
from consumer.app.daemon import Daemon
from consumer.app.ports import Ports
from consumer.auth.provider import TokenProvider
from consumer.delivery.settings import DeliverySettings
from consumer.operations.ledger_check import differences
from consumer.sandbox.fault_script import read_script
from consumer.sandbox.memory_dead_letters import MemoryDeadLetterTopic
from consumer.sandbox.memory_source import MemoryLog, MemorySource
from consumer.sandbox.tenant import Limits
from consumer.sandbox.virtual_time import VirtualClock, VirtualLoop
from tests.simulation.checker import BrokenPromiseError, CheckedTenant, Checker, Sender
from tests.simulation.storm_writers import (
    CUSTOMERS,
    PARTITIONS,
    PREFERENCES,
    ROUTES,
    VIEWS,
    Writers,
)
from tests.simulation.world import ORIGIN, settings

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Coroutine, Iterable

    from consumer.config.settings import Settings
    from consumer.model import PartitionKey

MEMBERS = 3
CALM_S = 1_200.0

TENANT_FAULTS = (
    "ingest ratio=0.3 seed={seed} status=503",
    "ingest ratio=0.3 seed={seed} status=500 after",
    "ingest ratio=0.3 seed={seed} status=429 retry-after={small}",
    "ingest ratio=0.2 seed={seed} reset",
    "ingest ratio=0.2 seed={seed} reset after",
    "ingest ratio=0.1 seed={seed} delay=30s",
    "ingest ratio=0.2 seed={seed} malformed",
    "ingest ratio=0.3 seed={seed} status=408; any nth=7 revoke-tokens",
    "ingest status=503",
    "ingest status=403",
    "ingest/customers status=404",
    "ingest/customers status=409",
    "ingest/preferences html",
    "ingest/views status=207",
    "ingest redirect=https://elsewhere.test/",
    "any every=9 revoke-tokens",
    "exchange status=500",
    "token status=400",
    "ingest ratio=0.2 seed={seed} status=502; test status=500",
    "ingest ratio=0.3 seed={seed} delay=8s",
    "ingest ratio=0.2 seed={seed} status=504 after",
    "test status=429 retry-after={small}",
)
POISON = "ingest poison=mark:refuse"


class SharedDeadLetters(MemoryDeadLetterTopic):
    """One topic for all members: a member that closes its producer does not close the topic."""

    async def close(self) -> None:
        """Keep the topic."""


class ShuffledLoop(VirtualLoop):
    """Runs ready callbacks in a seeded order, so that no result depends on their order."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._rng = random.Random(seed)  # noqa: S311 - a schedule, not a secret

    def _run_once(self) -> None:
        ready: deque[Any] = self.__dict__["_ready"]
        if len(ready) > 1:
            handles = [*ready]
            ready.clear()
            self._rng.shuffle(handles)
            ready.extend(handles)
        super()._run_once()  # type: ignore[misc]  # the loop's own turn


class Member:
    """One process of the group."""

    def __init__(self, storm: Storm, name: str) -> None:
        self.name = name
        self.source = MemorySource(storm.log, chunk_records=storm.random.choice([1, 7, 50]))
        self.sender = Sender(name, storm.tenant, storm.clock, self.source)
        self.sender.set_latency(storm.random.choice([0.0, 0.05, 0.4]))
        telemetry = Telemetry(Metrics(version="0", config_sha256="0"), storm.clock)
        tokens = TokenProvider(
            storm.settings.salesforce,
            self.sender,
            storm.clock,
            jitter=storm.random.random,
            observer=telemetry,
        )
        ports = Ports(
            source=self.source,
            transport=self.sender,
            tokens=tokens,
            dead_letters=storm.dead_letters,
            clock=storm.clock,
            rng=storm.random.random,
        )
        self.daemon = Daemon(storm.settings, ports, telemetry)
        self.sender.daemon = self.daemon
        self.task = asyncio.create_task(self.daemon.run())
        self.leaving = False

    @property
    def listening(self) -> bool:
        """Whether its checks have passed and it has not begun to leave."""
        return hasattr(self.source, "_events") and not self.leaving

    def close_books(self) -> None:
        """The daemon's counts of its records add up, at any moment."""
        ledger = self.daemon.status.ledger()
        total = (
            ledger.accepted
            + ledger.conflated
            + ledger.filtered
            + ledger.dead_lettered
            + ledger.open
        )
        if ledger.polled != total or ledger.open < 0:
            message = f"ledger: {ledger} of {self.name} does not add up"
            raise BrokenPromiseError(message)
        if off := differences(
            msgspec.structs.replace(
                self.daemon.status.snapshot(), accounts=self.daemon.status.accounts()
            )
        ):
            message = f"ledger of {self.name}: {'; '.join(off)}"
            raise BrokenPromiseError(message)


class Storm:
    """One run: a time of failures, then calm, then the final checks."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(seed)  # noqa: S311 - a schedule, not a secret
        self.clock = VirtualClock()
        self.settings = self._settings()
        self.log = MemoryLog()
        self.dead_letters = SharedDeadLetters()
        self.tenant = CheckedTenant(
            self.settings.connector.objects,
            source_name="events",
            clock=self.clock,
            origin=ORIGIN,
            limits=Limits(apply_delay_s=0.0),
        )
        self.checker = Checker(self.log, self.dead_letters)
        self.checker.queueing = (
            {"views"} if self.settings.delivery.conflate else {*self.settings.connector.objects}
        )
        self.checker.partial = {"preferences"}
        self.tenant.checker = self.checker
        self.writers = Writers(self.random, self.log, self.checker, self.clock)
        self.places = [
            (route.topics[0], partition) for route in ROUTES for partition in range(PARTITIONS)
        ]
        self.owners: dict[PartitionKey, Member] = {}
        self.members: list[Member] = []
        self.killed: list[asyncio.Task[None]] = []
        self.names = 0
        self.log.on_commit = self.checker.saw_commit

    def _settings(self) -> Settings:
        delivery = DeliverySettings(
            batch_bytes=self.random.choice([600, 3_000, 200_000]),
            linger_s=self.random.choice([0.0, 0.1, 1.0]),
            in_flight=self.random.choice([1, 4, 32]),
            buffer_bytes=self.random.choice([20_000, 10_000_000]),
            conflate=self.random.random() < 0.8,
        )
        return settings(delivery=delivery, objects=(CUSTOMERS, PREFERENCES, VIEWS), routes=ROUTES)

    async def run_for(self, duration_s: float) -> None:
        """Run for a time, then repair everything and wait until all records have arrived."""
        self.tenant.set_faults(read_script(POISON))
        for place in self.places:
            self.log.ends[place] += 0
        for _ in range(self.random.randint(1, MEMBERS)):
            self.join()
        end_s = self.clock.now_s() + duration_s
        background = [
            asyncio.create_task(self.writers.write(end_s)),
            asyncio.create_task(self._trouble(end_s)),
        ]
        try:
            while not all(task.done() for task in background):
                await self._step()
            await self._recover()
        finally:
            for task in background:
                task.cancel()
            await asyncio.wait(background)
            for task in background:
                if not task.cancelled() and (error := task.exception()):
                    raise error
            await self._end()

    # ── failures ────────────────────────────────────────────────────────────────────────────────

    async def _trouble(self, end_s: float) -> None:
        troubles: list[Callable[[], Coroutine[Any, Any, None]]] = [
            self._kill,
            self._term,
            self._move,
            self._move,
            self._lose,
            self._break_tenant,
            self._break_tenant,
            self._break_tenant,
            self._break_dead_letters,
            self._refuse_commits,
            self._jump_clock,
            self._change_latency,
        ]
        while self.clock.now_s() < end_s:
            await asyncio.sleep(self.random.choice([0.5, 5.0, 20.0]))
            await self.random.choice(troubles)()

    async def _kill(self) -> None:
        member = self._any_member()
        member.sender.killed = True
        member.source.crash()
        member.task.cancel()
        self.killed.append(member.task)
        self._remove_ended(member)
        self.checker.counts["kills"] += 1

    async def _term(self) -> None:
        member = self._any_member()
        if member.listening:
            member.leaving = True
            member.daemon.stop()
            self.checker.counts["terms"] += 1

    async def _move(self) -> None:
        """Take some of a member's partitions away by a revocation."""
        member = self._any_member()
        if going := self._some_of(member):
            owned = [member.source.ownership(place) for place in going]
            open_count = sum(one.open_count for one in owned if one is not None)
            self.checker.counts["revokes"] += 1
            self.checker.counts["revokes with records open"] += open_count > 0
            member.source.revoke(going)

    async def _lose(self) -> None:
        """Take some of a member's partitions away without notice."""
        member = self._any_member()
        if going := self._some_of(member):
            member.source.lose(going)
            self.checker.counts["losses"] += 1

    def _some_of(self, member: Member) -> list[PartitionKey]:
        """Draw some of a member's partitions; none of a member that does not listen."""
        mine = [place for place, owner in self.owners.items() if owner is member]
        if not member.listening or not mine:
            return []
        going = self.random.sample(mine, self.random.randint(1, len(mine)))
        for place in going:
            # Free only once the source has released it: `_step` finds it then.
            self.owners.pop(place)
        return going

    async def _break_tenant(self) -> None:
        script = self.random.choice(TENANT_FAULTS)
        filled = script.format(
            seed=self.random.randrange(1_000), small=self.random.choice([1, 5, 40])
        )
        self.tenant.set_faults(read_script(f"{filled}; {POISON}"))
        self.checker.counts["tenant faults"] += 1
        await asyncio.sleep(self.random.choice([1.0, 10.0, 60.0]))
        self.tenant.set_faults(read_script(POISON))

    async def _break_dead_letters(self) -> None:
        self.dead_letters.break_down()
        await asyncio.sleep(self.random.choice([1.0, 40.0]))
        self.dead_letters.recover()

    async def _refuse_commits(self) -> None:
        member = self._any_member()
        member.source.refuse_commits = "coordinator is loading"
        await asyncio.sleep(10.0)
        member.source.refuse_commits = None

    async def _jump_clock(self) -> None:
        self.clock.skew_ms = self.random.choice([0, 0, 100_000, -100_000])

    async def _change_latency(self) -> None:
        self._any_member().sender.set_latency(self.random.choice([0.0, 0.05, 1.0, 5.0]))

    # ── the group ───────────────────────────────────────────────────────────────────────────────

    def join(self) -> None:
        """Start a member."""
        self.names += 1
        self.members.append(Member(self, f"m{self.names}"))

    def _any_member(self) -> Member:
        return self.random.choice(self.members)

    def _remove_ended(self, member: Member) -> None:
        self.members.remove(member)
        self.owners = {place: owner for place, owner in self.owners.items() if owner is not member}
        if not self.members or self.random.random() < 0.7:
            self.join()

    async def _step(self) -> None:
        """One step of the group coordinator: remove ended members, assign free partitions."""
        await asyncio.sleep(1.0)
        for task in self.killed:
            if task.done() and not task.cancelled() and (error := task.exception()):
                raise error
        for member in [*self.members]:
            member.close_books()
            if member.task.done():
                if error := member.task.exception():
                    raise error
                self._remove_ended(member)
        while len(self.members) < 1:
            self.join()
        listening = [member for member in self.members if member.listening]
        free = [
            place
            for place in self.places
            if place not in self.owners and not self._still_held(place)
        ]
        if listening and free:
            for place in free:
                owner = self.owners[place] = self.random.choice(listening)
                owner.source.assign([place])

    def _still_held(self, place: PartitionKey) -> bool:
        return any(member.source.ownership(place) is not None for member in self.members)

    # ── recovery and final checks ───────────────────────────────────────────────────────────────

    async def _recover(self) -> None:
        """I8: with everything repaired, all records that were written arrive."""
        self.dead_letters.recover()
        self.tenant.set_faults(read_script(POISON))
        self.clock.skew_ms = 0
        deadline_s = self.clock.now_s() + CALM_S
        while not self._all_committed():
            if self.clock.now_s() > deadline_s:
                behind = {p: (self.log.committed.get(p), self.log.ends[p]) for p in self.places}
                behind = {
                    place: figures for place, figures in behind.items() if figures[0] != figures[1]
                }
                holds = [
                    hold
                    for member in self.members
                    for hold in member.daemon.status.snapshot().holds
                ]
                message = (
                    f"I8: not settled {CALM_S:.0f} s after the storm: {behind}, held by {holds}"
                )
                raise BrokenPromiseError(message)
            for member in self.members:
                member.source.refuse_commits = None
                member.sender.set_latency(0.05)
            await self._step()
        self.checker.judge_end(self.tenant)

    def _all_committed(self) -> bool:
        return all(
            self.log.committed.get(place, 0) == self.log.ends[place] for place in self.places
        )

    async def _end(self) -> None:
        for member in self.members:
            member.source.crash()
            member.task.cancel()
        if self.members:
            await asyncio.wait([member.task for member in self.members])


def run_storm(seed: int, duration_s: float = 600.0) -> dict[str, int]:
    """Run one storm and return its counts.

    Raises: `BrokenPromiseError` with the promise that was broken.
    """

    async def main() -> dict[str, int]:
        storm = Storm(seed)
        await storm.run_for(duration_s)
        return {**storm.checker.counts, "records": storm.writers.moment}

    with asyncio.Runner(loop_factory=partial(ShuffledLoop, seed)) as runner:
        return runner.run(main())


def run_storms(seeds: Iterable[int], duration_s: float = 600.0) -> dict[str, int]:
    """Run several storms and add up their counts; a broken promise names its seed."""
    totals: dict[str, int] = {}
    for seed in seeds:
        try:
            counts = run_storm(seed, duration_s)
        except BrokenPromiseError as broken:
            message = f"seed {seed}: {broken}"
            raise BrokenPromiseError(message) from broken
        for name, count in counts.items():
            totals[name] = totals.get(name, 0) + count
    return totals
