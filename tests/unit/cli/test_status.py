"""`status` with an admin port: tables, JSON and exit codes."""

from __future__ import annotations

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import msgspec
import pytest

from consumer.admin.port import BulkStatus, PartitionStatus
from tests.unit.operations.test_ledger_check import RIGHT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from consumer.admin.port import StatusReport
    from tests.unit.conftest import Ran

    Run = Callable[..., Ran]

BUSY = msgspec.structs.replace(
    RIGHT,
    assignment=(
        PartitionStatus(topic="t", partition=0, epoch=1, position=5, end=12, lag=7, open=2),
    ),
    bulk=(
        BulkStatus(
            object="people",
            gathered_rows=12_000,
            gathered_bytes=900_000,
            phase="uploading",
            job="7f",
        ),
    ),
)


class AdminPort:
    """An HTTP server on a free port that answers with a given body and status."""

    def __init__(self) -> None:
        self.body = b""
        self.status = 200
        port = self

        class Answering(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(port.status)
                self.send_header("Content-Length", str(len(port.body)))
                self.end_headers()
                self.wfile.write(port.body)

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        self.at = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def set_report(self, report: StatusReport) -> None:
        """Answer with this report from now on."""
        self.body = msgspec.json.encode(report)

    def close(self) -> None:
        """Stop the server."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def port() -> Iterator[AdminPort]:
    made = AdminPort()
    made.set_report(BUSY)
    yield made
    made.close()


def test_a_ledger_that_adds_up_exits_with_0(run: Run, port: AdminPort) -> None:
    """A line for each partition, their sum, a line for each object."""
    ran = run("status", "--ledger", "--at", port.at)
    assert (0, True) == (ran.code, "the ledger adds up" in ran.out)
    lines = {" ".join(line.split()) for line in ran.out.splitlines()}
    expected = {
        "t[0] 20 10 4 1 1 2 2",
        "t[1] 9 4 2 2 0 0 1",
        "all 29 14 6 3 1 2 3",
        "customers 29 14 6 3 1 2 3",
    }
    assert set() == expected - lines


def test_a_ledger_that_does_not_add_up_exits_with_1(run: Run, port: AdminPort) -> None:
    """The difference has its place and both counts."""
    ledger = msgspec.structs.replace(RIGHT.ledger, accepted=15)
    port.set_report(msgspec.structs.replace(RIGHT, ledger=ledger))
    ran = run("status", "--ledger", "--at", port.at, "--output", "json")
    printed = json.loads(ran.out)
    sentence = "all: the total has 15 records accepted, the partitions add up to 14"
    assert (1, False, [sentence]) == (ran.code, printed["adds_up"], printed["differences"])


def test_the_report_shows_partitions_and_jobs(run: Run, port: AdminPort) -> None:
    """Without `--ledger`."""
    ran = run("status", "--at", port.at)
    lines = [" ".join(line.split()) for line in ran.out.splitlines()]
    assert (0, True, True) == (
        ran.code,
        "t[0] 5 12 7 2" in lines,
        "people 12,000 900,000 0 7f uploading" in lines,
    )


def test_no_answer_at_the_port(run: Run, port: AdminPort) -> None:
    """The message has the address; exit code 1."""
    port.close()
    ran = run("status", "--at", port.at)
    assert (1, True) == (ran.code, f"no daemon answers at {port.at}" in ran.err)


@pytest.mark.parametrize(
    ("status", "body"), [(404, b""), (200, b"<html>"), (200, b'{"version":1}')]
)
def test_another_program_at_the_port(run: Run, port: AdminPort, status: int, body: bytes) -> None:
    """An answer that is not a status report is an error."""
    port.status, port.body = status, body
    ran = run("status", "--at", port.at)
    assert (1, "", True) == (ran.code, ran.out, "another program" in ran.err)


def test_an_invalid_address(run: Run) -> None:
    """It is wrong usage."""
    assert 2 == run("status", "--at", "somewhere").code


def test_the_admin_port_of_the_file_is_used(run: Run, port: AdminPort, examples: object) -> None:
    """Without `--at`."""
    ran = run(
        "status",
        "-c",
        f"{examples}/minimal.yaml",
        "--set",
        f"admin.listen={port.at}",
        "--output",
        "json",
    )
    assert (0, "g") == (ran.code, json.loads(ran.out or "{}").get("group_id"))


@pytest.mark.parametrize("output", ["text", "json"])
def test_nothing_that_a_terminal_would_act_on_is_printed(
    run: Run, port: AdminPort, output: str
) -> None:
    """Anything may listen on the port, and a topic's name is a producer's choice."""
    evil = "\x1b]0;title\x07\x1b[2J\u202e\x9b31m"
    port.set_report(
        msgspec.structs.replace(
            BUSY,
            group_id=evil,
            assignment=(
                PartitionStatus(topic=evil, partition=0, epoch=1, position=5, trouble=evil),
            ),
            bulk=(BulkStatus(object=evil, phase=evil, job=evil),),
        )
    )
    shown = run("status", "--at", port.at, "--output", output)
    assert 0 == shown.code
    assert not set(evil) & set(shown.out) & set("\x1b\x07\x9b\u202e")
    assert "title" in shown.out


def test_a_status_line_of_another_protocol_is_escaped(run: Run) -> None:
    """The library's error repeats it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_answer, args=(server,), daemon=True).start()
        shown = run("status", "--at", f"127.0.0.1:{server.getsockname()[1]}")
    assert 1 == shown.code
    assert "no daemon answers" in shown.err
    assert "\x1b" not in shown.err


def _answer(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(1000)
        connection.sendall(b"\x1b[2J SSH\r\n\r\n")
