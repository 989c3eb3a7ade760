"""The command line: one file per verb, arguments in, text or JSON out.

How this works

    datacloud-consumer VERB [OPTIONS]
        │
        ▼
    main() ── app (typer) ── the verb's file ── consumer.app         run, demo
        ▲                        │              consumer.operations  replay, test, ...
        │                        │              consumer.config      lint, config
        │                        ▼
        │                    stdout: facts, as text or JSON (--output)
        │                    stderr: progress, logs, errors
        └── an exception of the verb becomes an exit code

Words: a *verb* is a subcommand. Its file has `register(app)`, and `VERBS` lists the files in the
order of `--help`. A verb whose output is long has further files: `demo_result`, `lint_sample`,
`status_tables`. `options` declares the options that several verbs share.

Exit codes, all in `exits`:

    0   success                        70  fatal error of the program (`Fatal`)
    1   findings, or `Refusal`         77  credentials refused (`CredentialsRefused`)
    2   wrong usage (typer)            78  faults in the configuration (`ConfigFaults`)

A verb prints its findings itself and then raises `typer.Exit(ExitCode.FINDINGS)`. All other codes
are made from the exception type, here in `main` and nowhere else.

What may never happen: a fact on standard error or progress on standard output; colours or bars
without a terminal; a value of a Kafka record or a secret in a message.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from consumer import __version__
from consumer.cli import backfill, config, demo, lint, map, replay, run, sandbox, status, test  # noqa: A004 - a verb
from consumer.cli.exits import ExitCode
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


def _print_version(requested: bool) -> None:  # noqa: FBT001 - the signature of an option's callback
    """Print the version and exit."""
    if requested:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _program(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Send change events from Kafka topics to Salesforce Data 360 (formerly Data Cloud)."""


for _verb in VERBS:
    _verb.register(app)


def main() -> None:
    """Run the verb on the command line and exit with a code from `exits`."""
    try:
        app()
    except ConfigFaults as faults:
        _exit(str(faults), ExitCode.CONFIG_FAULTS)
    except CredentialsRefused as refused:
        _exit(str(refused), ExitCode.CREDENTIALS_REFUSED)
    except Refusal as refusal:
        _exit(str(refusal), ExitCode.FINDINGS)
    except Fatal as fatal:
        _exit(f"fatal: {fatal}", ExitCode.FATAL)


def _exit(text: str, code: int) -> None:
    """Print a message on standard error and exit."""
    typer.echo(text, err=True)
    sys.exit(code)
