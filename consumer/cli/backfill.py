"""`backfill`: a range of topics through the bulk API: its plan, and with `--execute` the doing."""

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
from consumer.operations.backfill.backfill import refuse_to_pass_over, undertaken
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
            "--from", metavar="EDGE", help=f"Where it begins: {WORDS}.", show_default="all"
        ),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="EDGE", help="Where it ends, itself left out.", show_default="now"
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--object", metavar="NAME", help="Only into this object.")
    ] = None,
    execute: Annotated[
        bool, typer.Option("--execute", help="Do it; without, only the plan is shown.")
    ] = False,
    handing_over: Annotated[
        bool, typer.Option("--hand-over", help="Then set the group to where streaming continues.")
    ] = False,
    afresh: Annotated[
        bool, typer.Option("--afresh", help="Forget what an earlier run of the same has left.")
    ] = False,
    output: OutputFormat = Output.TEXT,
) -> None:
    """Send a range of topics through the bulk API, by the mapping of their routes.

    The last state of each key.

    Shows the plan; --execute does it, and goes on where a run that was ended left off. The group's
    daemons have to be stopped meanwhile.
    """
    given = settings(config, overrides)
    asked = BackfillRequest(
        topics=tuple(dict.fromkeys(topics)),
        partitions=tuple(sorted(set(partitions or ()))),
        begin=begin,
        end=end,
        object=name,
    )
    for option, text in (("--from", begin), ("--to", end)):
        validate_bound(option, text)
    wish = _BackfillCommand(
        given, asked, execute=execute, handing_over=handing_over, afresh=afresh, output=output
    )
    try:
        with on_screen() as screen:
            to_its_end(wish.fulfil(screen))
    except KeyboardInterrupt:
        if execute:
            typer.echo("stopped: the same command goes on from what was noted", err=True)
        raise


class _BackfillCommand:
    """What is wanted of one call."""

    def __init__(
        self,
        given: Settings,
        asked: BackfillRequest,
        *,
        execute: bool,
        handing_over: bool,
        afresh: bool,
        output: Output,
    ) -> None:
        self._given = given
        self._asked = asked
        self._execute = execute
        self._handing_over = handing_over
        self._afresh = afresh
        self._output = output

    async def fulfil(self, screen: ProgressLine) -> None:
        """Show the plan, and do it where that is wanted."""
        async with undertaken(self._given, self._asked, screen) as undertaking:
            if self._afresh and self._execute:
                await undertaking.begin_afresh()
            plan = await undertaking.plan()
            if self._handing_over:
                refuse_to_pass_over(plan)
            if not self._execute:
                show_plan(plan, self._output, is_all=True)
                return
            if self._output is Output.TEXT:
                show_plan(plan, self._output, is_all=False)
            await undertaking.execute(plan.backfill)
            screen.over()
            await self._conclude(undertaking, plan)

    async def _conclude(self, undertaking: BackfillRun, plan: BackfillPlan) -> None:
        """Hand over where that is wanted, tell what came of it all, and only then forget it."""
        try:
            if self._handing_over:
                await undertaking.hand_over(plan)
        except Refusal:
            show_report(plan, self._output, handed_over=False)
            raise
        show_report(plan, self._output, handed_over=self._handing_over)
        undertaking.forget()
