"""`test`: run the mapping tests beside the configuration, without network."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - the option's type is read at run time
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from consumer.cli.exits import ExitCode
from consumer.cli.options import (
    DEFAULT_FILE,
    ConfigFile,
    Output,
    OutputFormat,
    Overrides,
    mapping_settings,
)
from consumer.config.findings import Findings
from consumer.errors import ConfigFaults
from consumer.operations.mapping_tests.files import SUFFIX, read_tests, tests_beside
from consumer.operations.mapping_tests.runner import TestRunResult, run_tests
from consumer.operations.plurals import count_of

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
            metavar="FILE",
            help=f"Test files. Without any, every *{SUFFIX} in the configuration's folder.",
        ),
    ] = None,
    config: ConfigFile = DEFAULT_FILE,
    overrides: Overrides = None,
    *,
    output: OutputFormat = Output.TEXT,
) -> None:
    """Run the mapping tests beside the configuration.

    A test has a record and the changes that the configuration must map it to. Prints every
    difference with file, line and column, and the fields and outcomes that no test covers. Uses no
    network, and needs only the sections connector and routes. Exits with 1 if a test fails.
    """
    loaded = mapping_settings(config, overrides)
    paths = files or tests_beside(config)
    if not paths:
        message = (
            f"{config}: expected a *{SUFFIX} file in the same folder, got none; write one, or give"
            f" the file as an argument"
        )
        raise ConfigFaults([message])
    findings = Findings()
    objects = {route.object: loaded.described(route) for route in loaded.routes}
    tests = [test for path in paths for test in read_tests(path, objects, findings)]
    if findings.faults:
        raise ConfigFaults([str(fault) for fault in findings.faults])
    ran = run_tests(loaded, tests)
    typer.echo(_report(ran) if output is Output.JSON else "\n".join(_lines(ran)))
    if ran.failed:
        raise typer.Exit(ExitCode.FINDINGS)


def _lines(ran: TestRunResult) -> list[str]:
    """Return the result as text: tests, gaps in the coverage, and a last line with the counts."""
    lines = []
    for result in ran.results:
        test = result.test
        if result.differences:
            lines.append(f"{test.place}: failed: {test.name}")
            lines += [f"  {difference.place}: {difference}" for difference in result.differences]
        else:
            lines.append(f"{test.place}: passed: {test.name}")
    lines += [
        f"{one.route.place}: not covered: {_named(one)}: {missed}"
        for one in ran.coverage
        if (missed := _missed(one))
    ]
    count = len(ran.results)
    return [
        *lines,
        f"{count_of(count, 'test')}: {count - ran.failed} passed, {ran.failed} failed",
    ]


def _named(coverage: Coverage) -> str:
    return f"{' '.join(coverage.route.topics)} -> {coverage.route.object}"


def _missed(coverage: Coverage) -> str:
    """Return the fields and outcomes that no test covers; empty if all are covered."""
    parts = (("fields", coverage.fields_missed), ("outcomes", coverage.outcomes_missed))
    return "; ".join(f"{kind} {', '.join(names)}" for kind, names in parts if names)


def _report(ran: TestRunResult) -> str:
    """Return the result as one JSON object."""
    return orjson.dumps(
        {
            "tests": [_result(result) for result in ran.results],
            "passed": len(ran.results) - ran.failed,
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


def _result(result: MappingTestResult) -> dict[str, object]:
    test = result.test
    return {
        **_where(test.place),
        "name": test.name,
        "passed": not result.differences,
        "differences": [
            {**_where(one.place), "path": one.path, "expected": one.expected, "got": one.got}
            for one in result.differences
        ],
    }


def _where(place: Location) -> dict[str, object]:
    return {"file": place.source, "line": place.line, "column": place.column}
