"""Runs one replay: reads and plans the range, then sends it with a separate daemon."""

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
    from consumer.mapping.version import VersionMemory
    from consumer.model import PartitionKey
    from consumer.operations.kafka.ranges import OffsetRange
    from consumer.operations.progress_display import ProgressDisplay
    from consumer.operations.replay.checkpoint import Checkpoint
    from consumer.operations.replay.reading import RecordLog
    from consumer.registry.port import SchemaRegistry
    from consumer.source.port import Source

LOOK_S: Final = 0.25
PROGRESS_S: Final = 1.0

NO_MAPPING_FUSE: Final = FuseSettings(consecutive=1 << 62, ratio=2.0)
"""No fuse for records that cannot be mapped: the plan has counted them, and superseded records are
not there to count as good. Rejections of the tenant keep the fuse of the configuration."""

MakePorts: TypeAlias = "Callable[[Source], Ports]"


class ReplayResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result. `is_finished` is false after an early stop; the same command resumes."""

    is_finished: bool
    ledger: LedgerStatus
    look_count: int
    elapsed_s: float


def replay_settings(
    settings: Settings, request: ReplayRequest, requests_per_second: int
) -> Settings:
    """Return the configuration of the replay: its routes and rate, and no admin port.

    Raises: `Refusal` where a topic has no streaming route.
    """
    routes = replayed_routes(settings, request.topics)
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


def default_checkpoint_path(settings: Settings, request: ReplayRequest) -> Path:
    """Return the checkpoint file of this request and group."""
    name = hashlib.sha256(msgspec.json.encode(request)).hexdigest()[:12]
    return spool_root(settings) / f"replay-{name}.book"


class Replay:
    """One replay: `plan`, then `execute`. `settings` is the whole configuration."""

    def __init__(
        self,
        settings: Settings,
        request: ReplayRequest,
        checkpoint: Checkpoint,
        log: RecordLog,
        *,
        requests_per_second: int,
        registry: SchemaRegistry | None,
        clock: Clock,
        display: ProgressDisplay,
    ) -> None:
        """Prepare the replay. Raises: `Refusal` where a topic has no streaming route."""
        self._settings = settings
        self._replay_settings = replay_settings(settings, request, requests_per_second)
        self._request = request
        self._checkpoint = checkpoint
        self._log = log
        self._rules = ReplayRules(request)
        self._rate = requests_per_second
        self._clock = clock
        self._display = display
        schema_cache = SchemaCache(settings.registry_type)
        connector = self._replay_settings.connector
        self._scan = RangeScan(
            checkpoint,
            log,
            RouteTable(
                self._replay_settings.routes, connector.name, connector.objects, schema_cache
            ),
            SchemaPrefetch(schema_cache, registry, clock, display.waits),
            rules=self._rules,
            clock=clock,
            display=display,
        )
        self.telemetry = Telemetry(
            Metrics(version=__version__, config_sha256=settings.config_sha256), clock
        )
        self._is_finished = False

    async def plan(self, *, is_to_be_done: bool, group_in_use: bool) -> ReplayPlan:
        """Read the range and return the plan. Without `is_to_be_done`, nothing stays on disk.

        Raises: `Refusal`, `InvalidBound`.
        """
        sha256, header = mapping_sha256_of(self._replay_settings), self._checkpoint.header
        # A checkpoint without --execute is replaced; any other one is resumed.
        was_begun = header is not None and header.phase is not ReplayPhase.PLANNING
        if header is None or not was_begun:
            parts = await self._find_ranges()
            phase = ReplayPhase.READING if is_to_be_done else ReplayPhase.PLANNING
            self._checkpoint.begin(
                CheckpointHeader(request=self._request, mapping_sha256=sha256, phase=phase), parts
            )
        elif header.mapping_sha256 != sha256:
            message = (
                f"the checkpoint {self._checkpoint.path} was made with other routes or another"
                " connector; restore that configuration, or add --afresh to start over"
            )
            raise Refusal(message)
        positions = await self._log.positions([one.place for one in self._checkpoint.parts])
        if self._checkpoint.phase in {ReplayPhase.PLANNING, ReplayPhase.READING}:
            await self._scan.up_to(
                {one.number: one.end for one in self._checkpoint.parts}, "reading"
            )
        # While rechecking, the range to read is already fixed by the log ends.
        reading_on = self._reads_on()
        if reading_on and self._checkpoint.phase is not ReplayPhase.RECHECKING:
            await self._read_on(positions)
        await self._scan.versions()
        # Built once after reading; sending selects by offset.
        self._checkpoint.index()
        return plan_of(
            self._settings,
            self._checkpoint,
            positions,
            group_in_use=group_in_use,
            was_begun=was_begun,
            reads_on=reading_on,
            requests_per_second=self._rate,
            wall_ms=self._clock.wall_ms(),
        )

    async def execute(
        self, make_ports: MakePorts, attended: Callable[[Daemon], AbstractContextManager[None]]
    ) -> ReplayResult:
        """Send the selected records. `attended` wraps the daemon, so that a signal can stop it.

        Raises: `Refusal` when records to read are no longer there; `Fatal` when it cannot continue.
        The same command resumes.
        """
        checkpoint, started_s = self._checkpoint, self._clock.now_s()
        if checkpoint.phase in {ReplayPhase.PLANNING, ReplayPhase.READING}:
            checkpoint.enter(ReplayPhase.SENDING)
        # From here on, only the daemon and its source change the checkpoint.
        source, daemon = self._daemon(make_ports)
        watching = asyncio.create_task(self._show_progress(daemon, checkpoint.selected_count()))
        try:
            with attended(daemon):
                await daemon.run()
        except Fatal as fatal:
            # The source ends the daemon by `failed`; its own reason is the better error.
            if source.refusal is None:
                raise
            raise source.refusal from fatal
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
        header = checkpoint.header
        outcome = ReplayResult(
            is_finished=self._is_finished,
            ledger=daemon.status.ledger(),
            look_count=header.look_count if header is not None else 0,
            elapsed_s=self._clock.now_s() - started_s,
        )
        if self._is_finished:
            checkpoint.discard()
        return outcome

    def _daemon(self, make_ports: MakePorts) -> tuple[ReplaySource, Daemon]:
        checkpoint, parts = self._checkpoint, {one.place: one for one in self._checkpoint.parts}

        def route_filter(mapper: RouteMapper, versions: VersionMemory) -> RouteMapper:
            return ReplayFilter(mapper, checkpoint, parts, self._rules, versions)

        def finished() -> None:
            self._is_finished = True
            daemon.stop()

        source = ReplaySource(
            checkpoint,
            self._log,
            self._scan,
            rechecks=self._reads_on(),
            clock=self._clock,
            display=self._display,
            finished=finished,
        )
        daemon = Daemon(
            self._replay_settings, make_ports(source), self.telemetry, route_filter, NO_MAPPING_FUSE
        )
        return source, daemon

    async def _find_ranges(self) -> list[ReplayPartition]:
        """Return the ranges; what the group has not reached yet is left to it."""
        wall_ms = self._clock.wall_ms()
        begin = None if self._request.begin is None else read_bound(self._request.begin, wall_ms)
        end = None if self._request.end is None else read_bound(self._request.end, wall_ms)
        found = [
            offset_range
            for topic in self._request.topics
            for offset_range in await self._log.offset_ranges(
                topic, begin, end, self._request.partitions
            )
        ]
        positions = await self._log.positions([one.place for one in found])
        return [
            _replay_partition(number, one, positions.get(one.place))
            for number, one in enumerate(found)
        ]

    def _reads_on(self) -> bool:
        return self._rules.read_on(self._replay_settings.connector.objects, self._checkpoint)

    async def _read_on(self, positions: Mapping[PartitionKey, int]) -> None:
        """Read up to the group's current position, so that newer changes replace older ones."""
        stops = {one.number: positions.get(one.place, one.end) for one in self._checkpoint.parts}
        self._checkpoint.read_on(stops)
        await self._scan.up_to(
            {one.number: one.stop for one in self._checkpoint.parts}, "reading on"
        )

    async def _show_progress(self, daemon: Daemon, total: int) -> None:
        """Show progress and holds until cancelled."""
        while True:
            report = daemon.status.snapshot()
            settled = report.ledger.polled - report.ledger.open
            note = (
                f"{report.ledger.accepted:,} accepted, {report.ledger.dead_lettered:,}"
                f" dead-lettered"
            )
            self._display.step("sending", settled, max(total, settled), note)
            self._display.waits(_waiting(report))
            await self._clock.sleep(PROGRESS_S)


def _waiting(report: StatusReport) -> str:
    return "; ".join(f"{held.reason}: {held.detail}" for held in report.holds)


def _replay_partition(
    number: int, offset_range: OffsetRange, position: int | None
) -> ReplayPartition:
    """Return a partition of the replay, ending at the group's position at the latest."""
    remarks, end = [offset_range.remark] if offset_range.remark else [], offset_range.end
    if position is not None and position < end:
        # What the group has not sent yet would be sent twice, and out of order.
        end = max(offset_range.begin, position)
        remarks.append(f"ends at {position}, the group's position: the daemons send the rest")
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
