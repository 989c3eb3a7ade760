"""A range sent again, beside the group that has sent it.

Planned, then done by the daemon's own rooms.
"""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from consumer import __version__
from consumer.admin.metrics import Metrics
from consumer.admin.port import LedgerStatus
from consumer.admin.settings import AdminSettings
from consumer.admin.telemetry import Telemetry
from consumer.app.daemon import Daemon
from consumer.app.targets import spool_root
from consumer.config.effective import mapping_sha256_of
from consumer.dead_letter.settings import FuseSettings
from consumer.decoding.schema_cache import SchemaCache
from consumer.errors import Fatal, Refusal
from consumer.mapping.routing import RouteTable
from consumer.operations.kafka.range_bounds import read_bound
from consumer.operations.replay.filter import ReplayFilter
from consumer.operations.replay.plan import ReplayPlan, plan_of
from consumer.operations.replay.reading import RangeScan
from consumer.operations.replay.rules import ReplayRules, replayed_routes
from consumer.operations.replay.source import ReplaySource
from consumer.operations.replay.state import (
    CheckpointHeader,
    ReplayPartition,
    ReplayPhase,
    ReplayRequest,
)
from consumer.operations.schema_prefetch import SchemaPrefetch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from consumer.admin.port import StatusReport
    from consumer.app.ports import Ports
    from consumer.clock import Clock
    from consumer.config.settings import Settings
    from consumer.mapping.port import RouteMapper
    from consumer.model import PartitionKey
    from consumer.operations.kafka.ranges import OffsetRange
    from consumer.operations.progress_display import ProgressDisplay
    from consumer.operations.replay.checkpoint import Checkpoint
    from consumer.operations.replay.reading import RecordLog
    from consumer.registry.port import SchemaRegistry
    from consumer.source.port import Source

LOOK_S: Final = 0.25
PROGRESS_S: Final = 1.0

COUNTED: Final = FuseSettings(consecutive=1 << 62, ratio=2.0)
"""No fuse for records that cannot be mapped: the plan has counted them, and what a newer change
replaced is not there to count as good beside them. What the tenant refuses has the fuse of the
file."""

MakePorts: TypeAlias = "Callable[[Source], Ports]"


class ReplayResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. `is_finished` is false when it was stopped before.

    The same command goes on.
    """

    is_finished: bool
    ledger: LedgerStatus
    look_count: int
    elapsed_s: float


def narrowed(settings: Settings, asked: ReplayRequest, requests_per_second: int) -> Settings:
    """Return the configuration of the replay.

    The routes of its topics, its own rate, and no admin port.

    Raises: `Refusal` where a topic has no route that streams.
    """
    routes = replayed_routes(settings, asked.topics)
    objects = {
        name: settings.connector.objects[name] for name in {route.object for route in routes}
    }
    return msgspec.structs.replace(
        settings,
        routes=routes,
        connector=msgspec.structs.replace(settings.connector, objects=objects),
        delivery=msgspec.structs.replace(
            settings.delivery, requests_per_second=requests_per_second
        ),
        admin=AdminSettings(host=None),
    )


def usual_book(settings: Settings, asked: ReplayRequest) -> Path:
    """Return where the same replay of the same group finds itself again."""
    name = hashlib.sha256(msgspec.json.encode(asked)).hexdigest()[:12]
    return spool_root(settings) / f"replay-{name}.book"


class Replay:
    """One replay: `plan`, then `execute`. `settings` are those of the file, not narrowed."""

    def __init__(
        self,
        settings: Settings,
        asked: ReplayRequest,
        checkpoint: Checkpoint,
        log: RecordLog,
        *,
        requests_per_second: int,
        registry: SchemaRegistry | None,
        clock: Clock,
        audience: ProgressDisplay,
    ) -> None:
        """Raises: `Refusal` where a topic has no route that streams."""
        self._settings = settings
        self._narrowed = narrowed(settings, asked, requests_per_second)
        self._asked = asked
        self._checkpoint = checkpoint
        self._log = log
        self._rules = ReplayRules(asked)
        self._rate = requests_per_second
        self._clock = clock
        self._audience = audience
        shelf, connector = SchemaCache(), self._narrowed.connector
        self._scan = RangeScan(
            checkpoint,
            log,
            RouteTable(self._narrowed.routes, connector.name, connector.objects, shelf),
            SchemaPrefetch(shelf, registry, clock, audience.waits),
            rules=self._rules,
            clock=clock,
            audience=audience,
        )
        self.telemetry = Telemetry(
            Metrics(version=__version__, config_sha256=settings.config_sha256), clock
        )
        self._is_finished = False

    async def plan(self, *, is_to_be_done: bool, group_in_use: bool) -> ReplayPlan:
        """Read what there is to read, and reckon. What is only planned leaves nothing on disk.

        Raises: `Refusal`, `NotAnEdge`.
        """
        sha256, about = mapping_sha256_of(self._narrowed), self._checkpoint.about
        was_begun = about is not None and about.phase is not ReplayPhase.PLANNING
        if about is None or not was_begun:
            parts = await self._survey()
            phase = ReplayPhase.READING if is_to_be_done else ReplayPhase.PLANNING
            self._checkpoint.begin(
                CheckpointHeader(asked=self._asked, mapping_sha256=sha256, phase=phase), parts
            )
        elif about.mapping_sha256 != sha256:
            message = (
                f"this replay was begun with other routes or another connector"
                f" ({self._checkpoint.path}):"
                " go on with those, or begin anew by --afresh"
            )
            raise Refusal(message)
        positions = await self._log.positions([one.place for one in self._checkpoint.parts])
        if self._checkpoint.phase in {ReplayPhase.PLANNING, ReplayPhase.READING}:
            await self._scan.up_to(
                {one.number: one.end for one in self._checkpoint.parts}, "reading"
            )
        reading_on = self._reads_on()
        if reading_on and self._checkpoint.phase is not ReplayPhase.LOOKING:
            await self._read_on(positions)
        self._checkpoint.index()
        return plan_of(
            self._settings,
            self._checkpoint,
            positions,
            group_in_use=group_in_use,
            was_begun=was_begun,
            reads_on=reading_on,
            requests_per_second=self._rate,
        )

    async def execute(
        self, make_ports: MakePorts, attended: Callable[[Daemon], AbstractContextManager[None]]
    ) -> ReplayResult:
        """Send what the plan says. `attended` is around the daemon that does it.

        So that a signal can stop it.

        Raises: `Refusal` when what it was to read is gone; `Fatal` when it cannot go on; the same
        command takes it up again.
        """
        checkpoint, started_s = self._checkpoint, self._clock.now_s()
        if checkpoint.phase in {ReplayPhase.PLANNING, ReplayPhase.READING}:
            checkpoint.enter(ReplayPhase.SENDING)
        source, daemon = self._daemon(make_ports)
        watching = asyncio.create_task(self._show(daemon, checkpoint.wanted_count()))
        try:
            with attended(daemon):
                await daemon.run()
        except Fatal as fatal:
            if source.refusal is None:
                raise
            raise source.refusal from fatal
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
        about = checkpoint.about
        outcome = ReplayResult(
            is_finished=self._is_finished,
            ledger=daemon.status.ledger(),
            look_count=about.look_count if about is not None else 0,
            elapsed_s=self._clock.now_s() - started_s,
        )
        if self._is_finished:
            checkpoint.close_for_good()
        return outcome

    def _daemon(self, make_ports: MakePorts) -> tuple[ReplaySource, Daemon]:
        checkpoint, parts = self._checkpoint, {one.place: one for one in self._checkpoint.parts}

        def route_filter(mapper: RouteMapper) -> RouteMapper:
            return ReplayFilter(mapper, checkpoint, parts, self._rules)

        def finished() -> None:
            self._is_finished = True
            daemon.stop()

        source = ReplaySource(
            checkpoint,
            self._log,
            self._scan,
            looks_again=self._reads_on(),
            clock=self._clock,
            audience=self._audience,
            finished=finished,
        )
        daemon = Daemon(self._narrowed, make_ports(source), self.telemetry, route_filter, COUNTED)
        return source, daemon

    async def _survey(self) -> list[ReplayPartition]:
        """Find the range. What the group has not reached yet is left to it."""
        wall_ms = self._clock.wall_ms()
        begin = None if self._asked.begin is None else read_bound(self._asked.begin, wall_ms)
        end = None if self._asked.end is None else read_bound(self._asked.end, wall_ms)
        found = [
            offset_range
            for topic in self._asked.topics
            for offset_range in await self._log.offset_ranges(
                topic, begin, end, self._asked.partitions
            )
        ]
        positions = await self._log.positions([one.place for one in found])
        return [_part(number, one, positions.get(one.place)) for number, one in enumerate(found)]

    def _reads_on(self) -> bool:
        return self._rules.read_on(self._narrowed.connector.objects, self._checkpoint)

    async def _read_on(self, positions: Mapping[PartitionKey, int]) -> None:
        """Read up to where the group stands now.

        And let what is newer take the place of what is older.
        """
        stops = {one.number: positions.get(one.place, one.end) for one in self._checkpoint.parts}
        self._checkpoint.read_on(stops)
        await self._scan.up_to(
            {one.number: one.stop for one in self._checkpoint.parts}, "reading on"
        )

    async def _show(self, daemon: Daemon, total: int) -> None:
        """Show how far it is, and what it waits for."""
        while True:
            report = daemon.status.snapshot()
            settled = report.ledger.polled - report.ledger.open
            note = (
                f"{report.ledger.accepted:,} accepted, {report.ledger.dead_lettered:,}"
                f" dead-lettered"
            )
            self._audience.step("sending", settled, max(total, settled), note)
            self._audience.waits(_waiting(report))
            await self._clock.sleep(PROGRESS_S)


def _waiting(report: StatusReport) -> str:
    return "; ".join(f"{held.reason}: {held.detail}" for held in report.holds)


def _part(number: int, offset_range: OffsetRange, position: int | None) -> ReplayPartition:
    """Make a part of a stretch: no further than where the group stands.

    Who sends the rest itself.
    """
    remarks, end = [offset_range.remark] if offset_range.remark else [], offset_range.end
    if position is not None and position < end:
        end = max(offset_range.begin, position)
        remarks.append(f"from {position} on it is the group's, which stands there")
    return ReplayPartition(
        number=number,
        topic=offset_range.topic,
        partition=offset_range.partition,
        begin=offset_range.begin,
        end=end,
        stop=end,
        window=offset_range.begin,
        scanned=offset_range.begin,
        sent=offset_range.begin,
        remark="; ".join(remarks),
    )
