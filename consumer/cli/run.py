"""`run`: the daemon."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

import structlog

from consumer.admin.log import configure
from consumer.app.process_limits import limit_process
from consumer.app.serve import serve
from consumer.cli.options import DEFAULT_FILE, ConfigFile, Overrides, settings
from consumer.errors import ConsumerError, Fatal, leaves_of

if TYPE_CHECKING:
    from collections.abc import Coroutine

    import typer

Result = TypeVar("Result")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("run")(run)


def run(*, config: ConfigFile = DEFAULT_FILE, overrides: Overrides = None) -> None:
    """Run the daemon: send Kafka topics to Data 360.

    Sends the configured topics to Data 360 (formerly Data Cloud) until SIGTERM or SIGINT. It then
    finishes the requests in flight, commits and exits; a second signal ends it at once. SIGHUP
    reads the log level again.
    """
    given = settings(config, overrides)
    configure(given.log)
    log = structlog.get_logger("consumer")
    for warning in given.warnings:
        log.warning("config_warning", detail=warning)
    to_its_end(serve(given, read_level=lambda: settings(config, overrides).log.level))
    log.info("daemon_stopped")


def to_its_end(daemon: Coroutine[object, object, Result]) -> Result:
    """Run a coroutine that contains a daemon and return its result.

    The limits of the process are set first.

    Raises: `Fatal` for an unexpected exception, which is logged with its traceback.
    """
    limit_process()
    try:
        return asyncio.run(daemon)
    except ConsumerError:
        raise
    except Exception as error:  # the only place that catches everything
        log = structlog.get_logger("consumer")
        log.exception(
            "internal_error",
            detail="internal error, stopping; uncommitted records will be read again after restart",
        )
        names = " and ".join(dict.fromkeys(type(leaf).__name__ for leaf in leaves_of(error)))
        message = f"{names}, see the log"
        raise Fatal(message) from error
