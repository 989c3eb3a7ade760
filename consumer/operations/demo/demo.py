"""The main job on embedded parts in one process.

Broker, tenant and daemon, from first record to checked result.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from itertools import islice
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from consumer.admin.snapshot_gauges import PREFIX
from consumer.clock import SystemClock
from consumer.config.load import load
from consumer.headers import headers_of
from consumer.operations.demo.read_back import read_back
from consumer.operations.demo.running_daemon import RunningDaemon
from consumer.operations.demo.verification import (
    ActualResult,
    ExpectedResult,
    RecordCoordinates,
    StoredDeadLetter,
    differences,
)
from consumer.sandbox.broker import PARTITIONS, EmbeddedBroker
from consumer.sandbox.fault_script import read_script
from consumer.sandbox.sample_fold import fold, unplaceable
from consumer.sandbox.samples import samples_and_on
from consumer.sandbox.server import TenantServer
from consumer.sandbox.shop_files import CONFIGURATION_FILE, SOURCE_NAME, shop_objects
from consumer.sandbox.tenant import Tenant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Sequence

    from consumer.admin.metrics import Metrics
    from consumer.admin.port import StatusReport
    from consumer.config.settings import Settings
    from consumer.model import Record

SCRIPT: Final = """\
upsert/page_views nth=1 status=429 retry-after=1
upsert/orders nth=1 expire-tokens
"""
"""What goes wrong at the tenant, in words of the sandbox's fault script."""

MOST: Final = 20_000
"""These take 3.6 MB in a partition of the largest topic; the embedded broker keeps 5, and drops the
oldest."""

PRODUCE_RECORDS: Final = 500
"""How many records go out between two looks at the progress."""

TRAFFIC_S: Final = 0.25
TRAFFIC_RECORDS: Final = 5
"""Afterwards, while it is kept up: so many records, so often."""

LAST_LOOK_S: Final = 5.0
"""How long commits may take to show at the brokers while the daemon goes on: they go out every
second."""


class DemoRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for. `admin_port` 0 takes a free one.

    `script` is what goes wrong at the tenant.
    """

    record_count: int
    admin_port: int = 0
    script: str = SCRIPT


class DemoAddresses(msgspec.Struct, frozen=True, kw_only=True):
    """Where the parts are reached while they are up."""

    broker: str
    tenant: str
    admin: str


class DemoResult(msgspec.Struct, frozen=True, kw_only=True):
    """What happened, and what of it is not as it should be.

    `requests` are the tenant's, by call and status.

    `script` has each scripted fault with how often it struck.
    """

    differences: tuple[str, ...]
    expected: ExpectedResult
    evidence: ActualResult
    requests: dict[tuple[str, int], int]
    retries: dict[str, int]
    token_refreshes: int
    script: tuple[tuple[str, int], ...]
    elapsed_s: float


class DemoDisplay(Protocol):
    """Who is shown what goes on."""

    def up(self, addresses: DemoAddresses) -> None:
        """All parts are up."""
        ...

    def produced(self, count: int) -> None:
        """So many records are in the log."""
        ...

    def progressed(self, report: StatusReport) -> None:
        """The daemon was looked at."""
        ...

    def verdict(self, outcome: DemoResult) -> None:
        """The result was checked."""
        ...

    def traffic(self, addresses: DemoAddresses) -> None:
        """It was checked; from now on there is traffic."""
        ...

    def over(self, report: StatusReport) -> None:
        """The traffic has ended, and so has the daemon."""
        ...


async def demonstrate(plan: DemoRequest, audience: DemoDisplay) -> DemoResult | None:
    """Run it to its checked end; nothing when it was told to stop before.

    Raises: `Fatal` when the daemon failed, `ConfigFaults` when the admin port is taken.
    """
    async with _stage(plan, audience) as stage:
        await stage.settle()
        interrupted = stage.daemon.ended
        await stage.daemon.stop()
        if interrupted:
            return None
        outcome = await stage.outcome()
        audience.verdict(outcome)
        return outcome


async def demonstrate_on(plan: DemoRequest, audience: DemoDisplay) -> DemoResult | None:
    """The same without an end: once checked, traffic goes on until SIGINT or SIGTERM."""
    async with _stage(plan, audience) as stage:
        await stage.settle()
        outcome = None
        if not stage.daemon.ended:
            outcome = await stage.outcome_soon()
            audience.verdict(outcome)
            await stage.trade_on()
        await stage.daemon.stop()
        if outcome is not None:
            audience.over(stage.status())
        return outcome


@asynccontextmanager
async def _stage(plan: DemoRequest, audience: DemoDisplay) -> AsyncIterator[_RunningDemo]:
    """Put broker, tenant and daemon up, with the log filled, and take them down again."""
    started_s = asyncio.get_running_loop().time()
    records, traffic = samples_and_on(plan.record_count, partitions=PARTITIONS)
    clock = SystemClock()
    tenant = Tenant(
        shop_objects(), source_name=SOURCE_NAME, clock=clock, faults=read_script(plan.script)
    )
    server = TenantServer(tenant, clock)
    with EmbeddedBroker() as broker:
        for first in range(0, len(records), PRODUCE_RECORDS):
            _put(broker, records[first : first + PRODUCE_RECORDS])
            audience.produced(min(first + PRODUCE_RECORDS, len(records)))
        broker.flush()
        await server.start()
        settings = _settings(broker, server.origin, plan.admin_port)
        daemon = RunningDaemon(settings)
        try:
            stage = _RunningDemo(
                settings=settings,
                records=records,
                traffic=traffic,
                broker=broker,
                tenant=tenant,
                daemon=daemon,
                audience=audience,
                started_s=started_s,
            )
            await stage.begin()
            yield stage
        finally:
            await daemon.let_go()
            await server.close()


def _settings(broker: EmbeddedBroker, tenant: str, admin_port: int) -> Settings:
    """Load the sample shop's configuration as `run` would, with the addresses of this run."""
    return load(
        CONFIGURATION_FILE,
        environ={
            "SHOP_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "SHOP_LOGIN_URL": tenant,
            "SHOP_CLIENT_SECRET": "any",
        },
        overrides=[
            f"admin.listen=127.0.0.1:{admin_port}",
            *(
                f"kafka.properties.{name}={value}"
                for name, value in broker.consumer_properties.items()
            ),
        ],
    )


def _put(broker: EmbeddedBroker, records: Iterable[Record]) -> None:
    """Append records, each to the partition that it names; they are stamped now."""
    for record in records:
        broker.put(
            record.topic(),
            record.value(),
            key=record.key(),
            headers=headers_of(record),
            partition=record.partition(),
        )


class _RunningDemo:
    """The parts while they are up."""

    def __init__(
        self,
        *,
        settings: Settings,
        records: Sequence[Record],
        traffic: Iterator[Record],
        broker: EmbeddedBroker,
        tenant: Tenant,
        daemon: RunningDaemon,
        audience: DemoDisplay,
        started_s: float,
    ) -> None:
        self.daemon = daemon
        self._settings = settings
        self._records = records
        self._traffic = traffic
        self._broker = broker
        self._tenant = tenant
        self._audience = audience
        self._started_s = started_s

    async def begin(self) -> None:
        """Say where everything is."""
        self._daemon, self._admin = await self.daemon.parts()
        self._audience.up(self._addresses())

    def status(self) -> StatusReport:
        """Return what the daemon says of itself; also when it is over."""
        return self._daemon.status.snapshot()

    async def settle(self) -> None:
        """Wait until every record is settled.

        No longer than something moves, or the daemon is up.
        """
        count = len(self._records)
        await self.daemon.until(
            lambda report: report.ledger.polled >= count and not report.ledger.open,
            self._audience.progressed,
        )

    async def outcome(self) -> DemoResult:
        """Compare what landed with what follows from the log."""
        expected = _expected(self._records)
        evidence = await self._evidence()
        script = self._tenant.fault_lines()
        holds = [f"hold: {held.reason}: {held.detail}" for held in self.status().holds]
        idle = [f"script: `{rule}` never struck" for rule, hits in script if not hits]
        return DemoResult(
            differences=(*differences(expected, evidence), *holds, *idle),
            expected=expected,
            evidence=evidence,
            requests={
                (str(call), status): count
                for (call, status), count in self._tenant.requests.totals.items()
            },
            retries=_counts(self._admin.metrics, "retries", "cause"),
            token_refreshes=_counts(self._admin.metrics, "token_refreshes", "result").get("ok", 0),
            script=tuple(script),
            elapsed_s=asyncio.get_running_loop().time() - self._started_s,
        )

    async def outcome_soon(self) -> DemoResult:
        """The same while the daemon goes on: its last commits may still be on their way."""
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + LAST_LOOK_S
        while (
            (outcome := await self.outcome()).differences
            and loop.time() < give_up_s
            and not self.daemon.ended
        ):
            await self.daemon.wait(TRAFFIC_S)
        return outcome

    async def trade_on(self) -> None:
        """Write what happens in the shop from now on, until the daemon is told to stop."""
        self._audience.traffic(self._addresses())
        while not self.daemon.ended:
            _put(self._broker, islice(self._traffic, TRAFFIC_RECORDS))
            await self.daemon.wait(TRAFFIC_S)

    def _addresses(self) -> DemoAddresses:
        return DemoAddresses(
            broker=self._settings.kafka.bootstrap_servers,
            tenant=self._tenant.origin,
            admin=f"http://127.0.0.1:{self._admin.port}",
        )

    async def _evidence(self) -> ActualResult:
        settings = self._settings
        # The client blocks while it asks; the daemon, its admin port and the tenant go on
        # meanwhile.
        back = await asyncio.to_thread(
            read_back,
            settings.kafka.bootstrap_servers,
            group_id=settings.kafka.group_id,
            topics=settings.kafka.topics,
            dead_letter_topic=settings.dead_letter.topic,
        )
        return ActualResult(
            rows={name: self._tenant.rows(name) for name in settings.connector.objects},
            letters=back.letters,
            ends=back.ends,
            positions=back.positions,
            ledger=self.status().ledger,
        )


def _expected(records: Sequence[Record]) -> ExpectedResult:
    return ExpectedResult(
        rows=fold(records),
        letters=tuple(
            StoredDeadLetter(
                place=RecordCoordinates(record.topic(), record.partition(), record.offset()),
                reason=reason,
                key=record.key(),
                value=record.value(),
                headers=tuple(headers_of(record)),
            )
            for record, reason in unplaceable(records)
        ),
        ends=Counter((record.topic(), record.partition()) for record in records),
    )


def _counts(metrics: Metrics, name: str, label: str) -> dict[str, int]:
    """Return one counter by its label, as a scrape would show it."""
    wanted = f"{PREFIX}{name}"
    return {
        sample.labels[label]: int(sample.value)
        for family in metrics.registry.collect()
        if family.name == wanted
        for sample in family.samples
    }
