"""The whole daemon on virtual time, with tenant, log and dead-letter topic in memory."""

from __future__ import annotations

import asyncio
import json
import random
from typing import TYPE_CHECKING, Any

from consumer.admin.metrics import Metrics
from consumer.admin.settings import AdminSettings, LogSettings
from consumer.admin.telemetry import Telemetry
from consumer.app.daemon import Daemon
from consumer.app.ports import Ports
from consumer.app.service_clock import ServiceClock, WatchedTransport
from consumer.auth.exchange import core_flow
from consumer.auth.provider import TokenProvider
from consumer.auth.settings import SalesforceSettings, Secret
from consumer.config.settings import ConnectorSettings, Settings
from consumer.dead_letter.settings import DeadLetterSettings
from consumer.delivery.settings import DeliverySettings
from consumer.mapping.settings import FieldType, ObjectSettings, RouteSettings
from consumer.registry.client import RegistryClient
from consumer.registry.settings import RegistrySettings
from consumer.sandbox.crm_objects import objects_of
from consumer.sandbox.fault_script import read_script
from consumer.sandbox.in_process import InProcessTransport
from consumer.sandbox.memory_dead_letters import MemoryDeadLetterTopic
from consumer.sandbox.memory_source import MemoryLog, MemorySource
from consumer.sandbox.registry import InProcessRegistry, Registry
from consumer.sandbox.tenant import Limits, Tenant
from consumer.sandbox.virtual_time import VirtualClock
from consumer.source.settings import KafkaSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consumer.admin.port import StatusReport
    from consumer.http.client import Transport

TOPIC = "shop.public.customers"
ORIGIN = "http://127.0.0.1:8021"

CUSTOMERS = ObjectSettings(
    name="customers",
    fields={
        "id": FieldType.TEXT,
        "email": FieldType.TEXT,
        "age": FieldType.NUMBER,
        "updated_at": FieldType.DATE_TIME,
    },
    primary_key="id",
    record_modified="updated_at",
)
VIEWS = ObjectSettings(
    name="views",
    fields={"id": FieldType.TEXT, "page": FieldType.TEXT, "at": FieldType.DATE_TIME},
    primary_key="id",
    category="engagement",
    event_time="at",
)
ROUTES = (
    RouteSettings(topics=(TOPIC,), object="customers", format="debezium"),
    RouteSettings(topics=("views",), object="views", format="json", tombstones="dead_letter"),
)


def settings(
    *,
    delivery: DeliverySettings | None = None,
    dead_letter: DeadLetterSettings | None = None,
    objects: Sequence[ObjectSettings] = (CUSTOMERS, VIEWS),
    routes: Sequence[RouteSettings] = ROUTES,
) -> Settings:
    """One configuration, as from the file."""
    return Settings(
        kafka=KafkaSettings(bootstrap_servers="memory", group_id="g"),
        salesforce=SalesforceSettings(
            login_url=ORIGIN,
            flow="client_credentials",
            client_id="id",
            audience=ORIGIN,
            client_secret=Secret(value="made-up"),
        ),
        connector=ConnectorSettings(name="events", objects={one.name: one for one in objects}),
        routes=tuple(routes),
        delivery=delivery or DeliverySettings(),
        dead_letter=dead_letter or DeadLetterSettings(),
        admin=AdminSettings(host=None),
        log=LogSettings(),
        config_sha256="0" * 64,
    )


class World:
    """Everything outside the daemon, and the members of the group.

    `clock` is that of the service, `machine` that of the members. `between` is put between members
    and the service.
    """

    def __init__(
        self, given: Settings | None = None, *, seed: int = 1, latency_s: float = 0.05
    ) -> None:
        self.settings = given or settings()
        self.clock = VirtualClock()
        self.machine = VirtualClock()
        self.between: Callable[[Transport], Transport] = lambda network: network
        self.random = random.Random(seed)  # noqa: S311 - a schedule, not a secret
        self.log = MemoryLog()
        self.tenant = Tenant(
            self.settings.connector.objects,
            source_name=self.settings.connector.name,
            clock=self.clock,
            origin=ORIGIN,
            limits=Limits(apply_delay_s=0.05),
            crm_objects=objects_of(self.settings.routes),
        )
        self.latency_s = latency_s
        self.dead_letters = MemoryDeadLetterTopic()
        self.registry = Registry()
        self.registry_latency_s = 0.01
        self.members: list[Member] = []

    def member(self) -> Member:
        """Return a new process of the group, not started."""
        member = Member(self)
        self.members.append(member)
        return member

    def registry_client(self) -> RegistryClient:
        """Return a client of the schema registry."""
        return RegistryClient(
            RegistrySettings(url="http://registry"),
            self.clock,
            connect=lambda _: InProcessRegistry(
                self.registry, self.clock, lambda: self.registry_latency_s
            ),
        )

    def change(
        self,
        key: int,
        op: str,
        *,
        partition: int = 0,
        ts_ms: int = 1_750_000_000_000,
        **row: Any,  # noqa: ANN401 - a row
    ) -> None:
        """Write a Debezium change, and for a delete its tombstone."""
        after = None if op == "d" else {"id": key, "email": None, "age": None} | row
        before = {"id": key} if op == "d" else None
        value = {
            "op": op,
            "before": before,
            "after": after,
            "source": {"ts_ms": ts_ms},
            "ts_ms": ts_ms,
        }
        self.put(json.dumps(value).encode(), key=key, partition=partition)
        if op == "d":
            self.put(None, key=key, partition=partition)

    def put(
        self, value: bytes | None, *, key: int = 0, topic: str = TOPIC, partition: int = 0
    ) -> None:
        """Write raw bytes."""
        self.log.append(
            topic,
            partition,
            key=json.dumps({"id": key}).encode(),
            value=value,
            timestamp_ms=self.clock.wall_ms(),
        )

    def faults(self, script: str) -> None:
        """Put a fault script in force at the tenant; an empty one ends all faults."""
        self.tenant.set_faults(read_script(script))

    def dead_letter_reasons(self) -> list[str]:
        """Return the reasons of all dead letters, in order."""
        return [
            (value or b"").decode()
            for letter in self.dead_letters.letters
            for name, value in letter.headers
            if name == "datacloud.reason"
        ]

    async def until(self, condition: Callable[[], bool], within_s: float = 600.0) -> None:
        """Let virtual time pass until a condition holds; fail when it never does."""
        deadline_s = self.clock.now_s() + within_s
        while not condition():
            assert self.clock.now_s() < deadline_s, f"not within {within_s} virtual seconds"
            await asyncio.sleep(0.02)


class Member:
    """One daemon of the group."""

    def __init__(self, world: World) -> None:
        self.clock = clock = ServiceClock(world.machine)
        self._world = world
        self.metrics = Metrics(version="0", config_sha256="0")
        telemetry = Telemetry(self.metrics, clock)
        network = InProcessTransport(world.tenant, clock, latency_s=world.latency_s)
        transport = WatchedTransport(world.between(network), clock)
        self.source = MemorySource(
            world.log, drain_timeout_s=world.settings.delivery.drain_timeout_s
        )
        self.daemon = Daemon(
            world.settings,
            Ports(
                source=self.source,
                transport=transport,
                tokens=TokenProvider(
                    world.settings.salesforce,
                    transport,
                    clock,
                    jitter=world.random.random,
                    observer=telemetry,
                ),
                core_tokens=TokenProvider(
                    world.settings.salesforce,
                    transport,
                    clock,
                    jitter=world.random.random,
                    observer=telemetry,
                    auth_flow=core_flow,
                ),
                dead_letters=world.dead_letters,
                clock=clock,
                rng=world.random.random,
                latest_ms=clock.latest_ms,
                registry=world.registry_client(),
            ),
            telemetry,
        )
        self.daemon.status.use_clock_offset(clock.ahead_s)
        self.task: asyncio.Task[None] | None = None

    async def start(self, *partitions: int, topic: str = TOPIC) -> None:
        """Start the daemon, and assign these partitions once its checks have passed."""
        self.task = asyncio.create_task(self.daemon.run())
        await self._world.until(lambda: hasattr(self.source, "_events"))
        self.source.assign([(topic, partition) for partition in partitions])

    def status(self) -> StatusReport:
        """Return the content of `/status`."""
        return self.daemon.status.snapshot()

    def settled(self) -> bool:
        """Tell whether every position is at its end and committed."""
        return all(
            one.position == one.end
            and self._world.log.committed.get((one.topic, one.partition)) == one.end
            for one in self.status().assignment
        )

    async def stop(self) -> None:
        """SIGTERM: drain, commit, leave."""
        self.daemon.stop()
        assert self.task is not None
        await self.task

    async def kill(self) -> None:
        """SIGKILL: nothing more is done."""
        self.source.crash()
        assert self.task is not None
        self.task.cancel()
        await asyncio.wait([self.task])
