"""`demo`: the whole pipeline on an embedded broker and a fake tenant, verified at the end."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from consumer.cli.demo_screen import on_screen
from consumer.cli.exits import ExitCode
from consumer.cli.options import Output, OutputFormat
from consumer.cli.run import to_its_end
from consumer.errors import ConfigFaults
from consumer.operations.demo.demo import MOST_RECORDS, DemoRequest, run_demo, serve_demo
from consumer.sandbox.samples import FEWEST

RECORDS: Final = 3_000

SERVE_NEXT: Final = "next: datacloud-consumer demo --serve (keeps running, with web pages)"
CONFIG_NEXT: Final = (
    "next: datacloud-consumer config init --bootstrap HOST:PORT --topic TOPIC"
    " (a configuration for your topics)"
)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("demo")(demo)


def demo(
    *,
    records: Annotated[
        int,
        typer.Option(min=FEWEST, max=MOST_RECORDS, help="Number of sample records to produce."),
    ] = RECORDS,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the admin page; 0 picks a free one.")
    ] = 0,
    stay: Annotated[
        bool,
        typer.Option(
            "--serve", help="After the check, keep the web pages and traffic running until Ctrl-C."
        ),
    ] = False,
    output: OutputFormat = Output.TEXT,
) -> None:
    """Run the whole pipeline on sample data and verify the result.

    Produces sample change events on an embedded Kafka broker, sends them to a sandbox tenant of
    Data 360 (formerly Data Cloud), and compares the tenant's rows, the dead letters and the
    committed offsets with the expected ones.

    On purpose, two records are invalid, a token expires, and the tenant answers one request with
    429. Exits with 0 only if the result is verified.
    """
    request = DemoRequest(record_count=records, admin_port=port)
    start = serve_demo if stay else run_demo
    with on_screen(records, output) as screen:
        try:
            result = to_its_end(start(request, screen))
        except ConfigFaults as faults:
            # The demo brings its own configuration; only the port comes from the user.
            message = f"{str(faults).partition(';')[0]}; choose another port, or 0 for a free one"
            raise typer.BadParameter(message, param_hint="--port") from faults
    if result is None:
        typer.echo("stopped before the check: nothing is verified", err=True)
    if result is None or result.differences:
        raise typer.Exit(ExitCode.FINDINGS)
    if output is Output.TEXT:
        typer.echo("" if stay else f"\n{SERVE_NEXT}")
        typer.echo(CONFIG_NEXT)
