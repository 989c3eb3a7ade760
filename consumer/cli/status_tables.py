"""Prints the status report of a running daemon as tables."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Console

from consumer.cli.tables import table
from consumer.operations.ledger_check import OUTCOMES, object_lines, partition_lines, total
from consumer.operations.plurals import count_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from consumer.admin.port import StatusReport
    from consumer.operations.ledger_check import AccountLine


def print_report(report: StatusReport) -> None:
    """Print state, holds, partitions and jobs."""
    console = _console()
    token = (
        "none"
        if report.token.expires_in_s is None
        else f"expires in {report.token.expires_in_s:,.0f} s"
    )
    console.print(
        f"{report.state}, member of group {report.group_id}, version {report.version},"
        f" configuration {report.config_sha256[:12]}",
        f"{count_of(report.in_flight, 'request')} in flight, limit {report.rate.limit:,.0f} per"
        f" second ({report.rate.share:.0%} of the tenant's limit),"
        f" {count_of(report.buffer_bytes, 'byte')} unsettled, token: {token}",
        sep="\n",
        soft_wrap=True,
    )
    for hold in report.holds:
        age_s = (datetime.now(UTC) - hold.since).total_seconds()
        console.print(
            f"hold {hold.reason} for {age_s:,.0f} s: {hold.detail}", soft_wrap=True, style="red"
        )
    for part in (_partitions(report), _jobs(report)):
        if part.row_count:
            console.print("", part, sep="\n")


def print_ledger(report: StatusReport, found: Sequence[str]) -> None:
    """Print the counts by partition and by object, then the differences that were found."""
    console = _console()
    console.print(
        _accounts("Records by partition", "polled", partition_lines(report)), "", sep="\n"
    )
    console.print(_accounts("Changes by object", "offered", object_lines(report)), "", sep="\n")
    if found:
        console.print(
            *found, "the ledger does not add up", sep="\n", soft_wrap=True, style="bold red"
        )
    else:
        sums = " + ".join(name.replace("_", "-") for name in OUTCOMES)
        console.print(
            f"the ledger adds up: polled or offered = {sums}", soft_wrap=True, style="bold green"
        )


def _accounts(title: str, came_in: str, lines: Sequence[AccountLine]) -> Table:
    names = [came_in, *(name.replace("_", "-") for name in OUTCOMES)]
    made = table(title, "", *names, figures=names)
    # The sum of a single line would only repeat it.
    for line in [*lines, total(lines)] if len(lines) > 1 else lines:
        made.add_row(line.place, f"{line.came_in:,}", *(f"{count:,}" for count in line.outcomes))
    return made


def _partitions(report: StatusReport) -> Table:
    figures = ("position", "end", "lag", "open", "oldest open")
    made = table("Partitions", "", *figures, "hold", figures=figures)
    for one in report.assignment:
        made.add_row(
            f"{one.topic}[{one.partition}]",
            f"{one.position:,}",
            _figure(one.end),
            _figure(one.lag),
            f"{one.open:,}",
            "" if one.oldest_open_s is None else f"{one.oldest_open_s:,.1f} s",
            one.hold or one.trouble or ("buffering" if one.gathering else ""),
        )
    return made


def _jobs(report: StatusReport) -> Table:
    figures = ("buffered rows", "buffered bytes", "rows in the job")
    made = table("Bulk jobs", "", *figures, "job", "phase", figures=figures)
    for one in report.bulk:
        made.add_row(
            one.object,
            f"{one.gathered_rows:,}",
            f"{one.gathered_bytes:,}",
            f"{one.rows:,}",
            one.job or "",
            one.phase or "",
        )
    return made


def _figure(count: int | None) -> str:
    return "?" if count is None else f"{count:,}"


def _console() -> Console:
    """Return a console on standard output; a pipe has no width and gets unwrapped lines."""
    console = Console(highlight=False, markup=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, width=200)
