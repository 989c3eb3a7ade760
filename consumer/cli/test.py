"""`test`: mapping tests written beside the configuration, without network."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - the option's type is read at run time
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from consumer.cli.exits import FINDINGS
from consumer.cli.options import DEFAULT_FILE, ConfigFile, Output, OutputFormat, Overrides, settings
from consumer.config.findings import Findings
from consumer.errors import ConfigFaults
from consumer.operations.mapping_tests.files import SUFFIX, read_tests, tests_beside
from consumer.operations.mapping_tests.runner import TestRunResult, run_tests

if TYPE_CHECKING:
    from consumer.config.findings import Location
    from consumer.operations.mapping_tests.coverage import Coverage
    from consumer.operations.mapping_tests.runner import MappingTestResult


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("test")(run_files)


def run_files(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE]...",
            help=f"Files of tests; else every *{SUFFIX} beside the configuration.",
        ),
    ] = None,
    config: ConfigFile = DEFAULT_FILE,
    overrides: Overrides = None,
    *,
    output: OutputFormat = Output.TEXT,
) -> None:
    """Say whether records become what the tests expect, and what of the routes no test looks at."""
    loaded = settings(config, overrides)
    paths = files or tests_beside(config)
    if not paths:
        message = f"{config}: no *{SUFFIX} beside it; write one, or name the file"
        raise ConfigFaults([message])
    findings = Findings()
    objects = {route.object: loaded.described(route) for route in loaded.routes}
    tests = [test for path in paths for test in read_tests(path, objects, findings)]
    if findings.faults:
        raise ConfigFaults([str(fault) for fault in findings.faults])
    ran = run_tests(loaded, tests)
    typer.echo(_report(ran) if output is Output.JSON else "\n".join(_lines(ran)))
    if ran.failed:
        raise typer.Exit(FINDINGS)


def _lines(ran: TestRunResult) -> list[str]:
    """Write the outcome as text.

    What differs, what no test covers, and the figures as the last line.
    """
    lines = []
    for verdict in ran.verdicts:
        test = verdict.test
        if verdict.differences:
            lines.append(f"{test.place}: failed: {test.name}")
            lines += [f"  {difference.place}: {difference}" for difference in verdict.differences]
        else:
            lines.append(f"{test.place}: passed: {test.name}")
    lines += [
        f"{one.route.place}: not covered: {_named(one)}: {what}"
        for one in ran.coverage
        if (what := _missed(one))
    ]
    count = len(ran.verdicts)
    return [
        *lines,
        (
            f"{count} {'test' if count == 1 else 'tests'}: {count - ran.failed} passed,"
            f" {ran.failed} failed"
        ),
    ]


def _named(coverage: Coverage) -> str:
    return f"{' '.join(coverage.route.topics)} -> {coverage.route.object}"


def _missed(coverage: Coverage) -> str:
    """Name fields and outcomes that no test covers; empty when there is none."""
    parts = (("fields", coverage.fields_missed), ("outcomes", coverage.outcomes_missed))
    return "; ".join(f"{what} {', '.join(names)}" for what, names in parts if names)


def _report(ran: TestRunResult) -> str:
    """Write the same as one JSON object."""
    return orjson.dumps(
        {
            "tests": [_verdict(verdict) for verdict in ran.verdicts],
            "passed": len(ran.verdicts) - ran.failed,
            "failed": ran.failed,
            "not_covered": [
                {
                    "route": one.route.place,
                    "topics": one.route.topics,
                    "object": one.route.object,
                    "fields": one.fields_missed,
                    "outcomes": one.outcomes_missed,
                }
                for one in ran.coverage
            ],
        }
    ).decode()


def _verdict(verdict: MappingTestResult) -> dict[str, object]:
    test = verdict.test
    return {
        **_where(test.place),
        "name": test.name,
        "passed": not verdict.differences,
        "differences": [
            {**_where(one.place), "path": one.path, "expected": one.expected, "got": one.got}
            for one in verdict.differences
        ],
    }


def _where(place: Location) -> dict[str, object]:
    return {"file": place.source, "line": place.line, "column": place.column}
