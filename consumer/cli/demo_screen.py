"""What `demo` shows while it runs.

Bars on a terminal, lines elsewhere, always on standard error.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from consumer.cli.bars import bars
from consumer.cli.demo_result import print_json, print_text
from consumer.cli.options import Output
from consumer.operations.demo.demo import TRAFFIC_RECORDS, TRAFFIC_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.progress import Progress

    from consumer.admin.port import LedgerStatus, StatusReport
    from consumer.operations.demo.demo import DemoAddresses, DemoResult

LINE_S: Final = 1.0
"""Where there are no bars: a line at most so often."""


@contextmanager
def on_screen(record_count: int, output: Output) -> Iterator[Screen]:
    """Set up log and display for as long as the demo runs."""
    with bars(9) as (progress, console):
        yield Screen(record_count, output, progress, console)


class Screen:
    """An `Audience` on standard error and standard output."""

    def __init__(
        self, record_count: int, output: Output, progress: Progress, console: Console
    ) -> None:
        self._count = record_count
        self._output = output
        self._progress = progress
        self._console = console
        self._produced = progress.add_task("produced", total=record_count, note="")
        self._settled = progress.add_task("settled", total=record_count, start=False, note="")
        self._said: tuple[float, LedgerStatus | None] = (0.0, None)

    def up(self, addresses: DemoAddresses) -> None:
        """Say where everything is."""
        self._say(
            f"broker  {addresses.broker}\ntenant  {addresses.tenant}\ndaemon  {addresses.admin}"
        )
        self._progress.start_task(self._settled)

    def produced(self, count: int) -> None:
        """Move the first bar."""
        self._progress.update(self._produced, completed=count)
        if self._progress.disable and count == self._count:
            self._say(f"{count:,} records produced")

    def progressed(self, report: StatusReport) -> None:
        """Move the second bar, and tell what waits for what."""
        ledger = report.ledger
        held = ", ".join(sorted({str(hold.reason) for hold in report.holds}))
        note = f"{ledger.open:,} open" + (f", hold {held}" if held else "")
        settled = ledger.polled - ledger.open
        self._progress.update(self._settled, completed=min(settled, self._count), note=note)
        if self._progress.disable and ledger.polled:
            self._line(ledger, f"{settled:,} of {self._count:,} settled, {note}")

    def verdict(self, outcome: DemoResult) -> None:
        """Print the result."""
        self._progress.stop()
        if self._output is Output.JSON:
            print_json(outcome)
        else:
            print_text(outcome)

    def traffic(self, addresses: DemoAddresses) -> None:
        """Say where to look."""
        per_s = TRAFFIC_RECORDS / TRAFFIC_S
        self._say(
            f"\nThe daemon's page  {addresses.admin}/\n"
            f"The tenant's page  {addresses.tenant}/\n"
            f"Traffic of {per_s:.0f} records per second goes on. Ctrl-C stops it."
        )

    def over(self, report: StatusReport) -> None:
        """Say how it ended."""
        ledger = report.ledger
        self._say(
            f"stopped: {ledger.polled:,} records read, {ledger.polled - ledger.open:,} of"
            f" them settled"
        )

    def _line(self, ledger: LedgerStatus, text: str) -> None:
        said_s, said = self._said
        now_s = time.monotonic()
        if ledger != said and now_s - said_s >= LINE_S:
            self._said = (now_s, ledger)
            self._say(text)

    def _say(self, text: str) -> None:
        self._console.print(text, soft_wrap=True)
