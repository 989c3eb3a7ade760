"""Runs `config init`, `lint` and `map` on records in the shapes of public change streams.

`streams/` has a file of records for each source, in the form that `map` reads. The shapes are those
of the source's documentation or tests; all values are invented. `python -m tests.golden.corpora`
writes the outcomes again; review the diff before you commit it.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import msgspec

from consumer.config.load import inspect
from consumer.mapping.routing import RouteTable
from consumer.operations.mapped_lines import outcomes
from consumer.operations.record_lines import record_of_line
from consumer.operations.sampling.first_files import configuration, connector_schema
from consumer.operations.sampling.first_look import TopicHints, look_at
from consumer.operations.sampling.guessed_route import object_names
from consumer.operations.sampling.sampler import NoSample, Sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from consumer.config.settings import Settings
    from consumer.model import PlainRecord
    from consumer.operations.sampling.guessed_route import GuessedRoute

FOLDER: Final = Path(__file__).parent / "streams"
OUTCOMES: Final = FOLDER / "outcomes.jsonl"
WALL_MS: Final = 1_796_000_000_000


class SeenRoute(msgspec.Struct, frozen=True):
    """A route that `config init` wrote."""

    object: str
    format: str
    key: str
    why: str
    category: str


class SourceOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What the commands made of one source.

    `refused` is why `config init` wrote nothing. `map` has the lines that `map` prints, without the
    topic and the partition.
    """

    source: str
    refused: str = ""
    routes: tuple[SeenRoute, ...] = ()
    remarks: tuple[str, ...] = ()
    map: tuple[msgspec.Raw, ...] = ()


def sources() -> list[str]:
    """Return the names of all sources."""
    return sorted(path.stem for path in FOLDER.glob("*.ndjson"))


def records_of(name: str) -> list[PlainRecord]:
    """Return the records of a source."""
    lines = (FOLDER / f"{name}.ndjson").read_bytes().splitlines()
    return [record_of_line(line, None) for line in lines]


def outcome_of(name: str) -> SourceOutcome:
    """Run the commands on a source."""
    records = records_of(name)
    topic = records[0].topic()
    (object_name,) = object_names([topic]).values()
    try:
        look = look_at(Sample(topic, 1, len(records), tuple(records)), TopicHints(object_name))
    except NoSample as error:
        return SourceOutcome(source=name, refused=str(error))
    return SourceOutcome(
        source=name,
        routes=tuple(
            SeenRoute(
                route.object,
                route.format,
                _written_key(route),
                route.primary_key.why,
                route.category.value,
            )
            for route, _ in look.routes
        ),
        remarks=tuple(dict.fromkeys(one for _, remarks in look.routes for one in remarks[1:])),
        map=tuple(mapped(settings_of(look.routes), records)),
    )


def settings_of(routes: Sequence[tuple[GuessedRoute, tuple[str, ...]]]) -> Settings:
    """Return the settings in the files that `config init` writes.

    Raises: `AssertionError` with the faults that `lint` finds in these files.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder) / "consumer.yaml"
        file.write_text(configuration("localhost:9092", {}, "kafka_events", routes, {}), "utf-8")
        (Path(folder) / "connector.yaml").write_text(
            connector_schema(route for route, _ in routes), "utf-8"
        )
        inspected = inspect(file, environ={}, overrides=[])
    assert () == inspected.faults, "; ".join(map(str, inspected.faults))
    assert inspected.settings is not None
    return inspected.settings


def mapped(settings: Settings, records: Iterable[PlainRecord]) -> list[msgspec.Raw]:
    """Return the lines that `map` prints, without the topic and the partition."""
    table = RouteTable(settings.routes, settings.connector.name, settings.connector.objects)
    return [
        msgspec.Raw(msgspec.json.encode(_without_place(outcome)))
        for record in records
        for outcome in outcomes(table, record, WALL_MS, settings.delivery.batch_bytes)
    ]


def expected() -> dict[str, SourceOutcome]:
    """Return the outcomes that were reviewed, by source."""
    decode = msgspec.json.Decoder(SourceOutcome).decode
    lines = OUTCOMES.read_bytes().splitlines()
    return {outcome.source: outcome for outcome in map(decode, lines)}


def _written_key(route: GuessedRoute) -> str:
    """Return the primary key with its rule, if it has one."""
    field = next(one for one in route.fields if one.name == route.primary_key.value)
    rule = field.rule
    written = rule.get("template") or rule.get("from")
    return field.name if written in {None, field.name} else f"{field.name}: {written}"


def _without_place(outcome: dict[str, object]) -> dict[str, object]:
    return {name: one for name, one in outcome.items() if name not in {"topic", "partition"}}


if __name__ == "__main__":
    OUTCOMES.write_text(
        "".join(msgspec.json.encode(outcome_of(name)).decode() + "\n" for name in sources()),
        encoding="utf-8",
    )
