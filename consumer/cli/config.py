"""`config show`, `schema`, `reference` and `init`: print, describe and create configurations."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from consumer.cli.config_init import init
from consumer.cli.options import DEFAULT_FILE, ConfigFile, Output, OutputFormat, Overrides
from consumer.config import documents
from consumer.config.effective import lines
from consumer.config.load import inspect
from consumer.errors import ConfigFaults

if TYPE_CHECKING:
    from consumer.config.effective import EffectiveSetting


def register(app: typer.Typer) -> None:
    """Add the verb with its subcommands."""
    verb = typer.Typer(help="Show, document or create a configuration file.", no_args_is_help=True)
    verb.command("show")(show)
    verb.command("schema")(schema)
    verb.command("reference")(reference)
    verb.command("init")(init)
    app.add_typer(verb, name="config")


def show(
    config: ConfigFile = DEFAULT_FILE,
    overrides: Overrides = None,
    *,
    origin: Annotated[
        bool,
        typer.Option(
            "--origin",
            help="Show where each value comes from: --set, environment, file or default.",
        ),
    ] = False,
    output: OutputFormat = Output.TEXT,
) -> None:
    """Print the effective settings, with secrets masked.

    Defaults are included.
    """
    found = inspect(config, environ=os.environ, overrides=overrides or [])
    if found.settings is None or found.tree is None:
        raise ConfigFaults([str(fault) for fault in found.faults])
    effective = list(lines(found.tree))
    if output is Output.JSON:
        typer.echo(
            orjson.dumps(
                {
                    "config_sha256": found.settings.config_sha256,
                    "settings": [_entry(line, origin=origin) for line in effective],
                },
                option=orjson.OPT_INDENT_2,
            ).decode()
        )
        return
    for line in effective:
        value = orjson.dumps(line.value).decode() if not isinstance(line.value, str) else line.value
        typer.echo(f"{line.path} = {value}{f'  # {line.origin}' if origin else ''}")
    typer.echo(f"# config_sha256 {found.settings.config_sha256}")


def _entry(line: EffectiveSetting, *, origin: bool) -> dict[str, object]:
    """Return one setting as it is printed in JSON."""
    entry: dict[str, object] = {"path": line.path, "value": line.value}
    return {**entry, "origin": line.origin} if origin else entry


def schema() -> None:
    """Print the JSON Schema of the configuration file."""
    typer.echo(orjson.dumps(documents.json_schema(), option=orjson.OPT_INDENT_2).decode())


def reference() -> None:
    """Print the reference of all configuration keys as Markdown."""
    typer.echo(documents.reference(), nl=False)
