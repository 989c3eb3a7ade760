"""The daemon: builds its parts, checks the set-up, reads, drains and stops."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from consumer import __version__
from consumer.app.crm_preflight import CrmPreflight
from consumer.app.preflight import Preflight
from consumer.app.status import DaemonStatus
from consumer.app.targets import (
    build_batchers,
    build_row_buffers,
    build_uploaders,
    crm_targets,
    open_spool,
)
from consumer.bulk.crm_requests import CrmJobs
from consumer.bulk.lanes import BulkLanes
from consumer.dead_letter.envelope import DeadLetterContext
from consumer.dead_letter.fuse import Fuse
from consumer.dead_letter.outbox import Outbox
from consumer.decoding.schema_cache import SchemaCache
from consumer.delivery.attempt import Attempt
from consumer.delivery.lane import Lane
from consumer.delivery.lanes import Lanes
from consumer.delivery.load_control import AdaptiveLimit, RateBucket, RetryBudget
from consumer.delivery.rate_limiter import RateLimiter
from consumer.engine.pipeline import Pipeline
from consumer.engine.record_dispatch import RecordDispatcher
from consumer.engine.revocation import Revocations
from consumer.engine.schema_wait import SchemaWait
from consumer.engine.state import EngineState
from consumer.engine.timers import Timers
from consumer.errors import ConsumerError, Fatal, leaves_of
from consumer.holds import Holds
from consumer.mapping.routing import RouteTable
from consumer.offsets.accounts import ObjectAccounts
from consumer.offsets.ledger import Ledger
from consumer.offsets.progress import Progress
from consumer.source.intake import Intake
from consumer.source.lease import OwnershipGate
from consumer.source.parking import Parking, partition_of, topic_of

if TYPE_CHECKING:
    from consumer.admin.telemetry import Telemetry
    from consumer.app.ports import Ports
    from consumer.config.settings import Settings
    from consumer.dead_letter.settings import FuseSettings
    from consumer.mapping.port import RouteFilter

TICK_S: Final = 1.0
"""How often the loop reports that it is alive, and updates the share of the tenant's rate."""


class Daemon:
    """One member of the consumer group, from the start-up checks until it has left the group."""

    def __init__(
        self,
        settings: Settings,
        ports: Ports,
        telemetry: Telemetry,
        route_filter: RouteFilter | None = None,
        record_fuse: FuseSettings | None = None,
    ) -> None:
        """`route_filter` wraps every route, for a verb that sends only some of the records.

        `record_fuse` replaces the configured fuse; it then counts only the records that pass the
        filter.
        """
        self._settings = settings
        self._ports = ports
        self._telemetry = telemetry
        self._fault: str | None = None
        self._stopping = asyncio.Event()
        self._stopped = asyncio.Event()
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        clock, delivery, connector = ports.clock, settings.delivery, settings.connector
        batchers = build_batchers(settings)
        self._spool = open_spool(settings)
        self._crm = CrmJobs(
            settings.salesforce.api_version, delivery.timeout_s, crm_targets(settings)
        )
        self._rate = RateBucket(delivery.requests_per_second)
        self._rate_limiter = RateLimiter(self._rate, clock, ports.rng)
        self._timers = Timers()
        self._limit = AdaptiveLimit(delivery.in_flight)
        self._budget = RetryBudget()
        self._lanes_by_target = {
            target: Lane(
                batcher,
                Fuse(settings.dead_letter.fuse),
                connector.objects[target.object].primary_key,
            )
            for target, batcher in batchers.items()
        }
        schemas = SchemaCache(settings.registry_type)
        self._state = EngineState(
            routes=RouteTable(
                settings.routes, connector.name, connector.objects, schemas, route_filter
            ),
            batchers=batchers,
            row_buffers=build_row_buffers(settings, self._spool),
            fuse=lambda: Fuse(record_fuse or settings.dead_letter.fuse),
            ledger=Ledger(telemetry),
            accounts=ObjectAccounts(),
            progress=Progress(),
            holds=Holds(telemetry.hold_changed),
            parking=Parking(topic_of),
            waiting=Parking(partition_of),
            schemas=schemas,
        )
        self._pipeline = Pipeline(
            self._state,
            clock=clock,
            failed=self.fail,
            stopped=self._stopped.set,
            owned_changed=self._update_share,
            observer=telemetry,
        )
        self.status = DaemonStatus(settings, self._state, ports.source, self._rate, clock)

    def stop(self) -> None:
        """Stop intake, drain, commit, leave the group."""
        self._stopping.set()

    def fail(self, detail: str) -> None:
        """Commit what is settled, then stop with this detail as the reason."""
        self._fault = self._fault or detail
        self.stop()

    def broken(self, error: BaseException) -> None:
        """End the run with an error that no task awaits; nothing more is committed."""
        if not self._broken.done():
            self._broken.set_exception(error)

    async def run(self) -> None:
        """Run until `stop` is called.

        Raises: `Fatal` when a fault stopped it; what was settled is committed by then.
        """
        try:
            async with asyncio.TaskGroup() as group:
                await self._run_tasks(group)
        except ExceptionGroup as errors:
            # A `ConsumerError` is raised by itself, so that the verb can report it and
            # choose the exit code. Anything else is a bug and is raised with its traceback.
            known = errors.subgroup(ConsumerError)
            if known is None:
                raise
            raise leaves_of(known)[0] from errors
        finally:
            if self._spool is not None:
                self._spool.close()
        await self._ports.dead_letters.close()
        await self._ports.transport.close()
        if self._ports.registry is not None:
            await self._ports.registry.close()
        if self._fault is not None:
            raise Fatal(self._fault)

    async def _run_tasks(self, group: asyncio.TaskGroup) -> None:
        """Check, read and drain, with the background tasks beside it."""
        lanes, bulk = self._build_engine(group)
        background = [
            group.create_task(self._commit_forever()),
            group.create_task(self._tick_forever(lanes, bulk)),
            group.create_task(self._raise_broken()),
        ]
        try:
            if await self._ready_to_start(group):
                bulk.start()
                self._ports.source.start(self._pipeline)
                await self._stopping.wait()
                # The source revokes every partition; the pipeline sets `_stopped` when that ends.
                self.status.draining()
                self._ports.source.stop()
                await self._stopped.wait()
                await bulk.leave()
        finally:
            self.status.stopped()
            self._timers.close()
            lanes.close()
            bulk.close()
            self._schemas.close()
            for task in background:
                task.cancel()

    def _build_engine(self, group: asyncio.TaskGroup) -> tuple[Lanes, BulkLanes]:
        """Build the parts that need the running loop, and connect them to the pipeline."""
        ports, settings = self._ports, self._settings
        gate = OwnershipGate(ports.source, ports.clock)
        lanes: Lanes  # declared first: `Attempt` asks it for the number of open requests
        attempt = Attempt(
            ports.transport,
            ports.tokens,
            self._rate_limiter,
            self._limit,
            self._budget,
            timeout_s=settings.delivery.timeout_s,
            clock=ports.clock,
            open_count=lambda: lanes.in_flight,
            observer=self._telemetry,
            gate=gate,
        )
        lanes = Lanes(
            self._lanes_by_target.values(),
            attempt,
            self._limit,
            self._budget,
            linger_s=settings.delivery.linger_s,
            clock=ports.clock,
            rng=ports.rng,
            spawn=group.create_task,
            events=self._pipeline,
            observer=self._telemetry,
        )
        bulk = BulkLanes(
            self._state.row_buffers.values(),
            build_uploaders(settings, ports, self._crm, self._pipeline, self._telemetry),
            clock=ports.clock,
            spawn=group.create_task,
            events=self._pipeline,
        )
        outbox = Outbox(
            ports.dead_letters,
            DeadLetterContext(
                connector_name=settings.connector.name or None,
                task_id=settings.kafka.group_id,
                config_sha256=settings.config_sha256,
                version=__version__,
            ),
            clock=ports.clock,
            spawn=group.create_task,
            events=self._pipeline,
            gate=gate,
        )
        intake = Intake(ports.source, settings.delivery.buffer_bytes)
        self._schemas = SchemaWait(
            self._state,
            ports.registry,
            clock=ports.clock,
            spawn=group.create_task,
            holds_changed=self._pipeline.adjust_intake,
        )
        dispatcher = RecordDispatcher(
            self._state,
            outbox,
            self._timers,
            self._schemas,
            stop_on_fault=settings.dead_letter.on_fault == "stop",
            clock=ports.clock,
            latest_ms=ports.latest_ms or (lambda _: ports.clock.wall_ms()),
            failed=self.fail,
            pump=self._pipeline.pump,
            observer=self._telemetry,
        )
        revocations = Revocations(
            self._state,
            intake,
            lanes,
            outbox,
            self._timers,
            bulk=bulk,
            drain_timeout_s=settings.delivery.drain_timeout_s,
            clock=ports.clock,
            owned_changed=self._update_share,
        )
        self._pipeline.connect(
            source=ports.source,
            intake=intake,
            lanes=lanes,
            bulk=bulk,
            outbox=outbox,
            dispatcher=dispatcher,
            revocations=revocations,
        )
        self.status.attach(lanes, bulk, outbox)
        return lanes, bulk

    async def _ready_to_start(self, group: asyncio.TaskGroup) -> bool:
        """Run the start-up checks; return False when stopped meanwhile."""
        ports, connector = self._ports, self._settings.connector
        preflight = Preflight(
            ports.transport,
            ports.tokens,
            self._rate_limiter,
            ports.dead_letters,
            self._state.holds,
            clock=ports.clock,
            rng=ports.rng,
            timeout_s=self._settings.delivery.timeout_s,
            crm=self._crm_preflight(),
        )
        # A stop must not wait for checks that never pass.
        checks = group.create_task(preflight.pass_all(connector.name, connector.objects))
        stopping = group.create_task(self._stopping.wait())
        await asyncio.wait((checks, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if checks.done():
            return True
        checks.cancel()
        return False

    def _crm_preflight(self) -> CrmPreflight | None:
        """Return the check of the CRM, `None` when no route goes there."""
        ports = self._ports
        if self._spool is None or ports.core_tokens is None:
            return None
        return CrmPreflight(
            self._crm,
            ports.transport,
            ports.core_tokens,
            self._settings.routes,
            self._spool.place,
            clock=ports.clock,
        )

    async def _raise_broken(self) -> None:
        await self._broken

    async def _commit_forever(self) -> None:
        while True:
            await self._ports.clock.sleep(self._settings.delivery.commit_interval_s)
            self._pipeline.commit()

    def _update_share(self) -> None:
        """Fit the share of the tenant's rate to the partitions that this process owns."""
        owned, subscribed = (
            len(self._state.progress.owned),
            self._ports.source.subscribed_partitions(),
        )
        self._rate.set_share(owned, subscribed, self._ports.clock.now_s())

    def _paused_s(self) -> float:
        """Return how long requests to the tenant, or the logins for them, pause on request."""
        ports = self._ports
        logins = [ports.tokens] if ports.core_tokens is None else [ports.tokens, ports.core_tokens]
        return max(self._rate.paused_s(ports.clock.now_s()), *(one.paused_s() for one in logins))

    async def _tick_forever(self, lanes: Lanes, bulk: BulkLanes) -> None:
        while True:
            self._update_share()
            self.status.tick()
            # Shows that the loop runs, even if the consumer thread waits for the brokers.
            self._ports.source.is_current()
            self._pipeline.hold_for_pause(self._paused_s())
            # Row buffers become due by time; batches have a timer, so this only backs it up.
            lanes.pump()
            bulk.pump()
            await self._ports.clock.sleep(TICK_S)
