"""Runs one backfill against Kafka and the tenant: plan, read, write, send, set the group."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from consumer import __version__
from consumer.admin.metrics import Metrics
from consumer.admin.telemetry import Telemetry
from consumer.app.service_clock import ServiceClock, WatchedTransport
from consumer.app.targets import spool_root
from consumer.auth.provider import TokenProvider
from consumer.bulk.job_state import HourlyJobs
from consumer.bulk.requests import IngestionJobs
from consumer.bulk.runner import JobRunner
from consumer.clock import SystemClock
from consumer.dead_letter.envelope import DeadLetterContext
from consumer.dead_letter.producer import KafkaDeadLetterTopic
from consumer.decoding.schema_cache import SchemaCache
from consumer.errors import CredentialsRefused, Hold, HoldReason, Refusal, Transient
from consumer.http.client import HttpTransport
from consumer.http.hosts import Hosts
from consumer.operations.backfill.plan import make_plan
from consumer.operations.backfill.reading import BackfillReader
from consumer.operations.backfill.routes import RowMakers, chosen_routes
from consumer.operations.backfill.sending import JobFileWriter, JobSender
from consumer.operations.backfill.state import BackfillFolder, BackfillPhase
from consumer.operations.kafka.group import ConsumerGroup
from consumer.operations.schema_prefetch import SchemaPrefetch
from consumer.registry.registries import registry_client
from consumer.source.lease import NoGate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from consumer.config.settings import Settings
    from consumer.operations.backfill.plan import BackfillPlan
    from consumer.operations.backfill.state import Backfill, BackfillRequest
    from consumer.operations.progress_display import ProgressDisplay

_CONNECTIONS = 4


class BackfillRun:
    """One backfill, from its plan to its last job.

    Every method raises `Refusal` for a request that cannot be carried out.
    """

    def __init__(
        self,
        settings: Settings,
        request: BackfillRequest,
        folder: BackfillFolder,
        display: ProgressDisplay,
    ) -> None:
        self._settings = settings
        self._request = request
        self._folder = folder
        self._display = display
        self._clock = clock = ServiceClock(SystemClock())
        self._routes = chosen_routes(settings, request)
        self._group = ConsumerGroup(settings.kafka)
        schema_cache = SchemaCache(settings.registry_type)
        self._makers = RowMakers(settings, self._routes, schema_cache)
        telemetry = Telemetry(
            Metrics(version=__version__, config_sha256=settings.config_sha256), clock
        )
        hosts = Hosts.known(settings.salesforce.login_url, settings.salesforce.allowed_domains)
        self._transport = WatchedTransport(
            HttpTransport(hosts, clock, connections=_CONNECTIONS), clock
        )
        self._tokens = TokenProvider(
            settings.salesforce, self._transport, clock, jitter=random.random, observer=telemetry
        )
        self._dead_letters = KafkaDeadLetterTopic(
            settings.kafka.bootstrap_servers,
            settings.kafka.properties,
            settings.dead_letter.topic,
            clock,
        )
        self._registry = (
            registry_client(settings.registry, clock) if settings.registry is not None else None
        )
        self._schemas = SchemaPrefetch(schema_cache, self._registry, clock, display.waits)
        self._runner = JobRunner(
            IngestionJobs(settings.delivery.timeout_s),
            self._transport,
            self._tokens,
            HourlyJobs(),
            clock=clock,
            rng=random.random,
            observer=telemetry,
            gate=NoGate(),
        )

    async def plan(self) -> BackfillPlan:
        """Return the plan; change nothing."""
        return await make_plan(
            self._settings,
            self._request,
            self._routes,
            makers=self._makers,
            schemas=self._schemas,
            group=self._group,
            folder=self._folder,
            clock=self._clock,
        )

    async def execute(self, backfill: Backfill) -> None:
        """Run the backfill from its current phase to its last job.

        Raises: `CredentialsRefused` before anything is done; `Fatal` when the disk or the client
        fails.
        """
        if backfill.phase is BackfillPhase.OVER:
            return
        await self._refuse_if_group_in_use()
        await self._ready()
        # The checkpoint exists from here on, so that a restart finds the same range.
        self._folder.keep(backfill)
        if backfill.phase is BackfillPhase.READING:
            await self._reading().read(backfill)
        if backfill.phase is BackfillPhase.WRITING:
            await JobFileWriter(
                self._settings, self._folder, clock=self._clock, display=self._display
            ).write(backfill)
        if backfill.phase is BackfillPhase.SENDING:
            # A daemon may have been started while the range was read.
            await self._refuse_if_group_in_use()
            await self._sending().send(backfill)

    async def discard_checkpoint(self) -> None:
        """Discard an earlier run: settle its job and delete its files."""
        if (left := self._folder.left()) is not None:
            await self._sending().settle_open_job(left)
        self._folder.clear()

    async def hand_over(self, plan: BackfillPlan) -> None:
        """Set the group to where streaming continues. Raises: `Refusal` while it has members."""
        await asyncio.to_thread(self._group.set_positions, plan.continues_from)

    def clear(self) -> None:
        """Delete the checkpoint of a reported backfill."""
        self._folder.clear()

    async def close(self) -> None:
        """Close every connection."""
        await self._dead_letters.close()
        await self._tokens.close()
        await self._transport.close()
        if self._registry is not None:
            await self._registry.close()

    def _sending(self) -> JobSender:
        return JobSender(
            self._settings,
            self._folder,
            self._runner,
            clock=self._clock,
            display=self._display,
        )

    def _reading(self) -> BackfillReader:
        settings = self._settings
        return BackfillReader(
            settings,
            self._folder,
            makers=self._makers,
            schemas=self._schemas,
            dead_letters=self._dead_letters,
            context=DeadLetterContext(
                connector_name=settings.connector.name,
                task_id=settings.kafka.group_id,
                config_sha256=settings.config_sha256,
                version=__version__,
            ),
            clock=self._clock,
            display=self._display,
        )

    async def _refuse_if_group_in_use(self) -> None:
        """Refuse while daemons run: a job would interrupt and overtake their streamed rows."""
        if await asyncio.to_thread(self._group.is_in_use):
            group = self._settings.kafka.group_id
            message = (
                f"group `{group}` has members: a job interrupts their streaming, and its older"
                " rows would overwrite their newer ones; stop the daemons and run this command"
                " again to resume"
            )
            raise Refusal(message)

    async def _ready(self) -> None:
        """Check the dead-letter topic and the login before the first record is read."""
        try:
            await self._dead_letters.check()
            await self._tokens.current()
        except Hold as hold:
            if hold.reason is HoldReason.AUTH:
                raise CredentialsRefused(hold.detail) from hold
            raise Refusal(str(hold)) from hold
        except Transient as fault:
            message = (
                f"the login got no usable response: {fault.detail}; check salesforce.login_url and "
                "the network path"
            )
            raise Refusal(message) from fault


@asynccontextmanager
async def open_backfill(
    settings: Settings, request: BackfillRequest, display: ProgressDisplay
) -> AsyncIterator[BackfillRun]:
    """Yield a backfill, with its folder locked for as long as the block lasts."""
    with BackfillFolder(spool_root(settings), request) as folder:
        run = BackfillRun(settings, request, folder, display)
        try:
            yield run
        finally:
            await run.close()


def refuse_gap(plan: BackfillPlan) -> None:
    """Raise `Refusal` where setting the group to the end of the range would skip unsent records."""
    for one in plan.backfill.offset_ranges:
        position = plan.positions.get(one.place)
        if position is not None and position < one.begin:
            message = (
                f"{one.topic}[{one.partition}]: group `{plan.group_id}` is at offset {position},"
                f" and the range begins at {one.begin}: --hand-over would skip the records in"
                f" between; use --from {position}, or omit --hand-over"
            )
            raise Refusal(message)
