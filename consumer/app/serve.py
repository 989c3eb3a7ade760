"""Runs the daemon in the real world: builds its ports, its admin server, its signal handlers."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import signal
import sys
from contextlib import AsyncExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import structlog

from consumer import __version__
from consumer.admin.log import set_level
from consumer.admin.metrics import Metrics
from consumer.admin.server import AdminServer
from consumer.admin.telemetry import Telemetry
from consumer.app.daemon import Daemon
from consumer.app.ports import Ports
from consumer.app.service_clock import ServiceClock, WatchedTransport
from consumer.auth.exchange import core_flow, token_flow
from consumer.auth.provider import TokenProvider
from consumer.auth.secret_files import SecretFiles
from consumer.clock import SystemClock
from consumer.dead_letter.producer import KafkaDeadLetterTopic
from consumer.errors import ConfigFaults, Hold, Transient
from consumer.http.client import HttpTransport
from consumer.http.hosts import Hosts
from consumer.model import RecordOutcome
from consumer.registry.registries import registry_client
from consumer.source.kafka import KafkaSource
from consumer.source.login import connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from consumer.auth.exchange import AuthFlow, Secrets
    from consumer.auth.settings import SalesforceSettings
    from consumer.config.settings import Settings
    from consumer.http.client import Transport
    from consumer.source.port import Source

_log = structlog.get_logger("consumer")

SPARE_CONNECTIONS: Final = 4
"""Connections beside those for batches in flight: login, exchange, validation."""

YOUNG_OBJECTS: Final = 20_000
"""Garbage collection threshold. Records come and go by the thousand; the default of 700 new objects
would scan them in vain again and again."""


async def serve(
    settings: Settings,
    *,
    read_level: Callable[[], str] | None = None,
    started: Callable[[Daemon, AdminServer], None] | None = None,
) -> None:
    """Run one daemon until SIGTERM or SIGINT; a second signal ends the process at once.

    `read_level` reads the log level again on SIGHUP. `started` is called once the admin port
    listens.

    Raises: `Fatal`; `ConfigFaults` when the admin port is taken.
    """
    clock = ServiceClock(SystemClock())
    metrics = Metrics(version=__version__, config_sha256=settings.config_sha256)
    telemetry = Telemetry(metrics, clock)
    async with AsyncExitStack() as closing:
        service = service_ports(settings, clock, telemetry, closing)
        # The source looks for gaps in the clock: a correction must not be one.
        source = KafkaSource(settings.kafka, clock.machine)
        ports = real_ports(settings, source, service, clock, closing)
        daemon = Daemon(settings, ports, telemetry)
        # Where every route goes to the CRM, the tenant's token is not used.
        core = service.core_tokens if not settings.connector.objects else None
        daemon.status.use_token_expiry((core or service.tokens).expires_in_s)
        daemon.status.use_clock_offset(clock.ahead_s)
        metrics.expect(
            [
                topic
                for route in settings.routes
                for topic in route.topics
                if not topic.startswith("^")
            ],
            RecordOutcome,
        )
        metrics.watch(daemon.status)
        admin = AdminServer(settings.admin, provider=daemon.status, metrics=metrics)
        closing.push_async_callback(admin.stop)
        closing.enter_context(daemon_signals(daemon, read_level or (lambda: settings.log.level)))
        gc.freeze()
        gc.set_threshold(YOUNG_OBJECTS, 20, 50)
        if settings.admin.host is not None:
            await admin.start()
        port = "off" if settings.admin.host is None else admin.port
        _log.info(
            "daemon_starting",
            version=__version__,
            config_sha256=settings.config_sha256,
            admin_port=port,
        )
        if started is not None:
            started(daemon, admin)
        await daemon.run()


class ServicePorts(NamedTuple):
    """The ports to the service: the client, and the tokens for the tenant and for the CRM."""

    transport: Transport
    tokens: TokenProvider
    core_tokens: TokenProvider | None

    async def learn_time(self) -> None:
        """Log in, so that the clock knows the service's time before records are mapped.

        A login that fails is reported later, by the daemon that needs the token.
        """
        with suppress(Hold, Transient):
            await self.tokens.current()


def service_ports(
    settings: Settings, clock: ServiceClock, telemetry: Telemetry, closing: AsyncExitStack
) -> ServicePorts:
    """Build the ports to the service; `closing` closes them."""
    hosts = Hosts.known(settings.salesforce.login_url, settings.salesforce.allowed_domains)
    client = HttpTransport(
        hosts, clock, connections=settings.delivery.in_flight + SPARE_CONNECTIONS
    )
    transport = WatchedTransport(client, clock)
    closing.push_async_callback(transport.close)
    secrets = SecretFiles(settings.salesforce)

    def provider(
        auth_flow: Callable[[SalesforceSettings, Secrets, int], AuthFlow],
    ) -> TokenProvider:
        made = TokenProvider(
            settings.salesforce,
            transport,
            clock,
            jitter=random.random,
            observer=telemetry,
            auth_flow=auth_flow,
            secrets=secrets,
        )
        closing.push_async_callback(made.close)
        return made

    return ServicePorts(
        transport,
        provider(token_flow),
        provider(core_flow) if any(route.crm is not None for route in settings.routes) else None,
    )


def real_ports(
    settings: Settings,
    source: Source,
    service: ServicePorts,
    clock: ServiceClock,
    closing: AsyncExitStack,
) -> Ports:
    """Build the ports of a daemon around its source and the service; `closing` closes them."""
    registry = None
    if settings.registry is not None:
        registry = registry_client(settings.registry, clock)
        closing.push_async_callback(registry.close)
    return Ports(
        source=source,
        transport=service.transport,
        tokens=service.tokens,
        core_tokens=service.core_tokens,
        dead_letters=KafkaDeadLetterTopic(
            settings.kafka.bootstrap_servers,
            connection(settings.kafka.bootstrap_servers, settings.kafka.properties),
            settings.dead_letter.topic,
            clock,
        ),
        clock=clock,
        rng=random.random,
        latest_ms=clock.latest_ms,
        registry=registry,
    )


@contextmanager
def daemon_signals(daemon: Daemon, read_level: Callable[[], str]) -> Iterator[None]:
    """Pass signals and errors of the event loop to a daemon for as long as it runs."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: _unawaited(daemon, context))
    signals = Signals(daemon, read_level)
    signals.listen(loop)
    try:
        yield
    finally:
        signals.ignore(loop)


def _unawaited(daemon: Daemon, context: dict[str, Any]) -> None:
    """End the run for an exception in a callback, which no task would raise.

    An error of one connection is only logged: asyncio has closed it, or tries to accept again.
    """
    error = context.get("exception")
    if not isinstance(error, Exception):
        _log.warning("event_loop_error", detail=context.get("message"))
    elif not _OF_A_CONNECTION.isdisjoint(context):
        detail = f"{context.get('message')} ({type(error).__name__})"
        _log.warning("event_loop_error", detail=detail)
    else:
        daemon.broken(error)


_OF_A_CONNECTION = frozenset({"socket", "transport", "protocol"})
"""Keys that asyncio gives to its exception handler for an error of a socket or of its transport."""


class Signals:
    """Signal handlers: SIGTERM and SIGINT drain, then exit; SIGHUP rereads the log level."""

    def __init__(self, daemon: Daemon, read_level: Callable[[], str]) -> None:
        self._daemon = daemon
        self._read_level = read_level
        self._seen = False

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Install the handlers."""
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, number)
        loop.add_signal_handler(signal.SIGHUP, self._read_again)

    def ignore(self, loop: asyncio.AbstractEventLoop) -> None:
        """Remove the handlers."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.remove_signal_handler(number)

    def _stop(self, number: signal.Signals) -> None:
        if self._seen:
            # Nothing is lost: uncommitted records are read again. `_exit` works even when the
            # Kafka client hangs.
            _log.warning(
                "exit_forced",
                signal=number.name,
                detail="second signal: ending now; uncommitted records will be read again",
            )
            sys.stderr.flush()
            os._exit(128 + number)
        self._seen = True
        _log.info("daemon_draining", signal=number.name)
        self._daemon.stop()

    def _read_again(self) -> None:
        """Read the log level again.

        Secrets need no signal: they are read again when their files change.
        """
        try:
            level = self._read_level()
        except ConfigFaults as faults:
            _log.error(
                "log_level_unchanged",
                detail="the configuration has faults; correct them and send SIGHUP again",
                faults=faults.faults,
            )
            return
        set_level(level)
        _log.info("log_level_reloaded", log_level=level)
