"""`config init`: write a first configuration and connector schema from samples of topics."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from consumer.cli.exits import ExitCode
from consumer.cli.options import RECORDS, RecordsOption
from consumer.clock import SystemClock
from consumer.config.brokers import named_brokers, named_registry
from consumer.config.findings import did_you_mean
from consumer.config.load import load
from consumer.config.route_keys import FORMATS
from consumer.masking import escape
from consumer.operations.plurals import count_of
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
from consumer.operations.sampling.trial import run_trials

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.mapping.settings import FormatName
    from consumer.operations.sampling.sampler import Sample
    from consumer.registry.settings import AnyRegistry

AUTO = "auto"
_NAME = re.compile(r"[a-z][a-z0-9_.]*")


def init(
    topics: Annotated[
        list[str],
        typer.Option(
            "--topic", metavar="TOPIC", help="Topic to sample, gets one route; repeatable."
        ),
    ],
    *,
    bootstrap: Annotated[
        str,
        typer.Option("--bootstrap", metavar="HOST:PORT", help="Bootstrap servers of Kafka."),
    ] = "localhost:9092",
    properties: Annotated[
        list[str] | None,
        typer.Option(
            "--property",
            metavar="NAME=VALUE",
            help=(
                "librdkafka property, e.g. security.protocol=SSL. Write a secret as '${NAME}', the"
                " name of an environment variable; repeatable."
            ),
        ),
    ] = None,
    registry: Annotated[
        list[str] | None,
        typer.Option(
            "--registry",
            metavar="KEY=VALUE",
            help=(
                "Key of kafka.schema_registry, e.g. url=https://registry.example.com; repeatable."
            ),
        ),
    ] = None,
    records: RecordsOption = RECORDS,
    object_name: Annotated[
        str | None,
        typer.Option(
            "--object",
            metavar="NAME",
            help="Name of the object; only with one topic.",
            show_default="the topic's name",
        ),
    ] = None,
    connector: Annotated[
        str,
        typer.Option(
            "--connector", metavar="NAME", help="Source name of the Ingestion API connector."
        ),
    ] = "kafka_events",
    key: Annotated[
        list[str] | None,
        typer.Option(
            "--key",
            metavar="COLUMN",
            help=(
                "Column of the primary key, if no sampled record names it; only with one topic;"
                " repeatable, for a key of several columns."
            ),
        ),
    ] = None,
    form: Annotated[
        str,
        typer.Option("--format", metavar="FORMAT", help="Format of the values; auto detects it."),
    ] = AUTO,
    zone: Annotated[
        str | None,
        typer.Option(
            "--zone", metavar="ZONE", help="Time zone of times without one, e.g. Europe/Berlin."
        ),
    ] = None,
    folder: Annotated[
        Path, typer.Option("--output-dir", metavar="DIR", help="Folder for the two files.")
    ] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing files.")] = False,
) -> None:
    """Write a first configuration from samples of topics.

    Reads the newest records of each topic and writes consumer.yaml and connector.yaml, the schema
    file for the Ingestion API connector of Data 360 (formerly Data Cloud). Guesses are marked as
    guesses.

    Joins no consumer group and commits nothing. No value of a record is written or printed.
    """
    names = _object_names(topics, object_name)
    _check_single_topic(topics, "--key", key)
    hints = {
        topic: TopicHints(name, _format(form), _zone(zone), tuple(key or ()))
        for topic, name in names.items()
    }
    _refuse_to_overwrite(folder, force=force)
    client_properties = dict(
        _pair(one, "--property", "security.protocol=SSL") for one in properties or []
    )
    brokers = named_brokers(bootstrap, client_properties, GROUP, os.environ)
    registry_keys = dict(_pair(one, "--registry", "url=https://...") for one in registry or [])
    schemas = named_registry(registry_keys, folder, os.environ)
    try:
        with Sampler(brokers) as sampler:
            samples = {topic: sampler.sample(topic, records) for topic in hints}
        looks = _looks(samples, hints, schemas)
    except NoSample as error:
        typer.echo(escape(str(error)), err=True)
        raise typer.Exit(ExitCode.FINDINGS) from None
    folder.mkdir(parents=True, exist_ok=True)
    routes = [one for look in looks.values() for one in look.routes]
    if object_name is not None and len(routes) > 1:
        message = (
            f"expected a topic with one table beside --object, got {len(routes)}; without --object,"
            f" each object is named after its table"
        )
        raise typer.BadParameter(message, param_hint="--object")
    (folder / CONNECTOR).write_text(
        connector_schema(route for route, _ in routes), encoding="utf-8"
    )
    (folder / CONFIGURATION).write_text(
        configuration(bootstrap, client_properties, connector, routes, registry_keys),
        encoding="utf-8",
    )
    _print_choices(looks)
    _print_trials(folder, looks, samples)
    typer.echo(f"written: {folder / CONFIGURATION} and {folder / CONNECTOR}")
    typer.echo(
        f"next: fill in the salesforce section, then run: datacloud-consumer lint --sample"
        f" -c {folder / CONFIGURATION}"
    )


def _looks(
    samples: dict[str, Sample], hints: dict[str, TopicHints], registry: AnyRegistry | None
) -> dict[str, FirstLook]:
    """Guess the routes of each topic; no two of them have an object of the same name."""
    looks: dict[str, FirstLook] = {}
    taken = {one.object for one in hints.values()}
    for topic, sample in samples.items():
        looks[topic] = look_at(sample, hints[topic], registry, taken - {hints[topic].object})
        taken |= {route.object for route, _ in looks[topic].routes}
    return looks


def _print_choices(looks: dict[str, FirstLook]) -> None:
    """Print what was seen in each topic and what was chosen from it."""
    for route, remarks in (one for look in looks.values() for one in look.routes):
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
        for line in (*remarks, count_of(len(route.fields), "field"), *chosen):
            typer.echo(f"  {escape(line)}")


def _print_trials(folder: Path, looks: dict[str, FirstLook], samples: dict[str, Sample]) -> None:
    """Map the samples with the files that were written and print the outcomes."""
    settings = load(folder / CONFIGURATION, environ=os.environ, overrides=[])
    for topic, sample in samples.items():
        for trial in run_trials(
            settings, sample.records, SystemClock().wall_ms(), looks[topic].schemas
        ):
            counts = ", ".join(
                f"{count} {outcome}" for outcome, count in trial.outcomes.most_common()
            )
            several = f" -> {trial.route.object}" if len(looks[topic].routes) > 1 else ""
            typer.echo(f"{sample.topic}{several}: these records map to: {counts}")
            for fault, faulty in trial.faults.items():
                dead_letters = count_of(faulty.count, "dead letter")
                typer.echo(
                    escape(f"{sample.topic}: {dead_letters}: {fault}, first at {faulty.first}")
                )


def _object_names(topics: Sequence[str], name: str | None) -> dict[str, str]:
    """Return the name of each topic's object; `name` comes from the command line."""
    if name is None:
        return object_names(topics)
    _check_single_topic(topics, "--object", name)
    if fit_name(name, ()) != name:
        message = (
            f"expected a name of A-Z, a-z, 0-9, `_` and `-`, without `__`, got `{name}`; try"
            f" `{fit_name(name, ())}`"
        )
        raise typer.BadParameter(message, param_hint="--object")
    return {topics[0]: name}


def _check_single_topic(topics: Sequence[str], option: str, given: object) -> None:
    """Refuse an option that is for one topic only beside several."""
    if given and (count := len(set(topics))) > 1:
        message = (
            f"expected one --topic beside {option}, got {count}; run the command once for each"
            f" topic, or leave out {option}"
        )
        raise typer.BadParameter(message, param_hint=option)


def _format(form: str) -> FormatName | None:
    """Return the format from the command line; `None` means to detect it."""
    if form == AUTO:
        return None
    known = FORMATS.options
    if form not in known:
        message = f"expected auto, {FORMATS.words}, got `{form}`{did_you_mean(form, known)}"
        raise typer.BadParameter(message, param_hint="--format")
    return known[form]


def _zone(zone: str | None) -> str | None:
    """Return a time zone name that this machine knows.

    Raises: `typer.BadParameter` otherwise.
    """
    try:
        return None if zone is None else ZoneInfo(zone).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        message = f"expected a time zone name such as Europe/Berlin, got `{zone}`"
        raise typer.BadParameter(message, param_hint="--zone") from None


def _pair(text: str, option: str, example: str) -> tuple[str, str]:
    """Read NAME=VALUE; a message shows nothing of it, because it may be a secret without a name.

    Base64 ends with `=`, so text with nothing after it is not taken as a name either.
    """
    name, _, value = text.partition("=")
    if not _NAME.fullmatch(name) or not value.strip("="):
        message = f"expected NAME=VALUE such as {example}, got text without a name or a value"
        raise typer.BadParameter(message, param_hint=option)
    return name, value


def _refuse_to_overwrite(folder: Path, *, force: bool) -> None:
    existing = [name for name in (CONFIGURATION, CONNECTOR) if (folder / name).exists()]
    if existing and not force:
        message = (
            f"{' and '.join(existing)} in {folder} would be overwritten; choose another folder, or"
            f" add --force"
        )
        raise typer.BadParameter(message, param_hint="--output-dir")
