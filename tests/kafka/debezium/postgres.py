"""A real PostgreSQL on loopback with logical decoding.

Its folder is deleted when it ends.
"""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from tests.loopback import free_port

if TYPE_CHECKING:
    from types import TracebackType

ACCOUNT: Final = "postgres"
"""The account of the server if the tests run as root, which it rejects; also its superuser."""

_READY_TIMEOUT_S: Final = 60.0
_STOP_TIMEOUT_S: Final = 20.0
_SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "wal_level": "logical",
    "max_replication_slots": "64",
    "max_wal_senders": "64",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "timezone": "UTC",
}


def programs() -> Path | None:
    """Return the folder of the newest server's programs; `None` if no server is installed."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    versions = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4])
    )
    return versions[-1].parent if versions else None


def missing_server() -> str | None:
    """Return what to install before a server can run here; `None` if nothing is missing."""
    if programs() is None or shutil.which("psql") is None:
        return "install PostgreSQL (Debian: postgresql) to run the tests against a real Debezium"
    try:
        pwd.getpwnam(ACCOUNT)
    except KeyError:
        if os.geteuid() == 0:
            return (
                f"add an account {ACCOUNT}, or run the tests as a user other than root:"
                " PostgreSQL does not run as root"
            )
    return None


class Postgres:
    """One server for the length of a `with` block; its folder is deleted afterwards."""

    def __init__(self) -> None:
        self.port = free_port()
        # Not in a folder of the tests: the account of the server has no access to those.
        self._folder = Path(tempfile.mkdtemp(prefix="datacloud-consumer-postgres-"))
        self._programs = programs() or Path()
        self._account = ACCOUNT if os.geteuid() == 0 else None
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        if self._account is not None:
            shutil.chown(self._folder, self._account)
        found = self._run(
            "initdb",
            "-U",
            ACCOUNT,
            "--auth=trust",
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
        )
        assert 0 == found.returncode, found.stderr
        with (self._folder / "server.log").open("wb") as log:
            self._server = subprocess.Popen(
                [str(self._programs / "postgres"), "-D", str(self._folder), f"-cport={self.port}"]
                + [f"-c{name}={value}" for name, value in _SETTINGS.items()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self._account,
                cwd=self._folder,
                start_new_session=True,
            )
        atexit.register(self._end)
        self._await_ready()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        atexit.unregister(self._end)
        self._end()

    def run(self, statements: str, database: str = "postgres") -> str:
        """Run statements, each committed by itself unless they contain transactions.

        Returns: their output, unformatted.
        """
        place = ["-h", "127.0.0.1", "-p", str(self.port), "-U", ACCOUNT, "-d", database]
        done = subprocess.run(
            ["psql", "-XqAtw", "-v", "ON_ERROR_STOP=1", *place, "-f", "-"],  # noqa: S607
            input=statements.encode(),
            capture_output=True,
            check=False,
        )
        assert 0 == done.returncode, done.stderr.decode()
        return done.stdout.decode()

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [self._programs / program, "-D", self._folder, *arguments],
            capture_output=True,
            check=False,
            user=self._account,
            cwd=self._folder,
        )

    def _await_ready(self) -> None:
        server = self._server
        assert server is not None
        for _ in range(int(_READY_TIMEOUT_S * 10)):
            probe = subprocess.run(
                [self._programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)],
                check=False,
            )
            if probe.returncode == 0:
                return
            try:
                server.wait(timeout=0.1)
            except subprocess.TimeoutExpired:
                continue
            break
        log = (self._folder / "server.log").read_text()
        self._end()
        raise AssertionError(log[-4000:])

    def _end(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            # SIGINT is its "fast" shutdown: it ends sessions instead of waiting for them.
            server.send_signal(signal.SIGINT)
            try:
                server.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
