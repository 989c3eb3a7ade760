"""Answer those who ask how the daemon is.

Probes, Prometheus, the `status` verb, and a person with a browser.
"""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec
from aiohttp import web
from prometheus_client.exposition import choose_encoder

from consumer.errors import ConfigFaults

if TYPE_CHECKING:
    from consumer.admin.metrics import Metrics
    from consumer.admin.port import Check, StatusProvider

Answering: TypeAlias = Callable[[web.Request], Awaitable[web.Response]]

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
        " connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "datacloud-consumer",
    "X-Content-Type-Options": "nosniff",
}

REQUEST_BYTES: Final = 1024
"""Nobody has anything to send here."""

KEEP_ALIVE_S: Final = 30.0
SHUTDOWN_S: Final = 1.0
"""The admin port never keeps a shutdown waiting."""


class AdminServer:
    """The admin port. It only reads: every path takes GET and HEAD, and nothing else."""

    def __init__(self, host: str, port: int, *, provider: StatusProvider, metrics: Metrics) -> None:
        self._host = host
        self._asked_port = port
        self._provider = provider
        self._metrics = metrics
        self._runner: web.AppRunner | None = None

    @property
    def metrics(self) -> Metrics:
        """What `/metrics` shows."""
        return self._metrics

    @property
    def port(self) -> int:
        """The port that is bound: with 0 in the settings, the one that the system chose."""
        if self._runner is None or not self._runner.addresses:
            return self._asked_port
        return int(self._runner.addresses[0][1])

    async def start(self) -> None:
        """Listen; raises `ConfigFaults` when the address cannot be had."""
        app = web.Application(client_max_size=REQUEST_BYTES)
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
            keepalive_timeout=KEEP_ALIVE_S,
            shutdown_timeout=SHUTDOWN_S,
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._asked_port).start()
        except OSError as refused:
            await runner.cleanup()
            raise ConfigFaults([self._cannot_listen(refused)]) from refused
        self._runner = runner

    async def stop(self) -> None:
        """Stop listening; answers under way are finished within a second.

        Also when it never started.
        """
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def _cannot_listen(self, refused: OSError) -> str:
        address = f"admin.listen: {self._host}:{self._asked_port}"
        match refused.errno:
            case errno.EADDRINUSE:
                return f'{address} is taken by another program; write another port, or "off"'
            case errno.EACCES:
                return f"{address} is not allowed to this user; write a port above 1023"
            case errno.EADDRNOTAVAIL:
                return (
                    f"{address} is no address of this machine; write 127.0.0.1, 0.0.0.0 or one"
                    f" of its own"
                )
            case _:
                return (
                    f"{address} cannot be listened on ({refused.strerror}); write another"
                    f' address, or "off"'
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
    """Answer a probe: every problem is named.

    And with `?verbose` every check that found none as well.
    """
    lines = [f"[-] {check.name}: {problem}" for check in checks for problem in check.problems]
    status = 503 if lines else 200
    if "verbose" in request.query:
        lines = [f"[+] {check.name}" for check in checks if not check.problems] + lines
    return web.Response(
        status=status,
        text="\n".join([*lines, "not ok" if status != 200 else "ok"]) + "\n",  # noqa: PLR2004 - HTTP's own
    )


def _fixed(name: str, content_type: str) -> Answering:
    """Make the answer of one file of the status page, read once."""
    content = (files("consumer.admin") / "status_page" / name).read_bytes()

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=content, content_type=content_type, charset="utf-8")

    return answer


async def _harden(_request: web.Request, response: web.StreamResponse) -> None:
    """Every answer, errors included, tells the browser to run and to show nothing but ours."""
    response.headers.update(HEADERS)
