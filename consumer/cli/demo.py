"""`demo`: the main job on embedded parts, visibly, checked at the end."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from consumer.cli.demo_screen import on_screen
from consumer.cli.exits import FINDINGS
from consumer.cli.options import Output, OutputFormat
from consumer.cli.run import to_its_end
from consumer.errors import ConfigFaults
from consumer.operations.demo.demo import MOST, DemoRequest, demonstrate, demonstrate_on
from consumer.sandbox.samples import FEWEST

RECORDS: Final = 3_000


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("demo")(demo)


def demo(
    *,
    records: Annotated[
        int, typer.Option(min=FEWEST, max=MOST, help="How many records the sample log has.")
    ] = RECORDS,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the admin page; 0 takes a free one.")
    ] = 0,
    stay: Annotated[
        bool, typer.Option("--serve", help="Then keep pages and traffic up until Ctrl-C.")
    ] = False,
    output: OutputFormat = Output.TEXT,
) -> None:
    """Carry sample records from an embedded broker into a sandbox tenant.

    And check that what landed is right.

    Two records cannot be placed, a token expires, and the tenant asks for a pause. Exit 0 only when
    verified.
    """
    plan = DemoRequest(record_count=records, admin_port=port)
    act = demonstrate_on if stay else demonstrate
    with on_screen(records, output) as screen:
        try:
            outcome = to_its_end(act(plan, screen))
        except ConfigFaults as faults:  # the configuration is ours: it can only be the port
            message = f"{str(faults).partition(';')[0]}; write another port, or 0 for a free one"
            raise typer.BadParameter(message, param_hint="--port") from faults
    if outcome is None:
        typer.echo("stopped before the check: nothing is verified", err=True)
    if outcome is None or outcome.differences:
        raise typer.Exit(FINDINGS)
