"""A range sent again, beside the group that has sent it: planned, then done by the daemon's own rooms."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from consumer import __version__
from consumer.admin.metrics import Metrics
from consumer.admin.port import Ledger
from consumer.admin.settings import AdminSettings
from consumer.admin.telemetry import Telemetry
from consumer.config.effective import mapping_sha256_of
from consumer.daemon import Daemon
from consumer.dead_letter.settings import FuseSettings
from consumer.decoding.schema_shelf import SchemaShelf
from consumer.errors import Fatal, Refusal
from consumer.mapping.routing import RouteTable
from consumer.operations.edges import read_edge
from consumer.operations.replay_plan import Plan, plan_of
from consumer.operations.replay_reading import Scan
from consumer.operations.replay_rules import Rules, replayed_routes
from consumer.operations.replay_sieve import Sieve
from consumer.operations.replay_source import ReplaySource
from consumer.operations.replay_words import About, Asked, Part, Phase
from consumer.operations.schemas_first import SchemasFirst
from consumer.takers import spool_root

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from consumer.admin.port import StatusReport
    from consumer.clock import Clock
    from consumer.config.settings import Settings
    from consumer.mapping.port import RouteMapper
    from consumer.operations.replay_book import Book
    from consumer.operations.replay_reading import Audience, RecordLog
    from consumer.operations.stretches import Place, Stretch
    from consumer.ports import Ports
    from consumer.registry.port import SchemaRegistry
    from consumer.source.port import Source

LOOK_S: Final = 0.25
PROGRESS_S: Final = 1.0

COUNTED: Final = FuseSettings(consecutive=1 << 62, ratio=2.0)
"""No fuse for records that cannot be mapped: the plan has counted them, and what a newer change replaced is not
there to count as good beside them. What the tenant refuses has the fuse of the file."""

MakePorts: TypeAlias = "Callable[[Source], Ports]"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. `is_finished` is false when it was stopped before; the same command goes on."""

    is_finished: bool
    ledger: Ledger
    look_count: int
    elapsed_s: float


def narrowed(settings: Settings, asked: Asked, requests_per_second: int) -> Settings:
    """Return the configuration of the replay: the routes of its topics, its own rate, and no admin port.

    Raises: `Refusal` where a topic has no route that streams.
    """
    routes = replayed_routes(settings, asked.topics)
    objects = {name: settings.connector.objects[name] for name in {route.object for route in routes}}
    return msgspec.structs.replace(
        settings,
        routes=routes,
        connector=msgspec.structs.replace(settings.connector, objects=objects),
        delivery=msgspec.structs.replace(settings.delivery, requests_per_second=requests_per_second),
        admin=AdminSettings(host=None),
    )


def usual_book(settings: Settings, asked: Asked) -> Path:
    """Return where the same replay of the same group finds itself again."""
    name = hashlib.sha256(msgspec.json.encode(asked)).hexdigest()[:12]
    return spool_root(settings) / f"replay-{name}.book"


class Replay:
    """One replay: `plan`, then `execute`. `settings` are those of the file, not narrowed."""

    def __init__(
        self,
        settings: Settings,
        asked: Asked,
        book: Book,
        log: RecordLog,
        *,
        requests_per_second: int,
        registry: SchemaRegistry | None,
        clock: Clock,
        audience: Audience,
    ) -> None:
        """Raises: `Refusal` where a topic has no route that streams."""
        self._settings = settings
        self._narrowed = narrowed(settings, asked, requests_per_second)
        self._asked = asked
        self._book = book
        self._log = log
        self._rules = Rules(asked)
        self._rate = requests_per_second
        self._clock = clock
        self._audience = audience
        shelf, connector = SchemaShelf(), self._narrowed.connector
        self._scan = Scan(
            book,
            log,
            RouteTable(self._narrowed.routes, connector.name, connector.objects, shelf),
            SchemasFirst(shelf, registry, clock, audience.waits),
            rules=self._rules,
            clock=clock,
            audience=audience,
        )
        self.telemetry = Telemetry(Metrics(version=__version__, config_sha256=settings.config_sha256))
        self._is_finished = False

    async def plan(self, *, is_to_be_done: bool, group_in_use: bool) -> Plan:
        """Read what there is to read, and reckon. What is only planned leaves nothing on disk.

        Raises: `Refusal`, `NotAnEdge`.
        """
        sha256, about = mapping_sha256_of(self._narrowed), self._book.about
        was_begun = about is not None and about.phase is not Phase.PLANNING
        if about is None or not was_begun:
            parts = await self._survey()
            phase = Phase.READING if is_to_be_done else Phase.PLANNING
            self._book.begin(About(asked=self._asked, mapping_sha256=sha256, phase=phase), parts)
        elif about.mapping_sha256 != sha256:
            message = (
                f"this replay was begun with other routes or another connector ({self._book.path}):"
                " go on with those, or begin anew by --afresh"
            )
            raise Refusal(message)
        positions = await self._log.positions([one.place for one in self._book.parts])
        if self._book.phase in {Phase.PLANNING, Phase.READING}:
            await self._scan.up_to({one.number: one.end for one in self._book.parts}, "reading")
        reading_on = self._reads_on()
        if reading_on and self._book.phase is not Phase.LOOKING:
            await self._read_on(positions)
        self._book.index()
        return plan_of(
            self._settings,
            self._book,
            positions,
            group_in_use=group_in_use,
            was_begun=was_begun,
            reads_on=reading_on,
            requests_per_second=self._rate,
        )

    async def execute(
        self, make_ports: MakePorts, attended: Callable[[Daemon], AbstractContextManager[None]]
    ) -> Outcome:
        """Send what the plan says. `attended` is around the daemon that does it, so that a signal can stop it.

        Raises: `Refusal` when what it was to read is gone; `Fatal` when it cannot go on; the same command takes it
        up again.
        """
        book, started_s = self._book, self._clock.now_s()
        if book.phase in {Phase.PLANNING, Phase.READING}:
            book.enter(Phase.SENDING)
        source, daemon = self._daemon(make_ports)
        watching = asyncio.create_task(self._show(daemon, book.wanted_count()))
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
        about = book.about
        outcome = Outcome(
            is_finished=self._is_finished,
            ledger=daemon.facts.ledger(),
            look_count=about.look_count if about is not None else 0,
            elapsed_s=self._clock.now_s() - started_s,
        )
        if self._is_finished:
            book.close_for_good()
        return outcome

    def _daemon(self, make_ports: MakePorts) -> tuple[ReplaySource, Daemon]:
        book, parts = self._book, {one.place: one for one in self._book.parts}

        def sieve(mapper: RouteMapper) -> RouteMapper:
            return Sieve(mapper, book, parts, self._rules)

        def finished() -> None:
            self._is_finished = True
            daemon.stop()

        source = ReplaySource(
            book,
            self._log,
            self._scan,
            looks_again=self._reads_on(),
            clock=self._clock,
            audience=self._audience,
            finished=finished,
        )
        daemon = Daemon(self._narrowed, make_ports(source), self.telemetry, sieve, COUNTED)
        return source, daemon

    async def _survey(self) -> list[Part]:
        """Find the range. What the group has not reached yet is left to it."""
        wall_ms = self._clock.wall_ms()
        begin = None if self._asked.begin is None else read_edge(self._asked.begin, wall_ms)
        end = None if self._asked.end is None else read_edge(self._asked.end, wall_ms)
        found = [
            stretch
            for topic in self._asked.topics
            for stretch in await self._log.stretches(topic, begin, end, self._asked.partitions)
        ]
        positions = await self._log.positions([one.place for one in found])
        return [_part(number, one, positions.get(one.place)) for number, one in enumerate(found)]

    def _reads_on(self) -> bool:
        return self._rules.read_on(self._narrowed.connector.objects, self._book)

    async def _read_on(self, positions: Mapping[Place, int]) -> None:
        """Read up to where the group stands now, and let what is newer take the place of what is older."""
        stops = {one.number: positions.get(one.place, one.end) for one in self._book.parts}
        self._book.read_on(stops)
        await self._scan.up_to({one.number: one.stop for one in self._book.parts}, "reading on")

    async def _show(self, daemon: Daemon, total: int) -> None:
        """Show how far it is, and what it waits for."""
        while True:
            report = daemon.facts.status()
            settled = report.ledger.polled - report.ledger.open
            note = f"{report.ledger.accepted:,} accepted, {report.ledger.dead_lettered:,} dead-lettered"
            self._audience.step("sending", settled, max(total, settled), note)
            self._audience.waits(_waiting(report))
            await self._clock.sleep(PROGRESS_S)


def _waiting(report: StatusReport) -> str:
    return "; ".join(f"{held.reason}: {held.detail}" for held in report.holds)


def _part(number: int, stretch: Stretch, position: int | None) -> Part:
    """Make a part of a stretch: no further than where the group stands, who sends the rest itself."""
    remarks, end = [stretch.remark] if stretch.remark else [], stretch.end
    if position is not None and position < end:
        end = max(stretch.begin, position)
        remarks.append(f"from {position} on it is the group's, which stands there")
    return Part(
        number=number,
        topic=stretch.topic,
        partition=stretch.partition,
        begin=stretch.begin,
        end=end,
        stop=end,
        window=stretch.begin,
        scanned=stretch.begin,
        sent=stretch.begin,
        remark="; ".join(remarks),
    )
