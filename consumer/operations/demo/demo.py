"""Runs broker, tenant and daemon in one process and checks the result."""

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
"""The faults that the tenant injects, as a fault script of the sandbox."""

MOST_RECORDS: Final = 20_000
"""These take 3.6 MB in a partition of the largest topic. The embedded broker keeps 5 MB per
partition and drops the oldest records beyond that."""

PRODUCE_RECORDS: Final = 500
"""How many records are produced between two updates of the progress display."""

TRAFFIC_S: Final = 0.25
TRAFFIC_RECORDS: Final = 5
"""With `--serve`: this many new records in each interval."""

LAST_COMMIT_S: Final = 5.0
"""How long to wait for the last commits of a running daemon, which commits every second."""


class DemoRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Size, admin port and fault script of a demo run."""

    record_count: int
    admin_port: int = 0
    """0 picks a free port."""
    script: str = SCRIPT


class DemoAddresses(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses of broker, tenant and daemon."""

    broker: str
    tenant: str
    admin: str


class DemoResult(msgspec.Struct, frozen=True, kw_only=True):
    """The expected and the actual result, and how they differ."""

    differences: tuple[str, ...]
    expected: ExpectedResult
    actual: ActualResult
    requests: dict[tuple[str, int], int]
    """How many requests the tenant answered, by call and status."""
    retries: dict[str, int]
    token_refreshes: int
    script: tuple[tuple[str, int], ...]
    """Each rule of the fault script, with how many requests it was applied to."""
    elapsed_s: float


class DemoDisplay(Protocol):
    """Shows the progress and the result of a demo to a person."""

    def up(self, addresses: DemoAddresses) -> None:
        """Show that broker, tenant and daemon are up."""
        ...

    def produced(self, count: int) -> None:
        """Show how many records are in the log so far."""
        ...

    def progressed(self, report: StatusReport) -> None:
        """Show the state of the daemon."""
        ...

    def checked(self, result: DemoResult) -> None:
        """Show the result of the check."""
        ...

    def traffic(self, addresses: DemoAddresses) -> None:
        """Show that new records arrive from now on."""
        ...

    def stopped(self, report: StatusReport) -> None:
        """Show the final state, after traffic and daemon have stopped."""
        ...


async def run_demo(request: DemoRequest, display: DemoDisplay) -> DemoResult | None:
    """Run the demo and check its result; `None` if it was interrupted before the check.

    Raises: `Fatal` if the daemon failed, `ConfigFaults` if the admin port is taken.
    """
    async with _demo(request, display) as demo:
        await demo.wait_until_settled()
        # SIGINT and SIGTERM go to the daemon, so an interrupted demo shows as a daemon that ended.
        interrupted = demo.daemon.ended
        await demo.daemon.stop()
        if interrupted:
            return None
        result = await demo.result()
        display.checked(result)
        return result


async def serve_demo(request: DemoRequest, display: DemoDisplay) -> DemoResult | None:
    """Run and check the demo, then keep it running with new records until SIGINT or SIGTERM.

    Raises: the same as `run_demo`.
    """
    async with _demo(request, display) as demo:
        await demo.wait_until_settled()
        result = None
        if not demo.daemon.ended:
            result = await demo.result_while_running()
            display.checked(result)
            await demo.produce_traffic()
        await demo.daemon.stop()
        if result is not None:
            display.stopped(demo.status())
        return result


@asynccontextmanager
async def _demo(request: DemoRequest, display: DemoDisplay) -> AsyncIterator[_RunningDemo]:
    """Fill the log, start broker, tenant and daemon, and stop them at the end of the block."""
    started_s = asyncio.get_running_loop().time()
    records, traffic = samples_and_on(request.record_count, partitions=PARTITIONS)
    clock = SystemClock()
    tenant = Tenant(
        shop_objects(), source_name=SOURCE_NAME, clock=clock, faults=read_script(request.script)
    )
    server = TenantServer(tenant, clock)
    with EmbeddedBroker() as broker:
        # The log is complete before the daemon starts, so the expected result is known.
        for first in range(0, len(records), PRODUCE_RECORDS):
            _produce(broker, records[first : first + PRODUCE_RECORDS])
            display.produced(min(first + PRODUCE_RECORDS, len(records)))
        broker.flush()
        await server.start()
        settings = _settings(broker, server.origin, request.admin_port)
        daemon = RunningDaemon(settings)
        try:
            demo = _RunningDemo(
                settings=settings,
                records=records,
                traffic=traffic,
                broker=broker,
                tenant=tenant,
                daemon=daemon,
                display=display,
                started_s=started_s,
            )
            await demo.wait_until_up()
            yield demo
        finally:
            await daemon.close()
            await server.close()


def _settings(broker: EmbeddedBroker, tenant: str, admin_port: int) -> Settings:
    """Load the configuration of the sample shop, with the addresses of this run."""
    settings = load(
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
    # The embedded broker does not answer questions about topic ids. Without this the daemon would
    # wait a second for them and warn that it cannot notice a topic that is deleted and re-created.
    kafka = msgspec.structs.replace(settings.kafka, has_topic_ids=False)
    return msgspec.structs.replace(settings, kafka=kafka)


def _produce(broker: EmbeddedBroker, records: Iterable[Record]) -> None:
    """Append records to the partitions that they name, with the present time as timestamp."""
    for record in records:
        broker.put(
            record.topic(),
            record.value(),
            key=record.key(),
            headers=headers_of(record),
            partition=record.partition(),
        )


class _RunningDemo:
    """A demo whose broker, tenant and daemon are running."""

    def __init__(
        self,
        *,
        settings: Settings,
        records: Sequence[Record],
        traffic: Iterator[Record],
        broker: EmbeddedBroker,
        tenant: Tenant,
        daemon: RunningDaemon,
        display: DemoDisplay,
        started_s: float,
    ) -> None:
        self.daemon = daemon
        self._settings = settings
        self._records = records
        self._traffic = traffic
        self._broker = broker
        self._tenant = tenant
        self._display = display
        self._started_s = started_s

    async def wait_until_up(self) -> None:
        """Wait until the daemon's admin port listens, then show all addresses."""
        self._daemon, self._admin = await self.daemon.parts()
        self._display.up(self._addresses())

    def status(self) -> StatusReport:
        """Return the status report of the daemon, also after it has ended."""
        return self._daemon.status.snapshot()

    async def wait_until_settled(self) -> None:
        """Wait until every record is settled, the daemon ends, or it makes no progress."""
        count = len(self._records)
        await self.daemon.wait_for(
            lambda report: report.ledger.polled >= count and not report.ledger.open,
            self._display.progressed,
        )

    async def result(self) -> DemoResult:
        """Compare the actual result with the one that follows from the log."""
        expected = _expected(self._records)
        actual = await self._actual()
        script = self._tenant.fault_lines()
        holds = [f"hold {held.reason}: {held.detail}" for held in self.status().holds]
        unused = [f"fault script: `{rule}` was never applied" for rule, hits in script if not hits]
        return DemoResult(
            differences=(*differences(expected, actual), *holds, *unused),
            expected=expected,
            actual=actual,
            requests={
                (str(call), status): count
                for (call, status), count in self._tenant.requests.totals.items()
            },
            retries=_counts(self._admin.metrics, "retries", "cause"),
            token_refreshes=_counts(self._admin.metrics, "token_refreshes", "result").get("ok", 0),
            script=tuple(script),
            elapsed_s=asyncio.get_running_loop().time() - self._started_s,
        )

    async def result_while_running(self) -> DemoResult:
        """Return the result of a daemon that keeps running.

        Repeats the check for a while, because the last positions may not be committed yet.
        """
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + LAST_COMMIT_S
        while (
            (result := await self.result()).differences
            and loop.time() < give_up_s
            and not self.daemon.ended
        ):
            await self.daemon.wait(TRAFFIC_S)
        return result

    async def produce_traffic(self) -> None:
        """Produce new records until the daemon ends."""
        self._display.traffic(self._addresses())
        while not self.daemon.ended:
            _produce(self._broker, islice(self._traffic, TRAFFIC_RECORDS))
            await self.daemon.wait(TRAFFIC_S)

    def _addresses(self) -> DemoAddresses:
        return DemoAddresses(
            broker=self._settings.kafka.bootstrap_servers,
            tenant=self._tenant.origin,
            admin=f"http://127.0.0.1:{self._admin.port}",
        )

    async def _actual(self) -> ActualResult:
        settings = self._settings
        # In a thread: the client blocks, and the daemon and the tenant have to keep running.
        back = await asyncio.to_thread(
            read_back,
            settings.kafka.bootstrap_servers,
            group_id=settings.kafka.group_id,
            topics=settings.kafka.topics,
            dead_letter_topic=settings.dead_letter.topic,
        )
        return ActualResult(
            rows={name: self._tenant.rows(name) for name in settings.connector.objects},
            dead_letters=back.dead_letters,
            ends=back.ends,
            positions=back.positions,
            ledger=self.status().ledger,
        )


def _expected(records: Sequence[Record]) -> ExpectedResult:
    return ExpectedResult(
        rows=fold(records),
        dead_letters=tuple(
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
    """Return the values of one counter by a label, as a scrape of `/metrics` shows them."""
    full_name = f"{PREFIX}{name}"
    return {
        sample.labels[label]: int(sample.value)
        for family in metrics.registry.collect()
        if family.name == full_name
        for sample in family.samples
    }
