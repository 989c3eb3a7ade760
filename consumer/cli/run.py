"""`run`: the daemon."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from consumer.admin.log import configure
from consumer.cli.options import DEFAULT_FILE, ConfigFile, Overrides, settings
from consumer.errors import ConsumerError, Fatal
from consumer.serve import serve

if TYPE_CHECKING:
    import typer


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("run")(run)


def run(*, config: ConfigFile = DEFAULT_FILE, overrides: Overrides = None) -> None:
    """Carry the topics of the configuration into Data Cloud until told to stop."""
    given = settings(config, overrides)
    configure(given.log)
    log = structlog.get_logger("consumer")
    for warning in given.warnings:
        log.warning("configuration", finding=warning)
    try:
        asyncio.run(serve(given, read_level=lambda: settings(config, overrides).log.level))
    except ConsumerError:
        raise
    except Exception as error:  # the one place: an error of ours, said in full, exit 70
        log.exception("broken; nothing more was committed, the next start reads it again")
        message = f"{type(error).__name__}, see the log"
        raise Fatal(message) from error
    log.info("stopped")
