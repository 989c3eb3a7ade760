"""Serve the admin port: probes, metrics, status as JSON, and the status page."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import TYPE_CHECKING, Final, TypeAlias, cast

import msgspec
from aiohttp import web
from prometheus_client.exposition import choose_encoder

from consumer.admin.connections import ConnectionLimit
from consumer.admin.host_header import answer_known_hosts
from consumer.errors import ConfigFaults

if TYPE_CHECKING:
    from consumer.admin.metrics import Metrics
    from consumer.admin.port import Check, StatusProvider
    from consumer.admin.settings import AdminSettings

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.Response]]

PAGE_FILES: Final = {
    "/": ("index.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}

HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "datacloud-consumer",
    "X-Content-Type-Options": "nosniff",
}

REQUEST_BYTES: Final = 1024
"""The port takes no bodies."""

IDLE_S: Final = 5.0
"""A connection without a complete request for so long is closed."""

SHUTDOWN_S: Final = 1.0
"""A shutdown never waits longer for the admin port."""


class AdminServer:
    """The admin port. It is read-only: every path takes GET and HEAD, and nothing else."""

    def __init__(
        self, settings: AdminSettings, *, provider: StatusProvider, metrics: Metrics
    ) -> None:
        self._host = settings.host or ""
        self._requested_port = settings.port
        self._host_names = frozenset(settings.host_names)
        self._provider = provider
        self._metrics = metrics
        self._runner: web.AppRunner | None = None
        self._listening: asyncio.Server | None = None

    @property
    def metrics(self) -> Metrics:
        """The metrics that `/metrics` shows."""
        return self._metrics

    @property
    def port(self) -> int:
        """The bound port; with 0 in the settings, the one that the system chose."""
        if self._listening is None:
            return self._requested_port
        return int(self._listening.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Start to listen. Raises `ConfigFaults` when the address cannot be used."""
        app = web.Application(
            client_max_size=REQUEST_BYTES, middlewares=[answer_known_hosts(self._host_names)]
        )
        app.on_response_prepare.append(_harden)
        app.router.add_get("/livez", self._livez)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics_text)
        app.router.add_get("/status", self._status)
        for path, (name, content_type) in PAGE_FILES.items():
            app.router.add_get(path, _fixed(name, content_type))
        runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            keepalive_timeout=IDLE_S,
            shutdown_timeout=SHUTDOWN_S,
        )
        await runner.setup()
        try:
            self._listening = await asyncio.get_running_loop().create_server(
                ConnectionLimit(cast("web.Server", runner.server)), self._host, self._requested_port
            )
        except OSError as error:
            await runner.cleanup()
            raise ConfigFaults([self._cannot_listen(error)]) from error
        self._runner = runner

    async def stop(self) -> None:
        """Stop listening; open answers are finished within a second. May be called unstarted."""
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.close()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def _cannot_listen(self, error: OSError) -> str:
        address = f"admin.listen: {self._host}:{self._requested_port}"
        match error.errno:
            case errno.EADDRINUSE:
                return f'{address} is in use by another program; set another port, or "off"'
            case errno.EACCES:
                return f"{address} is not allowed for this user; set a port above 1023"
            case errno.EADDRNOTAVAIL:
                return (
                    f"{address} is not an address of this machine; set 127.0.0.1, 0.0.0.0, or an"
                    " address of this machine"
                )
            case _:
                return (
                    f'cannot listen on {address} ({error.strerror}); set another address, or "off"'
                )

    async def _livez(self, request: web.Request) -> web.Response:
        return _probe(request, self._provider.liveness())

    async def _readyz(self, request: web.Request) -> web.Response:
        return _probe(request, self._provider.readiness())

    async def _metrics_text(self, request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(
            body=encode(self._metrics.registry), headers={"Content-Type": content_type}
        )

    async def _status(self, request: web.Request) -> web.Response:
        report = self._provider.snapshot()
        if "ledger" in request.query:
            report = msgspec.structs.replace(report, accounts=self._provider.accounts())
        return web.Response(body=msgspec.json.encode(report), content_type="application/json")


def _probe(request: web.Request, checks: tuple[Check, ...]) -> web.Response:
    """Answer a probe with every problem; `?verbose` also lists the checks that passed."""
    lines = [f"[-] {check.name}: {problem}" for check in checks for problem in check.problems]
    status = 503 if lines else 200
    if "verbose" in request.query:
        lines = [f"[+] {check.name}" for check in checks if not check.problems] + lines
    return web.Response(
        status=status,
        text="\n".join([*lines, "not ok" if status != 200 else "ok"]) + "\n",  # noqa: PLR2004 - HTTP's own
    )


def _fixed(name: str, content_type: str) -> Handler:
    """Return the handler of one file of the status page, which is read once."""
    content = (files("consumer.admin") / "status_page" / name).read_bytes()

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=content, content_type=content_type, charset="utf-8")

    return answer


async def _harden(_request: web.Request, response: web.StreamResponse) -> None:
    """Add the security headers to every answer, errors included."""
    response.headers.update(HEADERS)
