"""`status`: what a running daemon is doing, and with `--ledger` whether its books are right."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - the option's type is read at run time
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from consumer.admin.client import NoReport, report_of
from consumer.admin.port import Accounts
from consumer.cli.exits import FINDINGS
from consumer.cli.options import DEFAULT_FILE, ConfigFile, Output, OutputFormat, Overrides, settings
from consumer.cli.status_tables import print_ledger, print_report
from consumer.config.sections import admin_at
from consumer.operations.ledger_check import differences

if TYPE_CHECKING:
    from consumer.admin.port import StatusReport
    from consumer.admin.settings import AdminSettings


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("status")(status)


def status(
    config: ConfigFile = DEFAULT_FILE,
    overrides: Overrides = None,
    *,
    at: Annotated[
        str | None,
        typer.Option(
            "--at", metavar="HOST:PORT", help="Admin port to ask; else the file's admin.listen."
        ),
    ] = None,
    ledger: Annotated[
        bool,
        typer.Option(
            "--ledger",
            help="Every record's whereabouts, by partition and by object; exit 1 if it is off.",
        ),
    ] = False,
    output: OutputFormat = Output.TEXT,
) -> None:
    """Say what a running daemon is doing.

    State, holds, partitions, bulk jobs, and what became of its records.
    """
    try:
        report = report_of(_address(at, config, overrides))
    except NoReport as silence:
        typer.echo(str(silence), err=True)
        raise typer.Exit(FINDINGS) from silence
    off = differences(report) if ledger else []
    if output is Output.JSON:
        typer.echo(msgspec.json.encode(_value(report, off, ledger=ledger)).decode())
    elif ledger:
        print_ledger(report, off)
    else:
        print_report(report)
    if off:
        raise typer.Exit(FINDINGS)


def _address(at: str | None, config: Path, overrides: list[str] | None) -> AdminSettings:
    """Return whom to ask: the option decides, so that no file is needed."""
    if at is None:
        return settings(config, overrides).admin
    address = admin_at(at)
    if address is None:
        message = f"{at}: expected host:port such as 127.0.0.1:8080"
        raise typer.BadParameter(message, param_hint="--at")
    return address


def _value(report: StatusReport, off: list[str], *, ledger: bool) -> dict[str, Any]:
    """Return what is printed as JSON.

    `/status` as it stands, or the books and what is wrong with them.
    """
    if not ledger:
        told: dict[str, Any] = msgspec.to_builtins(report)
        del told["accounts"]
        return told
    return {
        "adds_up": not off,
        "differences": off,
        "total": msgspec.to_builtins(report.ledger),
        **msgspec.to_builtins(report.accounts or Accounts()),
    }
