"""`replay`: a range of topics sent again beside the live group.

Its plan, and with `--execute` the doing.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path  # noqa: TC003 - the option's type is read at run time
from typing import TYPE_CHECKING, Annotated, Final

import typer

from consumer.app.serve import daemon_signals, real_ports
from consumer.cli.exits import FINDINGS
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
from consumer.cli.replay_report import show_outcome, show_plan
from consumer.cli.run import to_its_end
from consumer.clock import SystemClock
from consumer.operations.kafka.group import ConsumerGroup
from consumer.operations.kafka.log import KafkaRangeLog
from consumer.operations.kafka.range_bounds import WORDS
from consumer.operations.replay.checkpoint import Checkpoint
from consumer.operations.replay.plan import usual_rate
from consumer.operations.replay.replay import Replay, usual_book
from consumer.operations.replay.state import ReplayRequest
from consumer.registry.client import RegistryClient

if TYPE_CHECKING:
    from consumer.app.ports import Ports
    from consumer.config.settings import Settings
    from consumer.operations.progress_display import ProgressDisplay
    from consumer.operations.replay.replay import ReplayResult
    from consumer.source.port import Source

QUIET: Final = "warning"
"""What is logged beside a bar."""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("replay")(replay)


def replay(
    *,
    config: ConfigFile = DEFAULT_FILE,
    overrides: Overrides = None,
    topics: Topics,
    begin: Annotated[
        str, typer.Option("--from", metavar="EDGE", help=f"Where it begins: {WORDS}.")
    ],
    end: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="EDGE",
            help="Where it ends, itself left out.",
            show_default="where the group stands",
        ),
    ] = None,
    partitions: Partitions = None,
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="KEY", help="Only this row, by its key as `map` prints it."),
    ] = None,
    lift: Annotated[
        bool,
        typer.Option(
            "--lift",
            help="Lift Record Modified by 1 ms: the tenant takes rows that it has in this version.",
        ),
    ] = False,
    rate: Annotated[
        int | None,
        typer.Option(
            "--rate",
            min=1,
            metavar="N",
            help="Requests per second.",
            show_default="4 % of delivery.requests_per_second",
        ),
    ] = None,
    execute: Annotated[
        bool, typer.Option("--execute", help="Do it; without, only the plan is shown.")
    ] = False,
    afresh: Annotated[
        bool, typer.Option("--afresh", help="Forget what an earlier run of the same has left.")
    ] = False,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "--checkpoint",
            metavar="FILE",
            help="Where it keeps how far it is.",
            show_default="by group",
        ),
    ] = None,
    output: OutputFormat = Output.TEXT,
) -> None:
    """Send a range of topics again, through the present mapping, beside the live group.

    Which is never moved.

    Shows the plan; --execute does it, and goes on where a run that was ended left off. No row goes
    back: where a newer state may be overwritten, the newest up to the group's position is sent
    instead.
    """
    given = settings(config, overrides)
    validate_bound("--from", begin)
    validate_bound("--to", end)
    _judge_rate(given, rate)
    asked = ReplayRequest(
        topics=tuple(dict.fromkeys(topics)),
        partitions=tuple(sorted(set(partitions or ()))),
        begin=begin,
        end=end,
        key=key,
        lifted=lift,
    )
    path = checkpoint or usual_book(given, asked)
    wish = _ReplayCommand(given, asked, rate or usual_rate(given), execute=execute, output=output)
    with on_screen() as screen:
        outcome = to_its_end(wish.fulfil(path, screen, afresh=afresh))
    if outcome is not None and (not outcome.is_finished or outcome.ledger.dead_lettered):
        raise typer.Exit(FINDINGS)


def _judge_rate(given: Settings, rate: int | None) -> None:
    """Refuse a rate that the tenant does not give, as wrong usage."""
    most = given.delivery.requests_per_second
    if rate is not None and rate > most:
        message = (
            f"{rate} is more than delivery.requests_per_second ({most}), which is all of the"
            f" tenant's"
        )
        raise typer.BadParameter(message, param_hint="--rate")


class _ReplayCommand:
    """What is wanted of one call."""

    def __init__(
        self, given: Settings, asked: ReplayRequest, rate: int, *, execute: bool, output: Output
    ) -> None:
        self._given = given
        self._asked = asked
        self._rate = rate
        self._execute = execute
        self._output = output

    async def fulfil(
        self, path: Path, audience: ProgressDisplay, *, afresh: bool
    ) -> ReplayResult | None:
        """Show the plan, and do it where that is wanted."""
        clock, group = SystemClock(), ConsumerGroup(self._given.kafka)
        async with AsyncExitStack() as stack:
            checkpoint = stack.enter_context(Checkpoint(path))
            if afresh and self._execute:
                checkpoint.close_for_good()
            registry = None
            if self._given.registry is not None:
                registry = RegistryClient(self._given.registry, clock)
                stack.push_async_callback(registry.close)
            made = Replay(
                self._given,
                self._asked,
                checkpoint,
                KafkaRangeLog(self._given.kafka),
                requests_per_second=self._rate,
                registry=registry,
                clock=clock,
                audience=audience,
            )
            in_use = await asyncio.to_thread(group.is_in_use)
            plan = await made.plan(is_to_be_done=self._execute, group_in_use=in_use)
            if not self._execute or self._output is Output.TEXT:
                show_plan(plan, self._output)
            if not self._execute:
                return None

            def make_ports(source: Source) -> Ports:
                return real_ports(self._given, source, clock, made.telemetry, stack)[0]

            outcome = await made.execute(
                make_ports, lambda daemon: daemon_signals(daemon, lambda: QUIET)
            )
            show_outcome(plan, outcome, self._output)
            return outcome
