"""The demo as a user runs it: a process, its two streams and its exit code."""

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

from consumer.operations.demo.demo import DemoRequest, run_demo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumer.admin.port import StatusReport
    from consumer.operations.demo.demo import DemoAddresses, DemoResult

SECONDS = 60
"""A run takes about five seconds; this is the limit for one that hangs."""

ESCAPE = "\x1b"
COLOUR = re.compile(r"\x1b\[(?:[0-9;]*;)?(?:3[0-8]|9[0-7])[;m]")
RED = re.compile(r"\x1b\[(?:[0-9;]*;)?[39]1m|\x1b\[38;5;(?!2[345][0-9]m)")
"""Red of the 16 colours, or any colour of the 256 except grey."""
GREEN_BAR = re.compile(r"\x1b\[32m━{30}\x1b\[0m +100/100")


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
    """Run the demo once, with pipes, for all tests that read its output."""
    with start("--records", "500") as process:
        out, errors = process.communicate(timeout=SECONDS)
    return subprocess.CompletedProcess([], process.returncode, out, errors)


def verdict(run: subprocess.CompletedProcess[str]) -> str:
    """Return the line that begins with `verified`, which the next steps follow."""
    return run.stdout.splitlines()[-4]


@pytest.mark.holds("I16")
def test_it_is_verified(run: subprocess.CompletedProcess[str]) -> None:
    """Exit code 0, and a line that begins with `verified`."""
    assert 0 == run.returncode, run.stdout + run.stderr
    assert re.match(r"verified in \d+\.\d s: 500 records, \d+ rows, ", verdict(run))


def test_the_last_line_is_a_next_step(run: subprocess.CompletedProcess[str]) -> None:
    """It has the commands that a user may run next."""
    *_, pages, configuration = run.stdout.splitlines()
    assert pages.startswith("next: datacloud-consumer demo --serve ")
    assert configuration.startswith("next: datacloud-consumer config init --bootstrap HOST:PORT ")


def test_topic_ids_cause_no_warning(run: subprocess.CompletedProcess[str]) -> None:
    """The only warnings are about the two dead letters."""
    warnings = [line for line in run.stderr.splitlines() if "[warning" in line]
    assert 2 == len(warnings), run.stderr
    assert all("topic_id_unknown" not in line for line in warnings)


def test_the_counts_add_up(run: subprocess.CompletedProcess[str]) -> None:
    """Every produced record has one outcome."""
    found = re.search(
        r"500 = (\d+) accepted \+ (\d+) conflated \+ (\d+) filtered \+ 2 dead-lettered\n",
        run.stdout,
    )
    assert found is not None, run.stdout
    assert 498 == sum(map(int, found.groups()))


def test_all_partitions_are_committed_at_their_ends(run: subprocess.CompletedProcess[str]) -> None:
    """Three topics of four partitions each."""
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
    """The faults of the tenant, and the places of the invalid records."""
    assert re.search(line, run.stdout), run.stdout


def test_in_a_pipe_there_are_lines_without_escapes(run: subprocess.CompletedProcess[str]) -> None:
    """No colours and no bars on either stream; progress is printed as lines."""
    assert ESCAPE not in run.stdout + run.stderr
    assert "━" not in run.stderr
    assert "500 records produced\n" in run.stderr


def on_terminal(**environment: str) -> str:
    """Run the demo with its standard error on a terminal and return the terminal's input."""
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


def test_on_a_terminal_the_bars_end_in_green() -> None:
    """A verified run has no red at any time."""
    seen = on_terminal()
    assert GREEN_BAR.search(seen)
    assert None is RED.search(seen)


def test_no_color_is_honoured_on_a_terminal() -> None:
    """There are bars without colours."""
    seen = on_terminal(NO_COLOR="1")
    assert "━" in seen
    assert None is COLOUR.search(seen)


def test_an_interrupt_before_the_check_stops_the_demo() -> None:
    """The daemon drains; the demo says that nothing is verified."""
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


def test_with_serve_it_runs_until_it_is_interrupted() -> None:
    """First the result, here as JSON; then pages and traffic; exit code 0 after Ctrl-C."""
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


def test_a_taken_port_is_wrong_usage(taken_port: int) -> None:
    """The message says what to do."""
    with start("--records", "100", "--port", str(taken_port)) as process:
        out, errors = process.communicate(timeout=SECONDS)
    assert (2, "") == (process.returncode, out)
    assert (
        f"127.0.0.1:{taken_port} is in use by another program; choose another port, or 0 for"
        f" a free one"
    ) in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("count", ["39", "20001", "many"])
def test_an_invalid_number_of_records_is_refused(count: str) -> None:
    """Too few to show everything, more than the embedded broker keeps, or not a number."""
    with start("--records", count) as process:
        out, errors = process.communicate(timeout=SECONDS)
    assert (2, "") == (process.returncode, out)
    assert "--records" in errors


class SilentDisplay:
    """A display that shows nothing."""

    def up(self, addresses: DemoAddresses) -> None:
        """Show nothing."""

    def produced(self, count: int) -> None:
        """Show nothing."""

    def progressed(self, report: StatusReport) -> None:
        """Show nothing."""

    def checked(self, result: DemoResult) -> None:
        """Show nothing."""

    def traffic(self, addresses: DemoAddresses) -> None:
        """Show nothing."""

    def stopped(self, report: StatusReport) -> None:
        """Show nothing."""


async def test_rows_that_the_tenant_loses_are_found() -> None:
    """It answers 202 for the customers and stores none of them: the demo is not verified."""
    request = DemoRequest(record_count=100, script="upsert/customers status=202")
    result = await run_demo(request, SilentDisplay())
    assert result is not None
    customers = len(result.expected.rows["customers"])
    assert [f"customers: {customers} rows missing"] == [
        ": ".join(line.split(": ")[:2]) for line in result.differences
    ]
