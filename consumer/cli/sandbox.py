"""`sandbox`: run only the fake Data 360 tenant, until SIGINT or SIGTERM."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from pathlib import Path  # noqa: TC003 - the option's type is read at run time
from typing import TYPE_CHECKING, Annotated

import typer

from consumer.cli.options import settings
from consumer.clock import SystemClock
from consumer.errors import ConfigFaults
from consumer.sandbox.crm_objects import objects_of
from consumer.sandbox.fault_script import HELP, FaultScriptError, read_script
from consumer.sandbox.schema_file import SchemaFileError, read_objects
from consumer.sandbox.server import TenantServer
from consumer.sandbox.shop_files import SOURCE_NAME, shop_objects
from consumer.sandbox.store import Store
from consumer.sandbox.tenant import Limits, Tenant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consumer.config.settings import Settings
    from consumer.mapping.settings import ObjectSettings


def register(app: typer.Typer) -> None:
    """Add the verb; its help ends with the grammar of the fault script."""
    unwrapped = "\n\n".join(f"\b\n{paragraph}" for paragraph in HELP.split("\n\n"))
    app.command("sandbox", epilog=unwrapped)(sandbox)


def sandbox(
    *,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 picks a free one.")
    ] = 8081,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    config: Annotated[
        Path | None,
        typer.Option(
            "-c",
            "--config",
            metavar="FILE",
            help="Take the connector and its objects from this configuration.",
        ),
    ] = None,
    schema: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=(
                "Take the objects from this connector schema. The primary key is `id`, or else"
                " the first field."
            ),
        ),
    ] = None,
    source: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of the connector.")
    ] = None,
    faults: Annotated[
        list[str] | None,
        typer.Option(metavar="RULES", help="Faults to inject, see below; repeatable."),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keep the rows in this SQLite file, not in memory."),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict", help="Reject a batch that has a record which does not match the schema."
        ),
    ] = False,
) -> None:
    """Run a fake Data 360 tenant for tests and development.

    It accepts any credentials, takes the requests of the Ingestion API of Data 360 (formerly Data
    Cloud) and of the CRM Bulk API 2.0, and shows the rows on a web page.
    """
    try:
        rules = read_script(";".join(faults or []))
    except FaultScriptError as problem:
        raise typer.BadParameter(str(problem), param_hint="--faults") from problem
    loaded = settings(config, None) if config is not None else None
    name, objects = _connector(loaded, schema)
    clock = SystemClock()
    try:
        rows = Store(objects, store)
    except sqlite3.Error as problem:
        message = f"{store}: {problem}"
        raise typer.BadParameter(message, param_hint="--store") from problem
    limits = Limits(strict=strict)
    tenant = Tenant(
        objects,
        source_name=source or name,
        clock=clock,
        store=rows,
        limits=limits,
        faults=rules,
        crm_objects=objects_of(loaded.routes if loaded is not None else ()),
    )
    try:
        asyncio.run(_serve(TenantServer(tenant, clock, host=host, port=port), tenant))
    except OSError as problem:
        message = f"{host}:{port}: {problem.strerror}"
        raise typer.BadParameter(message, param_hint="--port") from problem
    finally:
        rows.close()


def _connector(
    loaded: Settings | None, schema: Path | None
) -> tuple[str, Mapping[str, ObjectSettings]]:
    """Return the connector's name and objects.

    They come from the schema file, else from the configuration, else from the sample shop.
    """
    if schema is not None:
        try:
            return SOURCE_NAME, read_objects(schema)
        except SchemaFileError as problem:
            raise ConfigFaults([str(problem)]) from problem
    if loaded is not None:
        return loaded.connector.name or SOURCE_NAME, loaded.connector.objects
    return SOURCE_NAME, shop_objects()


async def _serve(server: TenantServer, tenant: Tenant) -> None:
    """Serve until SIGINT or SIGTERM."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    await server.start()
    keys = ", ".join(
        f"{name} (key {each.primary_key})" for name, each in tenant.store.objects.items()
    )
    sobjects = ", ".join(tenant.crm.store.objects)
    typer.echo(
        f"Data 360 sandbox on {server.origin} (API and web page). It accepts any credentials.\n"
        f"Connector {tenant.source_name}: {keys or 'no objects'}\n"
        f"CRM objects: {sobjects}. Their records as JSON:"
        f" {server.origin}/sandbox/api/crm.json?object=NAME\n"
        f"To connect a daemon: datacloud-consumer run --set salesforce.login_url={server.origin}"
        f" --set connector.name={tenant.source_name}\n"
        "Ctrl-C stops the sandbox."
    )
    await stopped.wait()
    await server.close()
