"""Set up the log: one line per event to stderr, for a person or as JSON.

Lines have no secrets, no values of records, and no repeats within a few seconds.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

import structlog
from aiohttp.http_exceptions import HttpProcessingError

from consumer.admin.events import CHANGES
from consumer.admin.redaction import MASK, clean, names_a_secret
from consumer.admin.repeats import Repeats
from consumer.errors import ConsumerError, leaves_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from structlog.typing import EventDict, Processor, WrappedLogger

    from consumer.admin.settings import LogSettings

ExcInfo = tuple[type[BaseException], BaseException, "TracebackType | None"]

LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
FRAMES: Final = 12
"""How many frames of a traceback are kept, the innermost ones."""
MOST_LEAVES: Final = 5
"""How many errors of a group are named."""

NESTED: Final = 3
"""How many levels of lists and mappings in a field are kept; a deeper one becomes text."""


_HOLD_STARTED: Final = "hold_started"
"""Written for each hold: two holds of one scope may have the same text, and both end."""

_BEGUN_BY_END: Final = {end: begin for begin, end in CHANGES.items()}


class Threshold:
    """Drops events below the level.

    All loggers share one object, so that a change of the level reaches loggers made before it.
    """

    def __init__(self, level: str) -> None:
        self.level = LEVELS[level]

    def __call__(self, _logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        """Pass an event on, or drop it."""
        if LEVELS.get("error" if method == "exception" else method, 0) < self.level:
            raise structlog.DropEvent
        return event


class Collapse:
    """Drops an event that was written a moment ago.

    Two events are the same when their texts and lists are equal; numbers are not compared. The end
    of a state, and the start of a hold, is always written: else the log would end with
    `hold_ended` although the hold has begun again.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._repeats = Repeats()
        self._lock = threading.Lock()

    def __call__(self, _logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        """Pass an event on with `repeated` when some were dropped before it, or drop it."""
        name = event.get("event")
        if name == _HOLD_STARTED:
            return event
        begun = _BEGUN_BY_END.get(name) if isinstance(name, str) else None
        if begun is not None:
            # The state may begin again within seconds, and that line must be written, too.
            with self._lock:
                self._repeats.forget(
                    lambda line: isinstance(line, tuple) and ("event", begun) in line
                )
            return event
        # A list names partitions: two rebalances within a second move different ones, and both are
        # written.
        texts = sorted(
            (key, str(value)) for key, value in event.items() if isinstance(value, (str, list))
        )
        with self._lock:  # the consumer thread logs too
            dropped = self._repeats.dropped((method, *texts), self._now_s())
        if dropped is None:
            raise structlog.DropEvent
        if dropped:
            event["repeated"] = dropped
        return event


class LoggingBridge(logging.Handler):
    """Passes the lines that libraries write through `logging` to structlog.

    The library's text becomes the event, and the field `logger` names the library.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Pass one line on; it goes through the same steps as an event."""
        _, error, _ = record.exc_info or (None, None, None)
        # A request to the admin port that is not HTTP. Anyone in the network could fill the log.
        figure = logging.DEBUG if isinstance(error, HttpProcessingError) else record.levelno
        level = next((name for name, least in reversed(LEVELS.items()) if figure >= least), "debug")
        try:
            text = record.getMessage()
        except (TypeError, ValueError):  # the library's arguments do not fit its format
            text = str(record.msg)
        getattr(structlog.get_logger(), level)(text, logger=record.name, exc_info=record.exc_info)


_threshold: Final = Threshold("info")


def configure(
    settings: LogSettings,
    *,
    stream: TextIO | None = None,
    now_s: Callable[[], float] = time.monotonic,
) -> None:
    """Set up structlog and the standard library's logging; may be called again.

    `stream` defaults to stderr. Colours and the console format are used only on a terminal.
    """
    out = sys.stderr if stream is None else stream
    on_console = settings.format == "console" or (settings.format == "auto" and out.isatty())
    set_level(settings.level)
    structlog.configure(
        processors=[
            _threshold,  # first, so that a dropped event costs nothing
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            show_exception,
            clean_event,
            Collapse(now_s),  # after the masking, so that equal lines compare equal
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _console(out) if on_console else _json(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    # A second call must not write each library line twice.
    for earlier in [handler for handler in root.handlers if isinstance(handler, LoggingBridge)]:
        root.removeHandler(earlier)
    root.addHandler(LoggingBridge(logging.WARNING))
    logging.captureWarnings(capture=True)


def set_level(level: str) -> None:
    """Change the level of every logger, including loggers made before."""
    _threshold.level = LEVELS[level]


def clean_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Mask secrets and escape control characters in every text of an event."""
    return {
        key: MASK if isinstance(value, str) and names_a_secret(key) else _clean(value)
        for key, value in event.items()
    }


def show_exception(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace `exc_info` by the fields `exception` and `at`: type and places.

    The message is kept only for our own errors, whose messages hold no values.
    """
    given = event.pop("exc_info", None)
    exc_info = _exc_info(given)
    if exc_info is not None:
        event["exception"] = _describe(exc_info[1])
        event["at"] = _places(leaves_of(exc_info[1])[0])
    return event


def _exc_info(given: object) -> ExcInfo | None:
    if isinstance(given, BaseException):
        return type(given), given, given.__traceback__
    if isinstance(given, tuple):
        return given if given[0] is not None else None
    present = sys.exc_info() if given else (None, None, None)
    return present if present[0] is not None else None


def _describe(error: BaseException) -> str:
    """Name an exception and its causes.

    A library's message is left out: it may repeat the value that the library was given.
    """
    if isinstance(error, BaseExceptionGroup):
        return " and ".join(_describe(leaf) for leaf in leaves_of(error)[:MOST_LEAVES])
    name = (
        f"{type(error).__name__}: {error}"
        if isinstance(error, ConsumerError)
        else type(error).__qualname__
    )
    if isinstance(error, OSError) and error.strerror:
        name = f"{name}: {error.strerror}"
    cause = error.__cause__
    return name if cause is None else f"{name}, caused by {_describe(cause)}"


def _places(error: BaseException) -> list[str]:
    return [
        f"{Path(frame.filename).name}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)[-FRAMES:]
    ]


def _clean(value: object, depth: int = 0) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth < NESTED and isinstance(value, dict):
        return {
            clean(str(key)): MASK if names_a_secret(str(key)) else _clean(inner, depth + 1)
            for key, inner in value.items()
        }
    if depth < NESTED and isinstance(value, list | tuple | set | frozenset):
        return [_clean(inner, depth + 1) for inner in value]
    return clean(_as_text(value))


def _as_text(value: object) -> str:
    """Render a value as text: bytes as their count, exceptions without a library's message."""
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    return _describe(value) if isinstance(value, BaseException) else str(value)


def _console(out: TextIO) -> Processor:
    coloured = out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return structlog.dev.ConsoleRenderer(colors=coloured, pad_event_to=0)


def _json() -> Processor:
    return structlog.processors.JSONRenderer(ensure_ascii=False, sort_keys=False)
