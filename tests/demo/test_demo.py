"""The demonstration as a user runs it: a process, its two streams and its exit code."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING

import pytest

from consumer.operations.demo.demo import DemoRequest, demonstrate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumer.admin.port import StatusReport
    from consumer.operations.demo.demo import DemoAddresses, DemoResult

SECONDS = 60
"""A run takes about five; this bounds one that hangs."""

ESCAPE = "\x1b"
COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-9]")


def start(
    *arguments: str, stderr: int = subprocess.PIPE, **environment: str
) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "consumer", "demo", *arguments]
    plain = {
        name: value
        for name, value in os.environ.items()
        if name not in {"FORCE_COLOR", "NO_COLOR", "COLUMNS"}
    }
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=stderr, text=True, env={**plain, **environment}
    )


@pytest.fixture(scope="module")
def run() -> subprocess.CompletedProcess[str]:
    """Run it once, piped, for all who look at the result."""
    with start("--records", "500") as process:
        out, errors = process.communicate(timeout=SECONDS)
    return subprocess.CompletedProcess([], process.returncode, out, errors)


def verdict(run: subprocess.CompletedProcess[str]) -> str:
    """Return the last line."""
    return run.stdout.splitlines()[-1]


@pytest.mark.holds("I16")
def test_it_is_verified(run: subprocess.CompletedProcess[str]) -> None:
    """Exit code 0, and the last line says so."""
    assert 0 == run.returncode, run.stdout + run.stderr
    assert re.match(r"verified in \d+\.\d s: 500 records, \d+ rows, ", verdict(run))


def test_its_figures_add_up(run: subprocess.CompletedProcess[str]) -> None:
    """Every record that was produced has one outcome."""
    found = re.search(
        r"500 = (\d+) accepted \+ (\d+) conflated \+ (\d+) filtered \+ 2 dead-lettered\n",
        run.stdout,
    )
    assert found is not None, run.stdout
    assert 498 == sum(map(int, found.groups()))


def test_all_partitions_are_at_their_ends(run: subprocess.CompletedProcess[str]) -> None:
    """Three topics of four partitions."""
    assert verdict(run).endswith(" 2 dead letters, 12 partitions")


@pytest.mark.parametrize(
    "line",
    [
        r"upsert +429 +1\b",
        r"(upsert|delete) +401 +1\b",
        r"exchange +200 +2\b",
        r"shop\.events\.page_views\[\d\]@\d+ +DECODE_SYNTAX",
        r"shop\.public\.customers\[\d\]@\d+ +FIELD_TYPE",
        r"upsert/orders nth=1 expire-tokens +1\b",
        r"Retries: 1 after 429\. Tokens fetched: 2\.",
    ],
)
def test_it_shows_what_happened(run: subprocess.CompletedProcess[str], line: str) -> None:
    """The trouble at the tenant, and where the records at fault came from."""
    assert re.search(line, run.stdout), run.stdout


def test_in_a_pipe_there_are_lines_without_escapes(run: subprocess.CompletedProcess[str]) -> None:
    """Neither colour nor bars, on either stream; progress is told in lines."""
    assert ESCAPE not in run.stdout + run.stderr
    assert "━" not in run.stderr
    assert "500 records produced\n" in run.stderr


def on_terminal(**environment: str) -> str:
    """Run it with its standard error on a terminal and return what the terminal got."""
    ours, theirs = pty.openpty()
    with start("--records", "100", stderr=theirs, TERM="xterm-256color", **environment) as process:
        os.close(theirs)
        seen = b""
        try:
            while part := os.read(ours, 65_536):
                seen += part
        except OSError:  # the other end is closed
            pass
        process.communicate(timeout=SECONDS)
    os.close(ours)
    return seen.decode()


def test_a_terminal_gets_bars_in_colour() -> None:
    """Drawn again and again in place."""
    seen = on_terminal()
    assert "━" in seen
    assert COLOUR.search(seen)


def test_no_color_is_honoured_on_a_terminal() -> None:
    """The bars stay, the colours go."""
    seen = on_terminal(NO_COLOR="1")
    assert "━" in seen
    assert None is COLOUR.search(seen)


def test_an_interrupt_before_the_check_ends_it_cleanly() -> None:
    """The daemon drains; nothing is called verified."""
    with start() as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("daemon  http://"):
                break
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=SECONDS)
    assert (1, "") == (process.returncode, out)
    assert errors.endswith("stopped before the check: nothing is verified\n")
    assert "Traceback" not in errors


def test_kept_up_it_answers_until_it_is_interrupted() -> None:
    """The result first, as JSON here; then pages and traffic, and exit code 0 on Ctrl-C."""
    with start("--records", "100", "--serve", "--output", "json") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        result = json.loads(process.stdout.readline())
        origins = []
        for line in process.stderr:
            if "'s page" in line:
                origins.append(line.split()[-1])
            if "Ctrl-C" in line:
                break
        pages = [urllib.request.urlopen(origin).read() for origin in origins]  # noqa: S310 - our own addresses
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=SECONDS)
    assert (True, 100, 2) == (result["verified"], result["produced"], len(result["dead_letters"]))
    assert 2 == len(pages)
    assert all(b"<html" in page for page in pages)
    assert 0 == process.returncode
    assert re.search(r"stopped: \d+ records read, \d+ of them settled\n$", errors)


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_taken_port_is_said(taken_port: int) -> None:
    """As wrong usage, with the way out."""
    with start("--records", "100", "--port", str(taken_port)) as process:
        out, errors = process.communicate(timeout=SECONDS)
    assert (2, "") == (process.returncode, out)
    assert (
        f"127.0.0.1:{taken_port} is taken by another program; write another port, or 0 for"
        f" a free one"
    ) in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("count", ["39", "20001", "many"])
def test_a_number_of_records_that_cannot_be_is_refused(count: str) -> None:
    """Too few to show everything, more than the embedded broker keeps, or no number."""
    with start("--records", count) as process:
        out, errors = process.communicate(timeout=SECONDS)
    assert (2, "") == (process.returncode, out)
    assert "--records" in errors


class Nobody:
    """An audience that looks at nothing."""

    def up(self, addresses: DemoAddresses) -> None:
        """Not looked at."""

    def produced(self, count: int) -> None:
        """Not looked at."""

    def progressed(self, report: StatusReport) -> None:
        """Not looked at."""

    def verdict(self, outcome: DemoResult) -> None:
        """Not looked at."""

    def traffic(self, addresses: DemoAddresses) -> None:
        """Not looked at."""

    def over(self, report: StatusReport) -> None:
        """Not looked at."""


async def test_a_tenant_that_lies_is_found_out() -> None:
    """It answers 202 to the customers and keeps none of them: the check must not say verified."""
    plan = DemoRequest(record_count=100, script="upsert/customers status=202")
    outcome = await demonstrate(plan, Nobody())
    assert outcome is not None
    customers = len(outcome.expected.rows["customers"])
    assert [f"customers: {customers} rows missing"] == [
        ": ".join(line.split(": ")[:2]) for line in outcome.differences
    ]
