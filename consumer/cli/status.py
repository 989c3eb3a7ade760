"""`status`: show the state of a running daemon; with `--ledger`, check that its counts add up."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - the option's type is read at run time
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from consumer.admin.client import NoReport, report_of
from consumer.admin.port import Accounts
from consumer.cli.exits import ExitCode
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
            "--at",
            metavar="HOST:PORT",
            help="Admin port of the daemon. Without it, admin.listen of the configuration.",
        ),
    ] = None,
    ledger: Annotated[
        bool,
        typer.Option(
            "--ledger",
            help=(
                "Show what happened to every record, by partition and by object. Exits with 1 if"
                " the totals do not match."
            ),
        ),
    ] = False,
    output: OutputFormat = Output.TEXT,
) -> None:
    """Show the state of a running daemon.

    Prints its holds, its partitions with position and lag, and its bulk jobs.
    """
    try:
        report = report_of(_address(at, config, overrides))
    except NoReport as silence:
        typer.echo(str(silence), err=True)
        raise typer.Exit(ExitCode.FINDINGS) from silence
    found = differences(report) if ledger else []
    if output is Output.JSON:
        typer.echo(msgspec.json.encode(_value(report, found, ledger=ledger)).decode())
    elif ledger:
        print_ledger(report, found)
    else:
        print_report(report)
    if found:
        raise typer.Exit(ExitCode.FINDINGS)


def _address(at: str | None, config: Path, overrides: list[str] | None) -> AdminSettings:
    """Return the admin port to call. With `--at` no configuration file is read."""
    if at is None:
        return settings(config, overrides).admin
    address = admin_at(at)
    if address is None:
        message = f"{at}: expected host:port such as 127.0.0.1:8080"
        raise typer.BadParameter(message, param_hint="--at")
    return address


def _value(report: StatusReport, found: list[str], *, ledger: bool) -> dict[str, Any]:
    """Return the JSON output: the body of `/status`, or the ledger with its differences."""
    if not ledger:
        body: dict[str, Any] = msgspec.to_builtins(report)
        del body["accounts"]
        return body
    return {
        "adds_up": not found,
        "differences": found,
        "total": msgspec.to_builtins(report.ledger),
        **msgspec.to_builtins(report.accounts or Accounts()),
    }
