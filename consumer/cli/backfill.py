"""`backfill`: sends a range of topics through the bulk API; plans first, acts with --execute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from consumer.cli.backfill_report import show_plan, show_report
from consumer.cli.options import (
    DEFAULT_FILE,
    ConfigFile,
    Output,
    OutputFormat,
    Overrides,
    Partitions,
    Topics,
    settings,
    validate_bound,
)
from consumer.cli.progress_line import on_screen
from consumer.cli.run import to_its_end
from consumer.errors import Refusal
from consumer.operations.backfill.backfill import open_backfill, refuse_gap
from consumer.operations.backfill.state import BackfillRequest
from consumer.operations.kafka.range_bounds import WORDS

if TYPE_CHECKING:
    from consumer.cli.progress_line import ProgressLine
    from consumer.config.settings import Settings
    from consumer.operations.backfill.backfill import BackfillRun
    from consumer.operations.backfill.plan import BackfillPlan


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("backfill")(backfill)


def backfill(
    *,
    config: ConfigFile = DEFAULT_FILE,
    overrides: Overrides = None,
    topics: Topics,
    partitions: Partitions = None,
    begin: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="OFFSET|TIME|DURATION",
            help=f"Start of the range (inclusive): {WORDS}.",
            show_default="all",
        ),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="OFFSET|TIME|DURATION",
            help="End of the range (exclusive).",
            show_default="now",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--object", metavar="NAME", help="Only rows of this object.")
    ] = None,
    execute: Annotated[
        bool, typer.Option("--execute", help="Run the plan. Without this flag it is only printed.")
    ] = False,
    hand_over: Annotated[
        bool,
        typer.Option("--hand-over", help="Afterwards, set the group to where streaming continues."),
    ] = False,
    discard: Annotated[
        bool, typer.Option("--afresh", help="Discard the checkpoint of an earlier, unfinished run.")
    ] = False,
    output: OutputFormat = Output.TEXT,
) -> None:
    """Send a range of topics through the bulk API.

    The rows are mapped by the routes of the topics, and sent to Data 360 (formerly Data Cloud).
    Only the newest state of each key is sent. The same command resumes a run that was stopped. Stop
    the group's daemons meanwhile.
    """
    given = settings(config, overrides)
    request = BackfillRequest(
        topics=tuple(dict.fromkeys(topics)),
        partitions=tuple(sorted(set(partitions or ()))),
        begin=begin,
        end=end,
        object=name,
    )
    for option, text in (("--from", begin), ("--to", end)):
        validate_bound(option, text)
    command = _BackfillCommand(
        given, request, execute=execute, hand_over=hand_over, discard=discard, output=output
    )
    try:
        with on_screen() as screen:
            to_its_end(command.run(screen))
    except KeyboardInterrupt:
        if execute:
            typer.echo("stopped; run the same command again to resume", err=True)
        raise


class _BackfillCommand:
    """One call of the verb, with its options."""

    def __init__(
        self,
        given: Settings,
        request: BackfillRequest,
        *,
        execute: bool,
        hand_over: bool,
        discard: bool,
        output: Output,
    ) -> None:
        self._given = given
        self._request = request
        self._execute = execute
        self._hand_over = hand_over
        self._discard = discard
        self._output = output

    async def run(self, screen: ProgressLine) -> None:
        """Print the plan, and run it with --execute."""
        async with open_backfill(self._given, self._request, screen) as run:
            if self._discard and self._execute:
                await run.discard_checkpoint()
            plan = await run.plan()
            if self._hand_over:
                refuse_gap(plan)
            if not self._execute:
                show_plan(plan, self._output, is_all=True)
                return
            if self._output is Output.TEXT:
                show_plan(plan, self._output, is_all=False)
            await run.execute(plan.backfill)
            screen.over()
            await self._conclude(run, plan)

    async def _conclude(self, run: BackfillRun, plan: BackfillPlan) -> None:
        """Set the group if requested, print the report, and only then delete the checkpoint."""
        try:
            if self._hand_over:
                await run.hand_over(plan)
        except Refusal:
            show_report(plan, self._output, handed_over=False)
            raise
        show_report(plan, self._output, handed_over=self._hand_over)
        run.clear()
