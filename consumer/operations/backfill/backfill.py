"""A range of topics through the bulk API.

Planned, then read, written and sent, with every record told for.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from consumer import __version__
from consumer.admin.metrics import Metrics
from consumer.admin.telemetry import Telemetry
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
from consumer.operations.backfill.plan import planned
from consumer.operations.backfill.reading import BackfillReader
from consumer.operations.backfill.routes import RowMakers, chosen_routes
from consumer.operations.backfill.sending import JobFileWriter, JobSender
from consumer.operations.backfill.state import BackfillFolder, BackfillPhase
from consumer.operations.kafka.group import ConsumerGroup
from consumer.operations.schema_prefetch import SchemaPrefetch
from consumer.registry.client import RegistryClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from consumer.config.settings import Settings
    from consumer.operations.backfill.plan import BackfillPlan
    from consumer.operations.backfill.state import Backfill, BackfillRequest
    from consumer.operations.progress_display import ProgressDisplay

_CONNECTIONS = 4


class BackfillRun:
    """One backfill on the real world, from plan to last job.

    Each step raises `Refusal` for what cannot be.
    """

    def __init__(
        self,
        settings: Settings,
        asked: BackfillRequest,
        workplace: BackfillFolder,
        audience: ProgressDisplay,
    ) -> None:
        self._settings = settings
        self._asked = asked
        self._workplace = workplace
        self._audience = audience
        self._clock = clock = SystemClock()
        self._routes = chosen_routes(settings, asked)
        self._group = ConsumerGroup(settings.kafka)
        shelf = SchemaCache()
        self._makers = RowMakers(settings, self._routes, shelf)
        telemetry = Telemetry(
            Metrics(version=__version__, config_sha256=settings.config_sha256), clock
        )
        hosts = Hosts.known(settings.salesforce.login_url, settings.salesforce.allowed_domains)
        self._transport = HttpTransport(hosts, clock, connections=_CONNECTIONS)
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
            RegistryClient(settings.registry, clock) if settings.registry is not None else None
        )
        self._schemas = SchemaPrefetch(shelf, self._registry, clock, audience.waits)
        self._runner = JobRunner(
            IngestionJobs(settings.delivery.timeout_s),
            self._transport,
            self._tokens,
            HourlyJobs(),
            clock=clock,
            rng=random.random,
            observer=telemetry,
        )

    async def plan(self) -> BackfillPlan:
        """Reckon, and do nothing."""
        return await planned(
            self._settings,
            self._asked,
            self._routes,
            makers=self._makers,
            schemas=self._schemas,
            group=self._group,
            workplace=self._workplace,
            clock=self._clock,
        )

    async def execute(self, backfill: Backfill) -> None:
        """Go on from where it is to the last job.

        Raises: `CredentialsRefused` before anything is done; `Fatal` when disk or client fail.
        """
        if backfill.phase is BackfillPhase.OVER:
            return
        await self._refuse_beside_members()
        await self._ready()
        self._workplace.keep(backfill)
        if backfill.phase is BackfillPhase.READING:
            await self._reading().read(backfill)
        if backfill.phase is BackfillPhase.WRITING:
            await JobFileWriter(
                self._settings, self._workplace, clock=self._clock, audience=self._audience
            ).write(backfill)
        if backfill.phase is BackfillPhase.SENDING:
            await self._refuse_beside_members()
            await self._sending().send(backfill)

    async def begin_afresh(self) -> None:
        """Drop what an earlier run has left: its job, if it is open, and its files."""
        if (left := self._workplace.left()) is not None:
            await self._sending().let_go(left)
        self._workplace.clear()

    async def hand_over(self, plan: BackfillPlan) -> None:
        """Set the group to where streaming continues. Raises: `Refusal` while it has members."""
        await asyncio.to_thread(self._group.set_positions, plan.continues_from)

    def forget(self) -> None:
        """It is over and told of."""
        self._workplace.clear()

    async def close(self) -> None:
        """Let go of every connection."""
        await self._dead_letters.close()
        await self._tokens.close()
        await self._transport.close()
        if self._registry is not None:
            await self._registry.close()

    def _sending(self) -> JobSender:
        return JobSender(
            self._settings,
            self._workplace,
            self._runner,
            clock=self._clock,
            audience=self._audience,
        )

    def _reading(self) -> BackfillReader:
        settings = self._settings
        return BackfillReader(
            settings,
            self._workplace,
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
            audience=self._audience,
        )

    async def _refuse_beside_members(self) -> None:
        """A job would interrupt and overtake what a daemon streams of the object."""
        if await asyncio.to_thread(self._group.is_in_use):
            group = self._settings.kafka.group_id
            message = (
                f"group `{group}` is in use: a job interrupts what its daemons stream, and"
                f" its older rows would"
                " overtake their newer ones; stop them, then run this again (what is done"
                " stays done)"
            )
            raise Refusal(message)

    async def _ready(self) -> None:
        """See that the dead-letter topic and the tenant's login are there.

        Before the first record is read.
        """
        try:
            await self._dead_letters.check()
            await self._tokens.current()
        except Hold as hold:
            if hold.reason is HoldReason.AUTH:
                raise CredentialsRefused(hold.detail) from hold
            raise Refusal(str(hold)) from hold
        except Transient as fault:
            message = f"the login does not answer: {fault.detail}"
            raise Refusal(message) from fault


@asynccontextmanager
async def undertaken(
    settings: Settings, asked: BackfillRequest, audience: ProgressDisplay
) -> AsyncIterator[BackfillRun]:
    """Claim the place of a backfill for as long as it is worked on."""
    with BackfillFolder(spool_root(settings), asked) as workplace:
        undertaking = BackfillRun(settings, asked, workplace, audience)
        try:
            yield undertaking
        finally:
            await undertaking.close()


def refuse_to_pass_over(plan: BackfillPlan) -> None:
    """Raise `Refusal` where the group's handing over would leave records out that nobody has sent."""
    for one in plan.backfill.offset_ranges:
        position = plan.positions.get(one.place)
        if position is not None and position < one.begin:
            message = (
                f"{one.topic}[{one.partition}]: group `{plan.group_id}` stands at"
                f" {position}, and the range begins"
                f" at {one.begin}: handing over would pass over what is between; begin at"
                f" {position}, or leave"
                " --hand-over out"
            )
            raise Refusal(message)
