"""The daemon against a tenant over real sockets: faults of the connection lose no record.

The scenarios are those of the tests in virtual time, with the real HTTP client. The Kafka log and
the dead-letter topic are in memory.
"""

from __future__ import annotations

import asyncio
import json
import random
from typing import TYPE_CHECKING

import msgspec
import pytest

from consumer.admin.metrics import Metrics
from consumer.admin.telemetry import Telemetry
from consumer.app.daemon import Daemon
from consumer.app.ports import Ports
from consumer.auth.provider import TokenProvider
from consumer.clock import SystemClock
from consumer.delivery.settings import DeliverySettings
from consumer.errors import HoldReason
from consumer.http.client import HttpTransport
from consumer.http.hosts import Hosts
from consumer.sandbox.fault_script import read_script
from consumer.sandbox.memory_dead_letters import MemoryDeadLetterTopic
from consumer.sandbox.memory_source import MemoryLog, MemorySource
from consumer.sandbox.server import TenantServer
from consumer.sandbox.tenant import Tenant
from consumer.sandbox.wire import Endpoint
from tests.simulation.world import CUSTOMERS, TOPIC, settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from consumer.config.settings import Settings
    from consumer.holds import ActiveHold
    from consumer.source.port import SourceEvents

COUNT = 300
TIMEOUT_S = 0.4
BATCH_BYTES = 4_000


class WatchedTelemetry(Telemetry):
    """Sets `changed` when a hold starts or ends."""

    changed: asyncio.Event

    def hold_changed(self, held: ActiveHold, begins: bool) -> None:  # noqa: FBT001 - as the method
        """Wake the waiting test."""
        super().hold_changed(held, begins)
        self.changed.set()


class WatchedSource(MemorySource):
    """Sets `changed` when the daemon starts to read."""

    changed: asyncio.Event
    started = False

    def start(self, events: SourceEvents) -> None:
        """Wake the waiting test."""
        super().start(events)
        self.started = True
        self.changed.set()


class Wired:
    """One daemon, its log, and a tenant on a socket."""

    def __init__(self, tenant: Tenant, given: Settings) -> None:
        clock = SystemClock()
        self.tenant = tenant
        self._changed = asyncio.Event()
        self.log = MemoryLog()
        self.log.on_commit = lambda _place, _offset: self._changed.set()
        self.source = WatchedSource(self.log)
        self.dead_letters = MemoryDeadLetterTopic()
        telemetry = WatchedTelemetry(Metrics(version="0", config_sha256="0"), clock)
        self.source.changed = telemetry.changed = self._changed
        hosts = Hosts.known(given.salesforce.login_url, given.salesforce.allowed_domains)
        self._transport = HttpTransport(hosts, clock, connections=36)
        self._tokens = TokenProvider(
            given.salesforce, self._transport, clock, jitter=random.random, observer=telemetry
        )
        ports = Ports(
            source=self.source,
            transport=self._transport,
            tokens=self._tokens,
            dead_letters=self.dead_letters,
            clock=clock,
            rng=random.random,
        )
        self.daemon = Daemon(given, ports, telemetry)
        self._task = asyncio.create_task(self.daemon.run())
        for key in range(COUNT):
            after = {"id": key, "email": f"{key}@x.io", "age": key}
            value = json.dumps(
                {"op": "c", "before": None, "after": after, "source": {"ts_ms": 1_750_000_000_000}}
            )
            self.log.append(TOPIC, 0, key=b'{"id":%d}' % key, value=value.encode())

    async def begin(self, faults: str) -> None:
        """Wait for the checks to pass, then set the faults and assign the partition."""
        await self.until(lambda: self.source.started)
        self.tenant.set_faults(read_script(faults))
        self.source.assign([(TOPIC, 0)])

    async def until(self, condition: Callable[[], bool], within_s: float = 30.0) -> None:
        """Wait until a condition holds; it is checked at each start, commit and hold."""
        async with asyncio.timeout(within_s):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def settled(self) -> bool:
        """Return whether every record is committed."""
        return self.log.committed.get((TOPIC, 0)) == COUNT

    def holds(self) -> set[HoldReason]:
        """Return the reasons of the current holds."""
        return {hold.reason for hold in self.daemon.status.snapshot().holds}

    def assert_every_row_is_stored(self) -> None:
        """Every row is stored, no record is dead-lettered, and nothing is held."""
        rows = self.tenant.rows("customers")
        assert {str(key): key for key in range(COUNT)} == {
            key: row["age"] for key, row in rows.items()
        }
        assert [] == self.dead_letters.letters
        assert set() == self.holds()

    async def end(self) -> None:
        """Stop the daemon and close its ports."""
        self.daemon.stop()
        await self._task
        await self._tokens.close()
        await self._transport.close()


@pytest.fixture
async def wired() -> AsyncIterator[Wired]:
    clock = SystemClock()
    tenant = Tenant({"customers": CUSTOMERS}, source_name="events", clock=clock)
    server = TenantServer(tenant, clock)
    await server.start()
    delivery = DeliverySettings(
        batch_bytes=BATCH_BYTES,
        linger_s=0.05,
        timeout_s=TIMEOUT_S,
        drain_timeout_s=1.0,
        commit_interval_s=0.05,
    )
    given = settings(delivery=delivery, objects=(CUSTOMERS,), routes=settings().routes[:1])
    salesforce = msgspec.structs.replace(
        given.salesforce, login_url=tenant.origin, audience=tenant.origin, timeout_s=TIMEOUT_S
    )
    one = Wired(tenant, msgspec.structs.replace(given, salesforce=salesforce))
    yield one
    await one.end()
    await server.close()


@pytest.mark.parametrize(
    "fault",
    [
        "delay=5s",
        "drip=5",
        pytest.param("endless", id="J31"),
        "gzip",
        "endless gzip",
        "reset",
        "reset after",
        pytest.param("malformed", id="J34"),
        "malformed after",
        "status=503 retry-after=1",
        "status=502 html",
        "status=500 endless",
        pytest.param("status=500 echo", id="J39"),
    ],
)
async def test_broken_answers_lose_no_record(wired: Wired, fault: str) -> None:
    """Every other answer has the fault, twice; the client reads on, gives up or retries."""
    await wired.begin(f"upsert every=2 times=2 {fault}")
    await wired.until(wired.settled)
    assert [2] == [hits for _, hits in wired.tenant.fault_lines()]
    wired.assert_every_row_is_stored()


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        pytest.param("html", HoldReason.SINK, id="html page"),
        pytest.param("redirect=https://elsewhere.test/", HoldReason.CONFIG, id="redirect"),
        pytest.param(
            "redirect=http://127.0.0.1:1/ status=307",
            HoldReason.CONFIG,
            id="redirect to this machine",
        ),
        pytest.param("status=207", HoldReason.SINK, id="J08"),
    ],
)
async def test_answers_of_another_service_are_a_hold(
    wired: Wired, fault: str, reason: HoldReason
) -> None:
    """I11, I12: nothing is settled and no redirect is followed; the hold ends by itself."""
    await wired.begin(f"upsert {fault}")
    await wired.until(lambda: wired.holds() == {reason})
    assert {} == wired.tenant.rows("customers")
    assert 0 == wired.log.committed.get((TOPIC, 0), 0)
    wired.tenant.set_faults(read_script(""))
    await wired.until(wired.settled)
    wired.assert_every_row_is_stored()


async def test_each_token_revocation_costs_one_token(wired: Wired) -> None:
    """J14: two revocations with many requests in flight, the second after the new token is used."""
    await wired.begin("upsert nth=2 revoke-tokens; upsert nth=9 revoke-tokens")
    await wired.until(wired.settled)
    assert 3 == wired.tenant.requests.totals[Endpoint.EXCHANGE, 200]
    wired.assert_every_row_is_stored()


@pytest.mark.parametrize("fault", ["reset", "malformed", "delay=5s", "drip=20", "status=503"])
async def test_a_broken_exchange_is_retried(wired: Wired, fault: str) -> None:
    """I12: transient faults of the exchange cost time only."""
    await wired.begin(f"upsert nth=1 revoke-tokens; exchange times=1 {fault}")
    await wired.until(wired.settled)
    wired.assert_every_row_is_stored()


async def test_a_tenant_that_resets_every_connection_for_a_second(wired: Wired) -> None:
    """I18, I12: logins and rows are retried, and the daemon resumes by itself."""
    await wired.begin("any until=1s reset")
    await wired.until(wired.settled)
    wired.assert_every_row_is_stored()
