"""`lint`: report every fault of the configuration and the connector schema, with its place."""

from __future__ import annotations

import os
from pathlib import Path  # noqa: TC003 - the option's type is read at run time
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from consumer.cli.exits import ExitCode
from consumer.cli.lint_sample import sample_of
from consumer.cli.options import (
    DEFAULT_FILE,
    RECORDS,
    ConfigFile,
    Output,
    OutputFormat,
    Overrides,
    RecordsOption,
)
from consumer.config.load import Inspection, inspect
from consumer.operations.plurals import count_of

if TYPE_CHECKING:
    from consumer.cli.lint_sample import SampleReport
    from consumer.config.findings import Finding


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("lint")(lint)


def lint(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", help="Files to check instead of --config."),
    ] = None,
    config: ConfigFile = DEFAULT_FILE,
    overrides: Overrides = None,
    *,
    deny_warnings: Annotated[
        bool, typer.Option("--deny-warnings", help="Exit with 1 if there is a warning.")
    ] = False,
    sample: Annotated[
        bool,
        typer.Option(
            "--sample",
            help="Also read the newest records of each topic and map them, sending nothing.",
        ),
    ] = False,
    records: RecordsOption = RECORDS,
    output: OutputFormat = Output.TEXT,
) -> None:
    """Check a configuration and report every fault with its place.

    Each line has the file, line and column, the key, the expected and the actual value, and how to
    fix it. Uses no network, unless --sample is given, so it cannot see which schema is deployed in
    Data 360: a field that is missing there is accepted, and its value is lost. With --sample it
    exits with 1 if the share of dead letters in a sample reaches dead_letter.fuse.ratio, or as many
    in a row as dead_letter.fuse.consecutive.
    """
    inspections = {
        file: inspect(file, environ=os.environ, overrides=overrides or [])
        for file in files or [config]
    }
    sampled = {
        file: sample_of(found.settings, records)
        for file, found in inspections.items()
        if sample and found.settings is not None
    }
    if output is Output.JSON:
        reports = [_report(file, found, sampled.get(file)) for file, found in inspections.items()]
        typer.echo(orjson.dumps(reports).decode())
    else:
        for file, found in inspections.items():
            typer.echo("\n".join(_lines(file, found, sampled.get(file))))
    # Faults weigh more than warnings, also if they are in different files.
    if any(found.settings is None for found in inspections.values()):
        raise typer.Exit(ExitCode.CONFIG_FAULTS)
    warned = any(found.warnings for found in inspections.values()) or any(
        one.warnings for one in sampled.values()
    )
    beyond_fuse = any(one.beyond_fuse for one in sampled.values())
    if beyond_fuse or (deny_warnings and warned):
        raise typer.Exit(ExitCode.FINDINGS)


def _lines(file: Path, found: Inspection, sampled: SampleReport | None) -> list[str]:
    """Return one file's findings as lines of text."""
    warnings = [
        f"{warning.place}: {warning.path}: warning: {warning.text}" for warning in found.warnings
    ]
    warnings += sampled.lines if sampled is not None else []
    if found.settings is None:
        return [
            *map(str, found.faults),
            *warnings,
            f"{file}: {count_of(len(found.faults), 'fault')}",
        ]
    routes = ", ".join(
        f"{' '.join(route.topics)} -> {route.object}" for route in found.settings.routes
    )
    return [*warnings, f"{file}: ok: {routes}"]


def _report(file: Path, found: Inspection, sampled: SampleReport | None) -> dict[str, object]:
    """Return one file's findings as they are printed in JSON."""
    return {
        **({"sample": sampled.value} if sampled is not None else {}),
        "file": str(file),
        "ok": found.settings is not None,
        "faults": [_finding(fault) for fault in found.faults],
        "warnings": [_finding(warning) for warning in found.warnings],
        "config_sha256": found.settings.config_sha256 if found.settings else None,
        "routes": [
            {"topics": route.topics, "object": route.object}
            for route in (found.settings.routes if found.settings else ())
        ],
    }


def _finding(fault: Finding) -> dict[str, object]:
    """Return one finding as it is printed in JSON.

    Shape: `file`, `line` and `column`, or `source` if the value comes from an option or an
    environment variable.
    """
    place = fault.place
    where: dict[str, object] = (
        {"file": place.source, "line": place.line, "column": place.column}
        if place.line
        else {"source": place.source}
    )
    return {**where, "path": fault.path, "message": fault.text}
