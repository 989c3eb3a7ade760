"""Prints the result of the demo: tables and a verdict for a person, or one JSON object."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import typer
from rich.console import Console

from consumer.cli.tables import table
from consumer.operations.plurals import count_of

if TYPE_CHECKING:
    from rich.table import Table

    from consumer.operations.demo.demo import DemoResult

_FIGURES = {"records", "count", "times applied", "rows", "expected rows"}


def print_text(result: DemoResult) -> None:
    """Print the tables, then `verified` with its figures, or the differences."""
    console = Console(highlight=False)
    retries = (
        ", ".join(f"{count} after {cause}" for cause, count in sorted(result.retries.items()))
        or "none"
    )
    for part in (
        _records(result),
        _requests(result),
        _faults(result),
        _dead_letters(result),
        _rows(result),
    ):
        console.print(part, "", sep="\n")
    console.print(f"Retries: {retries}. Tokens fetched: {result.token_refreshes}.\n")
    *lines, last = verdict_lines(result)
    colour = "red" if result.differences else "green"
    console.print(*lines, sep="\n", soft_wrap=True, markup=False, style=colour)
    console.print(last, soft_wrap=True, markup=False, style=f"bold {colour}")


def print_json(result: DemoResult) -> None:
    """Print the result as one line of JSON."""
    ledger = result.actual.ledger
    typer.echo(
        orjson.dumps(
            {
                "verified": not result.differences,
                "differences": result.differences,
                "produced": sum(result.expected.ends.values()),
                "ledger": {name: getattr(ledger, name) for name in ledger.__struct_fields__},
                "rows": {name: len(rows) for name, rows in result.actual.rows.items()},
                "dead_letters": [
                    {**one.place._asdict(), "reason": one.reason}
                    for one in result.actual.dead_letters
                ],
                "partitions": len(result.actual.ends),
                "requests": [
                    {"call": call, "status": status, "count": count}
                    for (call, status), count in sorted(result.requests.items())
                ],
                "retries": result.retries,
                "token_refreshes": result.token_refreshes,
                "script": [{"rule": rule, "struck": hits} for rule, hits in result.script],
                "elapsed_s": round(result.elapsed_s, 3),
            }
        ).decode()
    )


def verdict_lines(result: DemoResult) -> list[str]:
    """Return the verdict.

    Shape: the checks and a last line that begins with `verified`, or `not verified` and one line
    for each difference.
    """
    if result.differences:
        return [
            f"not verified: {count_of(len(result.differences), 'difference')}",
            *result.differences,
        ]
    ledger, tables = result.actual.ledger, result.actual.rows
    row_count, dead_letter_count = sum(map(len, tables.values())), len(result.actual.dead_letters)
    rows, partitions = count_of(row_count, "row"), count_of(len(result.actual.ends), "partition")
    sum_of = (
        f"{ledger.accepted:,} accepted + {ledger.conflated:,} conflated"
        f" + {ledger.filtered:,} filtered + {ledger.dead_lettered:,} dead-lettered"
    )
    figures = (
        f"{count_of(ledger.polled, 'record')}, {rows},"
        f" {count_of(dead_letter_count, 'dead letter')}, {partitions}"
    )
    return [
        f"ledger        {ledger.polled:,} = {sum_of}",
        f"tables        {rows} in {count_of(len(tables), 'table')}, all as expected",
        f"dead letters  {dead_letter_count}, all expected, each a byte-for-byte copy",
        f"positions     {partitions} committed up to the end",
        f"verified in {result.elapsed_s:.1f} s: {figures}",
    ]


def _records(result: DemoResult) -> Table:
    ledger = result.actual.ledger
    made = table("Records by outcome", "outcome", "records", "meaning", figures=_FIGURES)
    for name, count, meaning in (
        ("accepted", ledger.accepted, "sent, and the tenant answered 202"),
        (
            "conflated",
            ledger.conflated,
            "a newer change of the same row was sent instead",
        ),
        ("filtered", ledger.filtered, "tombstones after deletes, not needed"),
        ("dead_lettered", ledger.dead_lettered, "invalid, written to the dead-letter topic"),
        ("open", ledger.open, "not settled"),
        ("polled", ledger.polled, "sum of the above"),
    ):
        made.add_row(name, f"{count:,}", meaning)
    return made


def _requests(result: DemoResult) -> Table:
    made = table("Requests to the tenant", "call", "status", "count", figures=_FIGURES)
    for (call, status), count in sorted(result.requests.items()):
        made.add_row(call, str(status), f"{count:,}")
    return made


def _faults(result: DemoResult) -> Table:
    made = table("Faults injected on purpose", "rule", "times applied", figures=_FIGURES)
    for rule, hits in result.script:
        made.add_row(rule, str(hits))
    return made


def _dead_letters(result: DemoResult) -> Table:
    made = table("Dead letters, read back from the broker", "record", "reason", figures=_FIGURES)
    for one in result.actual.dead_letters:
        made.add_row(str(one.place), one.reason)
    return made


def _rows(result: DemoResult) -> Table:
    made = table("Rows in the tenant", "object", "rows", "expected rows", figures=_FIGURES)
    for name, rows in result.actual.rows.items():
        made.add_row(name, f"{len(rows):,}", f"{len(result.expected.rows.get(name, {})):,}")
    return made
