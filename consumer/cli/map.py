"""`map`: read records on standard input, print the mapped changes, use no network."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from consumer.cli.exits import ExitCode
from consumer.cli.options import DEFAULT_FILE, ConfigFile, Overrides, mapping_settings
from consumer.clock import SystemClock
from consumer.decoding.schema_cache import SchemaCache
from consumer.mapping.routing import RouteTable
from consumer.operations.mapped_lines import DEAD_LETTER, outcomes
from consumer.operations.record_lines import UnreadableLine, record_of_line


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("map")(map_records)


def map_records(
    config: ConfigFile = DEFAULT_FILE,
    overrides: Overrides = None,
    *,
    topic: Annotated[
        str | None, typer.Option("--topic", help="Topic of the lines that have no topic.")
    ] = None,
) -> None:
    """Map the records on standard input and print the changes.

    Each input line is one record: an object as `kcat -J` prints it, or {"key": ..., "value": ...}.
    Each output line is one change, filtered record or dead letter. Uses no network, and needs only
    the sections connector and routes. Exits with 1 if there is a dead letter.
    """
    loaded = mapping_settings(config, overrides)
    routes = RouteTable(
        loaded.routes,
        loaded.connector.name,
        loaded.connector.objects,
        SchemaCache(loaded.registry_type),
    )
    clock = SystemClock()
    dead_letters = 0
    for number, line in enumerate(typer.get_binary_stream("stdin"), start=1):
        if not line.strip():
            continue
        # The outcomes of earlier lines are printed by now, so a pipe can be read while it is fed.
        try:
            record = record_of_line(line, topic)
        except UnreadableLine as error:
            typer.echo(f"line {number}: {error}", err=True)
            raise typer.Exit(ExitCode.WRONG_USAGE) from None
        for outcome in outcomes(routes, record, clock.wall_ms(), loaded.delivery.batch_bytes):
            dead_letters += outcome["outcome"] == DEAD_LETTER
            typer.echo(msgspec.json.encode(outcome))
    if dead_letters:
        raise typer.Exit(ExitCode.FINDINGS)
