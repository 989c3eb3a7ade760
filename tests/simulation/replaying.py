"""A replay in the simulation: the command, the fold of the log, and the tenant's rows."""

from __future__ import annotations

import asyncio
import json
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from consumer.app.ports import Ports
from consumer.auth.provider import TokenProvider
from consumer.mapping.settings import FieldRule
from consumer.operations.replay.checkpoint import Checkpoint
from consumer.operations.replay.replay import Replay, ReplayResult
from consumer.sandbox.in_process import InProcessTransport
from tests.simulation.record_log import MemoryRecordLog
from tests.simulation.world import CUSTOMERS, ROUTES, TOPIC, VIEWS, World, settings

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.mapping.settings import ObjectSettings, RouteSettings
    from consumer.operations.replay.plan import ReplayPlan
    from consumer.operations.replay.state import ReplayRequest
    from consumer.source.port import Source


UNDATED = msgspec.structs.replace(CUSTOMERS, record_modified=None)
PARTIAL = msgspec.structs.replace(UNDATED, refresh_mode="partial")
DATED_PARTIAL = msgspec.structs.replace(CUSTOMERS, refresh_mode="partial")
RATE = 10


@dataclass
class Quiet:
    """Records the progress that was shown."""

    steps: list[tuple[str, int, int]] = field(default_factory=list)
    waited: set[str] = field(default_factory=set)

    def step(self, name: str, done: int, total: int, note: str = "") -> None:  # noqa: ARG002 - the audience's
        """Record a step."""
        self.steps.append((name, done, total))

    def waits(self, reason: str) -> None:
        """Record a wait."""
        self.waited.add(reason)


class Replaying:
    """One replay command, which may run several times."""

    def __init__(self, world: World, folder: Path, request: ReplayRequest) -> None:
        self._world = world
        self._request = request
        self.path = folder / "replay.book"
        self.plan: ReplayPlan | None = None
        self.display = Quiet()

    async def run(self, *, execute: bool = True) -> ReplayResult | None:
        """Plan and execute."""
        world = self._world
        with Checkpoint(self.path) as checkpoint:
            made = Replay(
                world.settings,
                self._request,
                checkpoint,
                MemoryRecordLog(world.log),
                requests_per_second=RATE,
                registry=world.registry_client(),
                clock=world.clock,
                display=self.display,
            )
            self.plan = await made.plan(is_to_be_done=execute, group_in_use=False)
            if not execute:
                return None

            def ports(source: Source) -> Ports:
                transport = InProcessTransport(world.tenant, world.clock, latency_s=world.latency_s)
                return Ports(
                    source=source,
                    transport=transport,
                    tokens=TokenProvider(
                        world.settings.salesforce,
                        transport,
                        world.clock,
                        jitter=world.random.random,
                        observer=made.telemetry,
                    ),
                    dead_letters=world.dead_letters,
                    clock=world.clock,
                    rng=world.random.random,
                    registry=world.registry_client(),
                )

            return await made.execute(ports, lambda _daemon: nullcontext())

    async def run_killed(self, after_s: float) -> ReplayResult | None:
        """Plan and execute; kill it after a time if it has not ended."""
        task = asyncio.create_task(self.run())
        await asyncio.wait([task], timeout=after_s)
        task.cancel()
        await asyncio.wait([task])
        return None if task.cancelled() else task.result()


def _constant(email: str) -> tuple[RouteSettings, ...]:
    return tuple(
        msgspec.structs.replace(route, fields={"email": FieldRule(const=email)})
        if route.object == "customers"
        else route
        for route in ROUTES
    )


BROKEN = _constant("broken")
"""The wrong mapping with which the live daemon delivered the log."""

HALF = _constant("half")
"""Another mapping, which is not right either."""


def world_of(described: ObjectSettings, *, seed: int = 1) -> World:
    return World(settings(objects=(described, VIEWS)), seed=seed)


async def deliver_with_broken_mapping(world: World, *partitions: int) -> None:
    """Let the live daemon deliver the log by a broken mapping, which is fixed afterwards."""
    right = world.settings
    world.settings = msgspec.structs.replace(right, routes=BROKEN)
    await delivered(world, *partitions)
    world.settings = right


def left_in(folder: Path) -> list[Path]:
    """Return the files that are left in a folder; a coroutine must not list them itself."""
    return [*folder.iterdir()]


def fold(world: World) -> dict[str, str | None]:
    """Return by key the email after the log's last change."""
    rows: dict[str, str | None] = {}
    for place, records in sorted(world.log.records.items()):
        for record in records if place[0] == TOPIC else ():
            value = record.value()
            if value is None:
                continue
            change = json.loads(value)
            if change["op"] == "d":
                rows.pop(str(change["before"]["id"]), None)
            else:
                rows[str(change["after"]["id"])] = change["after"]["email"]
    return rows


def table(world: World) -> dict[str, str | None]:
    """Return by key the email that the tenant holds."""
    return {key: row.get("email") for key, row in world.tenant.rows("customers").items()}


async def delivered(world: World, *partitions: int) -> None:
    """Let the live daemon deliver the log, and stop it."""
    member = world.member()
    await member.start(*(partitions or (0,)))
    await world.until(member.settled)
    await member.stop()
    world.members.remove(member)


def moments(world: World) -> Any:  # noqa: ANN401 - made here
    """Return a function that writes changes with rising source times."""
    count = 0

    def change(key: int, op: str, partition: int = 0, **row: Any) -> None:  # noqa: ANN401 - a row
        nonlocal count
        count += 1
        world.change(key, op, partition=partition, ts_ms=1_750_000_000_000 + count * 5, **row)

    return change
