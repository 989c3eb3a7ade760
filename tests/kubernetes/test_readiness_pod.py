"""The command of the `helm test` pod, run against daemons."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.kubernetes.chart import ROOT, SCENARIOS, manifests, only, rendered
from tests.loopback import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Ask = Callable[[int], subprocess.CompletedProcess[str]]


@pytest.fixture
def ask(require: Callable[[str], Path]) -> Ask:
    """Run the container of the pod on the admin port of a daemon."""
    require("helm")
    pods = [one for one in manifests(rendered(SCENARIOS["minimal"])) if one["kind"] == "Pod"]
    [container] = only(pods, "Pod")["spec"]["containers"]
    program, *options = container["command"]
    script, address = container["args"]
    assert "python" == program

    def run(port: int) -> subprocess.CompletedProcess[str]:
        there = address.replace("shop-datacloud-consumer:8080", f"127.0.0.1:{port}")
        assert str(port) in there
        command = [sys.executable, *options, script, there]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    return run


@pytest.fixture
def demonstration() -> Iterator[int]:
    """Run the demo; return its admin port when it has delivered its records."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "consumer",
        "demo",
        "--records",
        "40",
        "--serve",
        "--port",
        str(port),
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        assert any(line.startswith("verified") for line in process.stdout)
        yield port
        process.terminate()


@pytest.fixture
def without_brokers() -> Iterator[int]:
    """Run a daemon without reachable brokers; return its admin port when it listens."""
    port = free_port()
    settings = (
        f"admin.listen=127.0.0.1:{port}",
        f"kafka.bootstrap_servers=127.0.0.1:{free_port()}",
    )
    command = [sys.executable, "-m", "consumer", "run", "-c", str(ROOT / "config" / "sandbox.yaml")]
    command += [word for setting in settings for word in ("--set", setting)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any('"daemon_starting"' in line for line in process.stderr), "it ended"
        yield port
        process.kill()


def test_a_daemon_that_is_ready_passes(ask: Ask, demonstration: int) -> None:
    """It exits with 0 and prints the checks."""
    answer = ask(demonstration)
    assert 0 == answer.returncode, answer.stderr
    assert ["[+] assignment", "[+] holds", "[+] progress", "ok"] == answer.stdout.split("\n")[:4]


def test_a_daemon_that_is_not_ready_fails_and_says_why(ask: Ask, without_brokers: int) -> None:
    """It exits with 1, and `helm test --logs` shows the reason."""
    answer = ask(without_brokers)
    assert 1 == answer.returncode
    assert "[-] " in answer.stderr
