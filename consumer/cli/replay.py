"""`replay`: sends a range of topics again beside the live group; acts with --execute."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path  # noqa: TC003 - the option's type is read at run time
from typing import TYPE_CHECKING, Annotated, Final

import typer

from consumer.app.serve import daemon_signals, real_ports, service_ports
from consumer.app.service_clock import ServiceClock
from consumer.cli.exits import ExitCode
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
from consumer.operations.replay.plan import default_rate
from consumer.operations.replay.replay import Replay, default_checkpoint_path
from consumer.operations.replay.state import ReplayRequest
from consumer.registry.registries import registry_client

if TYPE_CHECKING:
    from consumer.app.ports import Ports
    from consumer.config.settings import Settings
    from consumer.operations.progress_display import ProgressDisplay
    from consumer.operations.replay.replay import ReplayResult
    from consumer.source.port import Source

QUIET: Final = "warning"
"""Lowest log level while a progress bar is shown."""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("replay")(replay)


def replay(
    *,
    config: ConfigFile = DEFAULT_FILE,
    overrides: Overrides = None,
    topics: Topics,
    begin: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="OFFSET|TIME|DURATION",
            help=f"Start of the range (inclusive): {WORDS}.",
        ),
    ],
    end: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="OFFSET|TIME|DURATION",
            help="End of the range (exclusive).",
            show_default="the group's position",
        ),
    ] = None,
    partitions: Partitions = None,
    key: Annotated[
        str | None,
        typer.Option(
            "--key", metavar="KEY", help="Only the row with this key, as `map` prints it."
        ),
    ] = None,
    lift: Annotated[
        bool,
        typer.Option(
            "--lift",
            help=(
                "Send a higher Record Modified than the daemons gave the row, so that the tenant"
                " takes rows that it already has."
            ),
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
        bool, typer.Option("--execute", help="Run the plan. Without this flag it is only printed.")
    ] = False,
    discard: Annotated[
        bool, typer.Option("--afresh", help="Discard the checkpoint of an earlier, unfinished run.")
    ] = False,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "--checkpoint",
            metavar="FILE",
            help="File with the progress of the replay.",
            show_default="below delivery.spool_dir",
        ),
    ] = None,
    output: OutputFormat = Output.TEXT,
) -> None:
    """Send a range of topics again, beside the live group.

    The range is mapped by the current configuration, and sent to Data 360 (formerly Data Cloud).
    The group's offsets never move, and no row goes back to an older state: where a newer change
    exists up to the group's position, it is sent instead. The same command resumes a run that was
    stopped.
    """
    given = settings(config, overrides)
    validate_bound("--from", begin)
    validate_bound("--to", end)
    _validate_rate(given, rate)
    request = ReplayRequest(
        topics=tuple(dict.fromkeys(topics)),
        partitions=tuple(sorted(set(partitions or ()))),
        begin=begin,
        end=end,
        key=key,
        lifted=lift,
    )
    path = checkpoint or default_checkpoint_path(given, request)
    command = _ReplayCommand(
        given, request, rate or default_rate(given), execute=execute, output=output
    )
    with on_screen() as screen:
        outcome = to_its_end(command.run(path, screen, discard=discard))
    if outcome is not None and (not outcome.is_finished or outcome.ledger.dead_lettered):
        raise typer.Exit(ExitCode.FINDINGS)


def _validate_rate(given: Settings, rate: int | None) -> None:
    """Refuse a rate above the tenant's, as wrong usage."""
    most = given.delivery.requests_per_second
    if rate is not None and rate > most:
        message = (
            f"expected at most {most} (delivery.requests_per_second, the tenant's whole rate),"
            f" got {rate}"
        )
        raise typer.BadParameter(message, param_hint="--rate")


class _ReplayCommand:
    """One call of the verb, with its options."""

    def __init__(
        self, given: Settings, request: ReplayRequest, rate: int, *, execute: bool, output: Output
    ) -> None:
        self._given = given
        self._request = request
        self._rate = rate
        self._execute = execute
        self._output = output

    async def run(
        self, path: Path, display: ProgressDisplay, *, discard: bool
    ) -> ReplayResult | None:
        """Print the plan, and run it with --execute."""
        clock, group = ServiceClock(SystemClock()), ConsumerGroup(self._given.kafka)
        async with AsyncExitStack() as stack:
            checkpoint = stack.enter_context(Checkpoint(path))
            if discard and self._execute:
                checkpoint.discard()
            registry = None
            if self._given.registry is not None:
                registry = registry_client(self._given.registry, clock)
                stack.push_async_callback(registry.close)
            made = Replay(
                self._given,
                self._request,
                checkpoint,
                KafkaRangeLog(self._given.kafka),
                requests_per_second=self._rate,
                registry=registry,
                clock=clock,
                display=display,
            )
            service = service_ports(self._given, clock, made.telemetry, stack)
            if self._execute:
                await service.learn_time()
            in_use = await asyncio.to_thread(group.is_in_use)
            plan = await made.plan(is_to_be_done=self._execute, group_in_use=in_use)
            if not self._execute or self._output is Output.TEXT:
                show_plan(plan, self._output, is_all=not self._execute)
            if not self._execute:
                return None

            def make_ports(source: Source) -> Ports:
                return real_ports(self._given, source, service, clock, stack)

            outcome = await made.execute(
                make_ports, lambda daemon: daemon_signals(daemon, lambda: QUIET)
            )
            show_outcome(plan, outcome, self._output)
            return outcome
