"""`config init`: a first configuration and a connector schema file, from samples of topics."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from consumer.cli.exits import FINDINGS
from consumer.cli.options import RECORDS, RecordsOption
from consumer.clock import SystemClock
from consumer.config.brokers import named_brokers, named_registry
from consumer.config.findings import did_you_mean
from consumer.config.load import load
from consumer.config.route_keys import FORMATS
from consumer.operations.sampling.first_files import (
    CONFIGURATION,
    CONNECTOR,
    GROUP,
    configuration,
    connector_schema,
)
from consumer.operations.sampling.first_look import FirstLook, TopicHints, look_at
from consumer.operations.sampling.guessed_route import object_names
from consumer.operations.sampling.guesses import fit_name
from consumer.operations.sampling.sampler import NoSample, Sampler
from consumer.operations.sampling.trial import tried_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.mapping.settings import FormatName
    from consumer.operations.sampling.sampler import Sample

AUTO = "auto"


def init(
    topics: Annotated[
        list[str],
        typer.Option(
            "--topic", metavar="TOPIC", help="A topic to carry; repeatable, one route for each."
        ),
    ],
    *,
    bootstrap: Annotated[
        str, typer.Option("--bootstrap", metavar="HOST:PORT", help="Brokers.")
    ] = "localhost:9092",
    properties: Annotated[
        list[str] | None,
        typer.Option(
            "--property",
            metavar="NAME=VALUE",
            help=(
                "A librdkafka property, such as security.protocol=SSL; secrets as '${NAME}';"
                " repeatable."
            ),
        ),
    ] = None,
    registry: Annotated[
        list[str] | None,
        typer.Option(
            "--registry",
            metavar="KEY=VALUE",
            help=(
                "A key of kafka.schema_registry, such as url=https://registry.example.com;"
                " repeatable."
            ),
        ),
    ] = None,
    records: RecordsOption = RECORDS,
    object_name: Annotated[
        str | None,
        typer.Option("--object", metavar="NAME", help="Name of the object; of one topic only."),
    ] = None,
    connector: Annotated[
        str, typer.Option("--connector", metavar="NAME", help="Source name of the connector.")
    ] = "kafka_events",
    form: Annotated[
        str,
        typer.Option(
            "--format", metavar="FORMAT", help="Format of the values; auto recognises it."
        ),
    ] = AUTO,
    zone: Annotated[
        str | None, typer.Option("--zone", metavar="ZONE", help="Zone of times that carry none.")
    ] = None,
    folder: Annotated[
        Path, typer.Option("--output-dir", metavar="DIR", help="Where the two files go.")
    ] = Path(),
    force: Annotated[
        bool, typer.Option("--force", help="Write over files that are there.")
    ] = False,
) -> None:
    """Read the newest records of topics.

    And write consumer.yaml and connector.yaml from what they look like.

    No group is joined and nothing is committed. Guesses are called so; no value of a record is
    written anywhere.
    """
    names = _object_names(topics, object_name)
    wanted = {topic: TopicHints(name, _format(form), _zone(zone)) for topic, name in names.items()}
    _refuse_to_overwrite(folder, force=force)
    given = dict(_pair(one, "--property") for one in properties or [])
    brokers = named_brokers(bootstrap, given, GROUP, os.environ)
    asked = dict(_pair(one, "--registry") for one in registry or [])
    schemas = named_registry(asked, folder, os.environ)
    try:
        with Sampler(brokers) as sampler:
            samples = {topic: sampler.sample(topic, records) for topic in wanted}
        looks = {
            topic: look_at(sample, wanted[topic], schemas) for topic, sample in samples.items()
        }
    except NoSample as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(FINDINGS) from None
    folder.mkdir(parents=True, exist_ok=True)
    routes = [(look.route, look.remarks) for look in looks.values()]
    (folder / CONNECTOR).write_text(
        connector_schema(look.route for look in looks.values()), encoding="utf-8"
    )
    (folder / CONFIGURATION).write_text(
        configuration(bootstrap, given, connector, routes, asked), encoding="utf-8"
    )
    _tell(folder, looks, samples)


def _tell(folder: Path, looks: dict[str, FirstLook], samples: dict[str, Sample]) -> None:
    """Say what was seen and chosen, try the files on the samples, and say what comes next."""
    for look in looks.values():
        route = look.route
        typer.echo(f"{route.topic} -> {route.object}")
        key, category = route.primary_key, route.category
        chosen = [
            f"category {category.value} ({category.why})",
            f"primary key {key.value} ({key.why})",
        ]
        chosen += [
            f"record modified {one.value} ({one.why})" for one in (route.record_modified,) if one
        ]
        chosen += [f"event time {one.value} ({one.why})" for one in (route.event_time,) if one]
        for line in (*look.remarks, f"{len(route.fields)} fields", *chosen):
            typer.echo(f"  {line}")
    file = folder / CONFIGURATION
    settings = load(file, environ=os.environ, overrides=[])
    for topic, sample in samples.items():
        for trial in tried_out(
            settings, sample.records, SystemClock().wall_ms(), looks[topic].schemas
        ):
            counts = ", ".join(
                f"{count} {outcome}" for outcome, count in trial.outcomes.most_common()
            )
            typer.echo(f"{sample.topic}: these records would become: {counts}")
            for fault, faulty in trial.faults.items():
                typer.echo(
                    f"{sample.topic}: {faulty.count} dead letters: {fault}, the first"
                    f" {faulty.first}"
                )
    typer.echo(f"written: {file} and {folder / CONNECTOR}")
    typer.echo(
        f"next: write its salesforce section, then datacloud-consumer lint --sample -c {file}"
    )


def _object_names(topics: Sequence[str], wanted: str | None) -> dict[str, str]:
    """Return an object for each topic."""
    if wanted is None:
        return object_names(topics)
    if len(set(topics)) > 1:
        message = "of one topic only; leave it out, and each object is named for its topic"
        raise typer.BadParameter(message, param_hint="--object")
    if fit_name(wanted, ()) != wanted:
        message = "names are of A-Z, a-z, 0-9, `_` and `-`, without `__`"
        raise typer.BadParameter(message, param_hint="--object")
    return {topics[0]: wanted}


def _format(form: str) -> FormatName | None:
    """Return the format that was asked for; `None` to recognise it."""
    if form == AUTO:
        return None
    known = FORMATS.options
    if form not in known:
        message = f"expected auto, {FORMATS.words}{did_you_mean(form, known)}"
        raise typer.BadParameter(message, param_hint="--format")
    return known[form]


def _zone(zone: str | None) -> str | None:
    """Refuse a zone that the machine does not know."""
    try:
        return None if zone is None else ZoneInfo(zone).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        message = f"`{zone}` is no zone name; write one such as Europe/Berlin"
        raise typer.BadParameter(message, param_hint="--zone") from None


def _pair(text: str, option: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        message = f"expected NAME=VALUE, found `{name}`"
        raise typer.BadParameter(message, param_hint=option)
    return name, value


def _refuse_to_overwrite(folder: Path, *, force: bool) -> None:
    there = [name for name in (CONFIGURATION, CONNECTOR) if (folder / name).exists()]
    if there and not force:
        message = (
            f"{' and '.join(there)} in {folder} would be written over; name another folder, or"
            f" add --force"
        )
        raise typer.BadParameter(message, param_hint="--output-dir")
