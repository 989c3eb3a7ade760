"""`lint`: every fault of configuration and connector schema.

Without network unless a sample is asked for.
"""

from __future__ import annotations

import os
from pathlib import Path  # noqa: TC003 - the option's type is read at run time
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from consumer.cli.exits import CONFIG_FAULTS, FINDINGS
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

if TYPE_CHECKING:
    from consumer.cli.lint_sample import SampleReport
    from consumer.config.findings import Finding


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("lint")(lint)


def lint(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE]...", help="Files to check.")
    ] = None,
    config: ConfigFile = DEFAULT_FILE,
    overrides: Overrides = None,
    *,
    deny_warnings: Annotated[
        bool, typer.Option("--deny-warnings", help="Exit 1 when there is a warning.")
    ] = False,
    sample: Annotated[
        bool,
        typer.Option(
            "--sample",
            help="Read the newest records of each topic, and say what would become of them.",
        ),
    ] = False,
    records: RecordsOption = RECORDS,
    output: OutputFormat = Output.TEXT,
) -> None:
    """Say everything that is wrong with a configuration: place, what was seen, what to write."""
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
    if any(found.settings is None for found in inspections.values()):
        raise typer.Exit(CONFIG_FAULTS)
    warned = any(found.warnings for found in inspections.values()) or any(
        one.warnings for one in sampled.values()
    )
    if deny_warnings and warned:
        raise typer.Exit(FINDINGS)


def _lines(file: Path, found: Inspection, sampled: SampleReport | None) -> list[str]:
    """Write one file's findings as text."""
    warnings = [
        f"{warning.place}: {warning.path}: warning: {warning.text}" for warning in found.warnings
    ]
    warnings += sampled.lines if sampled is not None else []
    if found.settings is None:
        count = len(found.faults)
        return [
            *map(str, found.faults),
            *warnings,
            f"{file}: {count} {'fault' if count == 1 else 'faults'}",
        ]
    routes = ", ".join(
        f"{' '.join(route.topics)} -> {route.object}" for route in found.settings.routes
    )
    return [*warnings, f"{file}: ok: {routes}"]


def _report(file: Path, found: Inspection, sampled: SampleReport | None) -> dict[str, object]:
    """Write one file's findings as a JSON value."""
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
    """Write one finding as a JSON value.

    Without a file its source is the option or the variable.
    """
    place = fault.place
    where: dict[str, object] = (
        {"file": place.source, "line": place.line, "column": place.column}
        if place.line
        else {"source": place.source}
    )
    return {**where, "path": fault.path, "message": fault.text}
