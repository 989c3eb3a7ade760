"""Shows the progress of `demo` on standard error: bars on a terminal, lines elsewhere."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from consumer.cli.bars import bars, mark_failed
from consumer.cli.demo_result import print_json, print_text
from consumer.cli.options import Output
from consumer.operations.demo.demo import TRAFFIC_RECORDS, TRAFFIC_S
from consumer.operations.plurals import count_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.progress import Progress

    from consumer.admin.port import LedgerStatus, StatusReport
    from consumer.operations.demo.demo import DemoAddresses, DemoResult

LINE_S: Final = 1.0
"""Where there are no bars, at most one progress line is printed in this time."""


@contextmanager
def on_screen(record_count: int, output: Output) -> Iterator[DemoScreen]:
    """Set up the log and the display for the duration of the demo."""
    with bars(9) as (progress, console):
        yield DemoScreen(record_count, output, progress, console)


class DemoScreen:
    """A `DemoDisplay`: progress on standard error, the result on standard output."""

    def __init__(
        self, record_count: int, output: Output, progress: Progress, console: Console
    ) -> None:
        self._count = record_count
        self._output = output
        self._progress = progress
        self._console = console
        self._produced = progress.add_task("produced", total=record_count, note="")
        self._settled = progress.add_task("settled", total=record_count, start=False, note="")
        self._last_line: tuple[float, LedgerStatus | None] = (0.0, None)

    def up(self, addresses: DemoAddresses) -> None:
        """Print the addresses of the broker, the tenant and the daemon."""
        self._print(
            f"broker  {addresses.broker}\ntenant  {addresses.tenant}\ndaemon  {addresses.admin}"
        )
        self._progress.start_task(self._settled)

    def produced(self, count: int) -> None:
        """Move the bar of the produced records."""
        self._progress.update(self._produced, completed=count)
        if self._progress.disable and count == self._count:
            self._print(f"{count_of(count, 'record')} produced")

    def progressed(self, report: StatusReport) -> None:
        """Move the bar of the settled records and show the holds."""
        ledger = report.ledger
        held = ", ".join(sorted({str(hold.reason) for hold in report.holds}))
        note = f"{ledger.open:,} open" + (f", hold {held}" if held else "")
        settled = ledger.polled - ledger.open
        self._progress.update(self._settled, completed=min(settled, self._count), note=note)
        if self._progress.disable and ledger.polled:
            self._print_line(ledger, f"{settled:,} of {self._count:,} settled, {note}")

    def checked(self, result: DemoResult) -> None:
        """Stop the bars and print the result."""
        if result.differences:
            mark_failed(self._console)
        self._progress.stop()
        if self._output is Output.JSON:
            print_json(result)
        else:
            print_text(result)

    def traffic(self, addresses: DemoAddresses) -> None:
        """Print the addresses of the web pages."""
        per_s = TRAFFIC_RECORDS / TRAFFIC_S
        self._print(
            f"\nThe daemon's page  {addresses.admin}/\n"
            f"The tenant's page  {addresses.tenant}/\n"
            f"New records arrive at {per_s:.0f} per second. Ctrl-C stops the demo."
        )

    def stopped(self, report: StatusReport) -> None:
        """Print the final counts."""
        ledger = report.ledger
        self._print(
            f"stopped: {count_of(ledger.polled, 'record')} read,"
            f" {ledger.polled - ledger.open:,} of them settled"
        )

    def _print_line(self, ledger: LedgerStatus, text: str) -> None:
        """Print a progress line if the ledger has changed and the last line is old enough."""
        printed_s, printed = self._last_line
        now_s = time.monotonic()
        if ledger != printed and now_s - printed_s >= LINE_S:
            self._last_line = (now_s, ledger)
            self._print(text)

    def _print(self, text: str) -> None:
        self._console.print(text, soft_wrap=True)
