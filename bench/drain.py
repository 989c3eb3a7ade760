"""Drains a backlog with a baseline or with the daemon, and measures the cost."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeAlias

import msgspec

from bench.baseline import BODY_BYTES
from bench.records import topic_of
from bench.usage import cpu_s, machine_cpu_s, rss_peak_kib
from tests.loopback import free_port

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bench.records import Shape
    from tests.kafka.broker import KafkaBroker

Side: TypeAlias = Literal["lean", "baseline", "daemon"]

ROOT: Final = Path(__file__).parent.parent

_GIVE_UP_S: Final = 600.0
_STATUS_EVERY_S: Final = 0.2
_START_EVERY_S: Final = 0.02
_STOP_S: Final = 60.0


class DrainFailedError(Exception):
    """A drain did not finish, or lost records."""


class Drain(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one drain.

    `cpu_us` is per record, from just before the first fetch to the end; `start_cpu_s` is the CPU
    time before it. `fill` excludes the last body. `elsewhere` is the share of the machine's CPUs
    that other processes used.
    """

    side: Side
    records: int
    conflated: int
    elapsed_s: float
    cpu_us: float
    start_cpu_s: float
    rss_mib: float
    requests: int
    fill: float
    largest_body: int
    tenant_busy: float
    elsewhere: float

    @property
    def records_per_s(self) -> float:
        """Records per second, until the end is committed (baseline: until the last response)."""
        return self.records / self.elapsed_s


class NullTenant:
    """The process of the null tenant, ended by its `with` block."""

    def __init__(self, latency_ms: int) -> None:
        command = [sys.executable, "-m", "bench.null_tenant", "--latency-ms", str(latency_ms)]
        self._tenant = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._tenant.stdout is not None  # noqa: S101 - asked for
        self.port = int(self._tenant.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._tenant.terminate()
        self._tenant.wait()
        if self._tenant.stdout is not None:
            self._tenant.stdout.close()

    @property
    def pid(self) -> int:
        """The process id of the tenant."""
        return self._tenant.pid

    def reset(self) -> None:
        """Set all counts to zero."""
        ask(self.port, "/reset")

    def counts(self) -> dict[str, Any]:
        """Return the counts since the last reset."""
        return ask(self.port, "/counts")


class Bench:
    """The drains of one scenario: broker, tenant and backlog."""

    def __init__(self, broker: KafkaBroker, tenant: NullTenant, shape: Shape, records: int) -> None:
        self._broker = broker
        self._tenant = tenant
        self._shape = shape
        self._records = records
        self._round = 0

    def drain(self, side: Side) -> Drain:
        """Drain the backlog from its beginning.

        Raises: `DrainFailedError` when a record was lost or a body was too large.
        """
        self._round += 1
        self._tenant.reset()
        own = tuple(
            pid for pid in (os.getpid(), self._tenant.pid, self._broker.pid) if pid is not None
        )
        began_s, machine_s, own_s, tenant_s = (
            time.monotonic(),
            machine_cpu_s(),
            _sum(own),
            cpu_s(self._tenant.pid),
        )
        found, child_s = self._daemon() if side == "daemon" else self._baseline(side)
        elsewhere_s = machine_cpu_s() - machine_s - (_sum(own) - own_s) - child_s
        tenant_s = cpu_s(self._tenant.pid) - tenant_s
        counts = self._tenant.counts()
        drain = Drain(
            side=side,
            records=self._records,
            conflated=found["conflated"],
            elapsed_s=found["elapsed_s"],
            cpu_us=found["cpu_s"] * 1e6 / self._records,
            start_cpu_s=found["start_cpu_s"],
            rss_mib=found["rss_kib"] / 1024,
            requests=counts["requests"],
            fill=(counts["body_bytes"] - counts["last_bytes"])
            / (BODY_BYTES * max(1, counts["requests"] - 1)),
            largest_body=counts["largest_bytes"],
            tenant_busy=tenant_s / found["elapsed_s"],
            elsewhere=max(0.0, elsewhere_s / (time.monotonic() - began_s) / (os.cpu_count() or 1)),
        )
        self._verify(drain, counts["rows"])
        return drain

    def _verify(self, drain: Drain, rows: int) -> None:
        """Raise `DrainFailedError` if a record is missing or a body is too large."""
        if rows + drain.conflated != self._records:
            message = (
                f"{drain.side}: expected {self._records} records, got {rows} rows at the tenant and"
                f" {drain.conflated} conflated"
            )
            raise DrainFailedError(message)
        if drain.largest_body > BODY_BYTES:
            message = (
                f"{drain.side}: expected bodies of at most {BODY_BYTES} bytes,"
                f" got {drain.largest_body}"
            )
            raise DrainFailedError(message)

    def _baseline(self, side: Side) -> tuple[dict[str, Any], float]:
        command = [sys.executable, "-m", "bench.baseline", "--broker", self._broker.bootstrap]
        command += ["--tenant", f"127.0.0.1:{self._tenant.port}", "--shape", self._shape]
        command += [
            "--records",
            str(self._records),
            "--conversions",
            "lean" if side == "lean" else "plain",
        ]
        done = subprocess.run(
            command, cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=_GIVE_UP_S
        )
        found = json.loads(done.stdout)
        return {**found, "conflated": 0}, found["cpu_s"] + found["start_cpu_s"]

    def _daemon(self) -> tuple[dict[str, Any], float]:
        group, admin_port = f"bench-{os.getpid()}-{self._tenant.port}-{self._round}", free_port()
        environment = {
            **os.environ,
            "BENCH_BROKER": self._broker.bootstrap,
            "BENCH_GROUP": group,
            "BENCH_TENANT": f"http://127.0.0.1:{self._tenant.port}",
            "BENCH_SECRET": "none",
            "BENCH_ADMIN_PORT": str(admin_port),
        }
        config = ROOT / "bench" / "config" / f"{self._shape}.yaml"
        command = [sys.executable, "-m", "consumer", "run", "-c", str(config)]
        with _running(command, environment) as daemon:
            start_cpu_s, began_s = _await_first_chunk(daemon, admin_port)
            status = self._await_end(daemon, admin_port, group)
            elapsed_s, end_cpu_s = time.monotonic() - began_s, cpu_s(daemon.pid)
            found = {
                "conflated": status["ledger"]["conflated"],
                "elapsed_s": elapsed_s,
                "cpu_s": end_cpu_s - start_cpu_s,
                "start_cpu_s": start_cpu_s,
                "rss_kib": rss_peak_kib(daemon.pid),
            }
            daemon.send_signal(signal.SIGTERM)
            if daemon.wait(_STOP_S):
                message = f"expected exit code 0 from the daemon, got {daemon.returncode}"
                raise DrainFailedError(message)
        return found, end_cpu_s

    def _await_end(
        self, daemon: subprocess.Popen[bytes], admin_port: int, group: str
    ) -> dict[str, Any]:
        """Wait until all records are committed, and return the status."""
        topic = topic_of(self._shape)
        give_up_s = time.monotonic() + _GIVE_UP_S
        while time.monotonic() < give_up_s and daemon.poll() is None:
            time.sleep(_STATUS_EVERY_S)
            status = ask(admin_port, "/status")
            ledger = status["ledger"]
            settled = ledger["accepted"] + ledger["conflated"]
            if ledger["dead_lettered"] or ledger["filtered"]:
                message = f"expected no filtered records and no dead letters, got {ledger}"
                raise DrainFailedError(message)
            if settled == self._records and self._broker.committed(
                group, topic
            ) == self._broker.end_offsets(topic):
                return status
        message = f"the daemon did not reach the end of {topic} within {_GIVE_UP_S:.0f} s"
        raise DrainFailedError(message)


def ask(port: int, path: str) -> dict[str, Any]:
    """Return the JSON response of a local port."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", path)
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
        return answer


def _await_first_chunk(daemon: subprocess.Popen[bytes], admin_port: int) -> tuple[float, float]:
    """Return the daemon's CPU seconds just before its first chunk, and the time of that chunk."""
    give_up_s = time.monotonic() + _STOP_S
    before_s = 0.0
    while time.monotonic() < give_up_s and daemon.poll() is None:
        now_s, used_s = time.monotonic(), cpu_s(daemon.pid)
        try:
            if ask(admin_port, "/status")["ledger"]["polled"]:
                return before_s, now_s
        except OSError:
            pass  # the admin port does not listen yet
        before_s = used_s
        time.sleep(_START_EVERY_S)
    message = f"the daemon read no record within {_STOP_S:.0f} s"
    raise DrainFailedError(message)


@contextmanager
def _running(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a child process until the block ends."""
    child = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def _sum(pids: Iterable[int]) -> float:
    return sum(map(cpu_s, pids))
