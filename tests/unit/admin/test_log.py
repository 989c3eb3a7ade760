"""The log: one line per event, for a machine or a person, without secrets or values."""

from __future__ import annotations

import io
import json
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from aiohttp.http_exceptions import BadHttpMessage

from consumer.admin.events import CHANGES, EVENTS
from consumer.admin.log import LoggingBridge, configure, set_level
from consumer.admin.settings import LogSettings
from consumer.errors import Hold, HoldReason

if TYPE_CHECKING:
    from collections.abc import Iterator

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2lnbmF0dXJl-_x"


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        """A method of `TextIO`."""
        return True


class ManualClock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.time_s = 0.0

    def now_s(self) -> float:
        """Return the time that was set."""
        return self.time_s


@pytest.fixture(autouse=True)
def _tidy() -> Iterator[None]:
    yield
    structlog.reset_defaults()
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, LoggingBridge)]:
        root.removeHandler(handler)
    logging.captureWarnings(capture=False)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def out(clock: ManualClock) -> io.StringIO:
    stream = io.StringIO()
    configure(LogSettings(), stream=stream, now_s=clock.now_s)
    return stream


def _lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_an_event_is_one_json_line(out: io.StringIO) -> None:
    """Not on a terminal, an event is a line of JSON with level and UTC time."""
    structlog.get_logger().info("started", topic="t", count=3)
    (line,) = _lines(out)
    assert ("started", "info", "t", 3, "Z") == (
        line["event"],
        line["level"],
        line["topic"],
        line["count"],
        line["timestamp"][-1],
    )


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\u202egnp.exe", id="C09"),
        pytest.param('x\n{"level":"info","event":"forged"}\x1b[2J', id="C15"),
        pytest.param("a\u2028b\x85c", id="separators"),
    ],
)
def test_hostile_text_stays_one_plain_line(out: io.StringIO, text: str) -> None:
    """No text can forge a line, move the cursor, or change the direction of writing."""
    structlog.get_logger().warning(text, detail=text, nested={"inner": [text]})
    assert (1, True) == (len(out.getvalue().splitlines()), out.getvalue()[:-1].isprintable())


@pytest.mark.holds("I17")
def test_secrets_are_masked_in_every_place(out: io.StringIO) -> None:
    """In the event, in a field, in a nested one, under a name of a secret, in an object's text."""
    structlog.get_logger().error(
        f"answer {JWT}",
        detail=f"Bearer {JWT}",
        nested={"deep": [JWT], "client_secret": "plain words"},
        password="plain words",
        error=ValueError(JWT),
    )
    assert (False, False) == (JWT in out.getvalue(), "plain words" in out.getvalue())


def test_bytes_are_never_shown(out: io.StringIO) -> None:
    """A key or a value that gets into the log by mistake shows its length only."""
    structlog.get_logger().info("odd", value=b"alice@example.com")
    assert "<17 bytes>" == _lines(out)[0]["value"]


def test_an_exception_is_its_type_and_places(out: io.StringIO) -> None:
    """A library's message may repeat a value; type and place are enough to find the error."""
    try:
        int("alice@example.com")
    except ValueError:
        structlog.get_logger().exception("failed")
    (line,) = _lines(out)
    assert ("ValueError", True, False) == (
        line["exception"],
        line["at"][0].startswith("test_log.py:"),
        "alice" in out.getvalue(),
    )


def test_the_errors_of_a_group_are_named_with_a_place(out: io.StringIO) -> None:
    """The tasks of the daemon run in groups, whose own type and place say nothing."""
    errors: list[Exception] = []
    for text in ("alice", "bob"):
        try:
            int(text)
        except ValueError as error:
            errors.append(error)
    group = ExceptionGroup("all", [ExceptionGroup("tasks", errors), OSError(28, "No space")])
    structlog.get_logger().error("failed", exc_info=group)
    (line,) = _lines(out)
    assert "ValueError and ValueError and OSError: No space" == line["exception"]
    assert ["int(text)"] == [
        Path(__file__).read_text().splitlines()[int(re.findall(r":(\d+) ", at)[0]) - 1].strip()
        for at in line["at"]
    ]
    assert "alice" not in out.getvalue()


def test_our_own_errors_keep_their_message(out: io.StringIO) -> None:
    """Our messages hold no values, and say what to do."""
    try:
        try:
            raise ConnectionRefusedError(111, "Connection refused")
        except OSError as refused:
            raise Hold(HoldReason.BROKER, "the brokers are away") from refused
    except Hold:
        structlog.get_logger().exception("held")
    assert (
        "Hold: BROKER: the brokers are away, caused by ConnectionRefusedError: Connection refused"
        == (_lines(out)[0]["exception"])
    )


def test_events_below_the_level_are_dropped(out: io.StringIO) -> None:
    """The default level is info."""
    structlog.get_logger().debug("quiet")
    assert "" == out.getvalue()


def test_a_changed_level_reaches_old_loggers(out: io.StringIO) -> None:
    """After SIGHUP, a logger that was bound before writes at the new level."""
    bound = structlog.get_logger().bind(topic="t")
    set_level("debug")
    bound.debug("now written")
    assert ["now written"] == [line["event"] for line in _lines(out)]


def test_repeats_are_collapsed_and_counted(out: io.StringIO, clock: ManualClock) -> None:
    """A thousand equal lines in a second become one, and the next one has their count."""
    for at in range(1000):
        structlog.get_logger().warning("broker_away", broker="b:9092", attempt=at)
    clock.time_s = 10.0
    structlog.get_logger().warning("broker_away", broker="b:9092", attempt=1000)
    assert [None, 999] == [line.get("repeated") for line in _lines(out)]


def test_every_start_and_end_of_a_hold_is_written(out: io.StringIO, clock: ManualClock) -> None:
    """A hold that begins again within seconds is not the hold that has ended."""
    log = structlog.get_logger()
    for second in range(0, 6, 2):
        clock.time_s = float(second)
        log.warning("hold_started", reason="RATE", scope="customers", detail="429")
        clock.time_s = second + 1.0
        log.info("hold_ended", reason="RATE", scope="customers", lasted_s=1.0)
    log.warning("hold_started", reason="RATE", scope="customers", detail="429")
    assert ["hold_started", "hold_ended"] * 3 + ["hold_started"] == [
        line["event"] for line in _lines(out)
    ]


@pytest.mark.parametrize(("begin", "end"), CHANGES.items())
def test_a_state_that_begins_again_is_written(out: io.StringIO, begin: str, end: str) -> None:
    """The last line says which state it is; only repeats within one state are left out."""
    log = structlog.get_logger()
    for name in (begin, begin, end, begin, end, begin):
        log.warning(name, detail="the same text")
    written = [line["event"] for line in _lines(out)]
    assert [begin, end, begin, end, begin] == written[written.count(begin) - 3 :]


def test_the_names_of_states_are_declared() -> None:
    """Each begin and each end is a log event."""
    assert {*CHANGES, *CHANGES.values()} <= {event.name for event in EVENTS}


def test_lines_about_other_partitions_are_not_repeats(out: io.StringIO) -> None:
    """Two rebalances in a row name different partitions, and both are written."""
    for place in ("t[0]@17", "t[1]@4", "t[1]@4"):
        structlog.get_logger().info("partitions_revoked", count=1, partitions=[place])
    assert [["t[0]@17"], ["t[1]@4"]] == [line["partitions"] for line in _lines(out)]


def test_lines_with_other_texts_are_not_repeats(out: io.StringIO) -> None:
    """The same event about another broker is written."""
    for broker in ("a", "b"):
        structlog.get_logger().warning("broker_away", broker=broker)
    assert ["a", "b"] == [line["broker"] for line in _lines(out)]


def test_lines_of_libraries_pass_from_warning_on(out: io.StringIO) -> None:
    """Lines of asyncio or aiohttp are written as events, and cleaned like them."""
    logging.getLogger("asyncio").info("quiet")
    logging.getLogger("aiohttp.server").error("Error handling %s", f"Bearer {JWT}")
    assert [("error", "aiohttp.server", "Error handling Bearer ***")] == [
        (line["level"], line["logger"], line["event"]) for line in _lines(out)
    ]


@pytest.mark.holds("I17")
def test_a_librarys_traceback_shows_no_values(out: io.StringIO) -> None:
    """An exception that a library logs is reduced to its type and place."""
    try:
        int("alice@example.com")
    except ValueError:
        logging.getLogger("aiohttp.server").exception("Error handling request")
    assert ("ValueError", False) == (_lines(out)[0]["exception"], "alice" in out.getvalue())


def test_a_librarys_broken_line_does_no_harm(out: io.StringIO) -> None:
    """Arguments that do not fit the format are left out."""
    record = logging.LogRecord("lib", logging.WARNING, __file__, 1, "%d of %d", ("x",), None)
    LoggingBridge().emit(record)
    assert "%d of %d" == _lines(out)[0]["event"]


def test_a_malformed_request_of_a_peer_is_not_logged(out: io.StringIO) -> None:
    """Anyone in the network could fill the log; an error of a handler is written."""
    log = logging.getLogger("aiohttp.server")
    log.error("Error handling request from %s", "10.0.0.7", exc_info=BadHttpMessage("x"))
    assert [] == _lines(out)
    log.error("Error handling request from %s", "10.0.0.7", exc_info=ValueError("x"))
    assert ["ValueError"] == [line["exception"] for line in _lines(out)]


def test_configuring_twice_writes_once() -> None:
    """The second set-up replaces the first."""
    configure(LogSettings(), stream=io.StringIO())
    out = io.StringIO()
    configure(LogSettings(), stream=out)
    logging.getLogger("lib").warning("once")
    assert 1 == len(_lines(out))


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_a_terminal_gets_the_console_form(
    monkeypatch: pytest.MonkeyPatch,
    no_color: str,
    coloured: bool,  # noqa: FBT001 - an expected value
) -> None:
    """A person gets a readable line, in colour unless NO_COLOR is set."""
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", "xterm")
    out = Terminal()
    configure(LogSettings(), stream=out)
    structlog.get_logger().info("started", topic="t")
    text = out.getvalue()
    assert (True, False, coloured) == ("started" in text, text.startswith("{"), "\x1b[" in text)


def test_console_lines_cannot_be_forged() -> None:
    """The console format escapes hostile text too."""
    out = io.StringIO()
    configure(LogSettings(format="console"), stream=out)
    structlog.get_logger().info("a\nb\x1b[2J", detail="\u202ex\ny")
    assert (1, True) == (len(out.getvalue().splitlines()), out.getvalue()[:-1].isprintable())
