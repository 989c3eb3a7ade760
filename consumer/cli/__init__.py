"""The door: one file per verb, arguments in, text or JSON out.

A verb's file has `register(app)`, and stands in `VERBS` in the order of the help. What a verb
raises becomes an exit code here, once.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from consumer import __version__
from consumer.cli import backfill, config, demo, lint, map, replay, run, sandbox, status, test  # noqa: A004 - a verb
from consumer.cli.exits import CONFIG_FAULTS, CREDENTIALS_REFUSED, FATAL, FINDINGS
from consumer.errors import ConfigFaults, CredentialsRefused, Fatal, Refusal

VERBS = (run, demo, sandbox, lint, map, test, status, replay, backfill, config)

app = typer.Typer(
    name="datacloud-consumer",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - the shape of an option's callback
    """Print the version and end."""
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _program(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and end."
        ),
    ] = False,
) -> None:
    """Carry Kafka change-data-capture and event topics into Salesforce Data Cloud."""


for _verb in VERBS:
    _verb.register(app)


def main() -> None:
    """Run the verb on the command line.

    Every outcome but success is an exit code of the table in `exits`.
    """
    try:
        app()
    except ConfigFaults as faults:
        _end(str(faults), CONFIG_FAULTS)
    except CredentialsRefused as refused:
        _end(str(refused), CREDENTIALS_REFUSED)
    except Refusal as refusal:
        _end(str(refusal), FINDINGS)
    except Fatal as fatal:
        _end(f"fatal: {fatal}", FATAL)


def _end(text: str, code: int) -> None:
    """Print to standard error and exit."""
    typer.echo(text, err=True)
    sys.exit(code)
