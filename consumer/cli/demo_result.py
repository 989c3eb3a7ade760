"""The result of the demonstration on standard output: tables and a verdict for a person, or one JSON object."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import typer
from rich import box
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from consumer.operations.demonstration import Outcome


def print_text(outcome: Outcome) -> None:
    """Print what happened, and `verified` with its figures or what differs."""
    console = Console(highlight=False)
    retries = ", ".join(f"{count} after {cause}" for cause, count in sorted(outcome.retries.items())) or "none"
    for table in (_records(outcome), _requests(outcome), _script(outcome), _letters(outcome), _rows(outcome)):
        console.print(table, "", sep="\n")
    console.print(f"Retries: {retries}. Tokens fetched: {outcome.token_refreshes}.\n")
    *lines, last = verdict_lines(outcome)
    colour = "red" if outcome.differences else "green"
    console.print(*lines, sep="\n", soft_wrap=True, markup=False, style=colour)
    console.print(last, soft_wrap=True, markup=False, style=f"bold {colour}")


def print_json(outcome: Outcome) -> None:
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
                    {**letter.place._asdict(), "reason": letter.reason} for letter in outcome.evidence.letters
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


def verdict_lines(outcome: Outcome) -> list[str]:
    """Return the last lines: what was checked and one that begins with `verified`, or every difference."""
    if outcome.differences:
        count = len(outcome.differences)
        return [f"not verified: {count} {'difference' if count == 1 else 'differences'}", *outcome.differences]
    ledger, tables = outcome.evidence.ledger, outcome.evidence.rows
    row_count, letter_count = sum(map(len, tables.values())), len(outcome.evidence.letters)
    partition_count = len(outcome.evidence.ends)
    sum_of = f"{ledger.accepted:,} accepted + {ledger.conflated:,} conflated + {ledger.filtered:,} filtered"
    figures = (
        f"{ledger.polled:,} records, {row_count:,} rows, {letter_count} dead letters, {partition_count} partitions"
    )
    return [
        f"ledger        {ledger.polled:,} = {sum_of} + {ledger.dead_lettered:,} dead-lettered",
        f"tables        {row_count:,} rows in {len(tables)} tables equal the fold of the log",
        f"dead letters  {letter_count}, the expected ones, byte for byte",
        f"positions     {partition_count} partitions committed at their ends",
        f"verified in {outcome.elapsed_s:.1f} s: {figures}",
    ]


def _table(title: str, *columns: str) -> Table:
    """Return an empty table; its last column takes the width that is left."""
    table = Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False
    )
    for name in columns:
        figures = name in {"records", "count", "struck", "rows"}
        table.add_column(name, justify="right" if figures else "left", no_wrap=figures)
    return table


def _records(outcome: Outcome) -> Table:
    ledger = outcome.evidence.ledger
    table = _table("Records, by what became of them", "outcome", "records", "meaning")
    for name, count, meaning in (
        ("accepted", ledger.accepted, "sent, and answered 202"),
        ("conflated", ledger.conflated, "replaced by a newer change of the row before sent"),
        ("filtered", ledger.filtered, "tombstones after deletes: they say nothing new"),
        ("dead_lettered", ledger.dead_lettered, "could not be placed; in the dead-letter topic"),
        ("open", ledger.open, "not settled"),
        ("polled", ledger.polled, "the sum of the above"),
    ):
        table.add_row(name, f"{count:,}", meaning)
    return table


def _requests(outcome: Outcome) -> Table:
    table = _table("Requests at the tenant", "call", "status", "count")
    for (call, status), count in sorted(outcome.requests.items()):
        table.add_row(call, str(status), f"{count:,}")
    return table


def _script(outcome: Outcome) -> Table:
    table = _table("What went wrong on purpose", "fault", "struck")
    for rule, hits in outcome.script:
        table.add_row(rule, str(hits))
    return table


def _letters(outcome: Outcome) -> Table:
    table = _table("Dead letters, read back from the broker", "record", "reason")
    for letter in outcome.evidence.letters:
        table.add_row(str(letter.place), letter.reason)
    return table


def _rows(outcome: Outcome) -> Table:
    table = _table("Rows at the tenant", "object", "rows", "the log's fold has")
    for name, rows in outcome.evidence.rows.items():
        table.add_row(name, f"{len(rows):,}", f"{len(outcome.expected.rows.get(name, {})):,}")
    return table
