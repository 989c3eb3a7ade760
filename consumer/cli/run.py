"""`run`: the daemon."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

import structlog

from consumer.admin.log import configure
from consumer.app.serve import serve
from consumer.cli.options import DEFAULT_FILE, ConfigFile, Overrides, settings
from consumer.errors import ConsumerError, Fatal

if TYPE_CHECKING:
    from collections.abc import Coroutine

    import typer

Result = TypeVar("Result")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("run")(run)


def run(*, config: ConfigFile = DEFAULT_FILE, overrides: Overrides = None) -> None:
    """Carry the topics of the configuration into Data Cloud until told to stop."""
    given = settings(config, overrides)
    configure(given.log)
    log = structlog.get_logger("consumer")
    for warning in given.warnings:
        log.warning("config_warning", detail=warning)
    to_its_end(serve(given, read_level=lambda: settings(config, overrides).log.level))
    log.info("daemon_stopped")


def to_its_end(daemon: Coroutine[object, object, Result]) -> Result:
    """Run something that has a daemon in it, and return what it returns.

    Raises: `Fatal` for an error of ours that nothing foresaw; it is in the log then.
    """
    try:
        return asyncio.run(daemon)
    except ConsumerError:
        raise
    except Exception as error:  # the one place: an error of ours, said in full, exit 70
        log = structlog.get_logger("consumer")
        log.exception(
            "internal_error",
            detail="internal error, stopping; uncommitted records will be read again after restart",
        )
        message = f"{type(error).__name__}, see the log"
        raise Fatal(message) from error
