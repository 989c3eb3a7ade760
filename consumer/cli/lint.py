"""`lint`: every fault of configuration and connector schema, without network."""

from __future__ import annotations

import os
from pathlib import Path  # noqa: TC003 - the option's type is read at run time
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from consumer.cli.exits import CONFIG_FAULTS, FINDINGS
from consumer.cli.options import DEFAULT_FILE, ConfigFile, Output, OutputFormat, Overrides
from consumer.config.load import Inspection, inspect

if TYPE_CHECKING:
    from consumer.config.findings import Fault


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("lint")(lint)


def lint(
    files: Annotated[list[Path] | None, typer.Argument(metavar="[FILE]...", help="Files to check.")] = None,
    config: ConfigFile = DEFAULT_FILE,
    overrides: Overrides = None,
    *,
    deny_warnings: Annotated[bool, typer.Option("--deny-warnings", help="Exit 1 when there is a warning.")] = False,
    output: OutputFormat = Output.TEXT,
) -> None:
    """Say everything that is wrong with a configuration: place, what was seen, what to write."""
    inspections = {file: inspect(file, environ=os.environ, overrides=overrides or []) for file in files or [config]}
    if output is Output.JSON:
        typer.echo(orjson.dumps([_report(file, found) for file, found in inspections.items()]).decode())
    else:
        for file, found in inspections.items():
            for line in _lines(file, found):
                typer.echo(line)
    if any(found.settings is None for found in inspections.values()):
        raise typer.Exit(CONFIG_FAULTS)
    if deny_warnings and any(found.warnings for found in inspections.values()):
        raise typer.Exit(FINDINGS)


def _lines(file: Path, found: Inspection) -> list[str]:
    """Write one file's findings as text."""
    warnings = [f"{warning.place}: {warning.path}: warning: {warning.text}" for warning in found.warnings]
    if found.settings is None:
        count = len(found.faults)
        return [*map(str, found.faults), *warnings, f"{file}: {count} {'fault' if count == 1 else 'faults'}"]
    routes = ", ".join(f"{' '.join(route.topics)} -> {route.object}" for route in found.settings.routes)
    return [*warnings, f"{file}: ok: {routes}"]


def _report(file: Path, found: Inspection) -> dict[str, object]:
    """Write one file's findings as a JSON value."""
    return {
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


def _finding(fault: Fault) -> dict[str, object]:
    """Write one finding as a JSON value; without a file its source is the option or the variable."""
    place = fault.place
    where: dict[str, object] = (
        {"file": place.source, "line": place.line, "column": place.column}
        if place.line
        else {"source": place.source}
    )
    return {**where, "path": fault.path, "message": fault.text}
