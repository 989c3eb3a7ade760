"""The result of the demonstration on standard output.

Tables and a verdict for a person, or one JSON object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import typer
from rich.console import Console

from consumer.cli.tables import table

if TYPE_CHECKING:
    from rich.table import Table

    from consumer.operations.demo.demo import DemoResult

_FIGURES = {"records", "count", "struck", "rows"}


def print_text(outcome: DemoResult) -> None:
    """Print what happened, and `verified` with its figures or what differs."""
    console = Console(highlight=False)
    retries = (
        ", ".join(f"{count} after {cause}" for cause, count in sorted(outcome.retries.items()))
        or "none"
    )
    for part in (
        _records(outcome),
        _requests(outcome),
        _script(outcome),
        _letters(outcome),
        _rows(outcome),
    ):
        console.print(part, "", sep="\n")
    console.print(f"Retries: {retries}. Tokens fetched: {outcome.token_refreshes}.\n")
    *lines, last = verdict_lines(outcome)
    colour = "red" if outcome.differences else "green"
    console.print(*lines, sep="\n", soft_wrap=True, markup=False, style=colour)
    console.print(last, soft_wrap=True, markup=False, style=f"bold {colour}")


def print_json(outcome: DemoResult) -> None:
    """Print the same as one line of JSON."""
    ledger = outcome.evidence.ledger
    typer.echo(
        orjson.dumps(
            {
                "verified": not outcome.differences,
                "differences": outcome.differences,
                "produced": sum(outcome.expected.ends.values()),
                "ledger": {name: getattr(ledger, name) for name in ledger.__struct_fields__},
                "rows": {name: len(rows) for name, rows in outcome.evidence.rows.items()},
                "dead_letters": [
                    {**letter.place._asdict(), "reason": letter.reason}
                    for letter in outcome.evidence.letters
                ],
                "partitions": len(outcome.evidence.ends),
                "requests": [
                    {"call": call, "status": status, "count": count}
                    for (call, status), count in sorted(outcome.requests.items())
                ],
                "retries": outcome.retries,
                "token_refreshes": outcome.token_refreshes,
                "script": [{"rule": rule, "struck": hits} for rule, hits in outcome.script],
                "elapsed_s": round(outcome.elapsed_s, 3),
            }
        ).decode()
    )


def verdict_lines(outcome: DemoResult) -> list[str]:
    """Return the last lines: what was checked and one that begins with `verified`.

    Or every difference.
    """
    if outcome.differences:
        count = len(outcome.differences)
        return [
            f"not verified: {count} {'difference' if count == 1 else 'differences'}",
            *outcome.differences,
        ]
    ledger, tables = outcome.evidence.ledger, outcome.evidence.rows
    row_count, letter_count = sum(map(len, tables.values())), len(outcome.evidence.letters)
    partition_count = len(outcome.evidence.ends)
    sum_of = (
        f"{ledger.accepted:,} accepted + {ledger.conflated:,} conflated + {ledger.filtered:,}"
        f" filtered"
    )
    figures = (
        f"{ledger.polled:,} records, {row_count:,} rows, {letter_count} dead letters,"
        f" {partition_count} partitions"
    )
    return [
        f"ledger        {ledger.polled:,} = {sum_of} + {ledger.dead_lettered:,} dead-lettered",
        f"tables        {row_count:,} rows in {len(tables)} tables equal the fold of the log",
        f"dead letters  {letter_count}, the expected ones, byte for byte",
        f"positions     {partition_count} partitions committed at their ends",
        f"verified in {outcome.elapsed_s:.1f} s: {figures}",
    ]


def _records(outcome: DemoResult) -> Table:
    ledger = outcome.evidence.ledger
    made = table(
        "Records, by what became of them", "outcome", "records", "meaning", figures=_FIGURES
    )
    for name, count, meaning in (
        ("accepted", ledger.accepted, "sent, and answered 202"),
        ("conflated", ledger.conflated, "replaced by a newer change of the row before sent"),
        ("filtered", ledger.filtered, "tombstones after deletes: they say nothing new"),
        ("dead_lettered", ledger.dead_lettered, "could not be placed; in the dead-letter topic"),
        ("open", ledger.open, "not settled"),
        ("polled", ledger.polled, "the sum of the above"),
    ):
        made.add_row(name, f"{count:,}", meaning)
    return made


def _requests(outcome: DemoResult) -> Table:
    made = table("Requests at the tenant", "call", "status", "count", figures=_FIGURES)
    for (call, status), count in sorted(outcome.requests.items()):
        made.add_row(call, str(status), f"{count:,}")
    return made


def _script(outcome: DemoResult) -> Table:
    made = table("What went wrong on purpose", "fault", "struck", figures=_FIGURES)
    for rule, hits in outcome.script:
        made.add_row(rule, str(hits))
    return made


def _letters(outcome: DemoResult) -> Table:
    made = table("Dead letters, read back from the broker", "record", "reason", figures=_FIGURES)
    for letter in outcome.evidence.letters:
        made.add_row(str(letter.place), letter.reason)
    return made


def _rows(outcome: DemoResult) -> Table:
    made = table("Rows at the tenant", "object", "rows", "the log's fold has", figures=_FIGURES)
    for name, rows in outcome.evidence.rows.items():
        made.add_row(name, f"{len(rows):,}", f"{len(outcome.expected.rows.get(name, {})):,}")
    return made
