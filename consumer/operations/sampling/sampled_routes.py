"""The routes of a configuration on samples of their topics.

What it looks like, and what it would become.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.mapping.routing import takes
from consumer.operations.sampling.recognition import Recognition, recognise
from consumer.operations.sampling.sampled_rows import rows_of
from consumer.operations.sampling.sampler import NoSample
from consumer.operations.sampling.trial import Trial, tried_out
from consumer.operations.sampling.unframed import schemas_in, unframed
from consumer.operations.sampling.unseen_columns import unseen_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from consumer.config.settings import Settings
    from consumer.decoding.schema_cache import SchemaCache
    from consumer.mapping.settings import RouteSettings
    from consumer.model import Record
    from consumer.operations.sampling.sampler import Sampler


class SampleWarning(msgspec.Struct, frozen=True):
    """Something that a sample shows to be wrong. `place` is the route's."""

    place: str
    text: str


class SampledTopic(msgspec.Struct, frozen=True):
    """One topic of the routes: its trials, one a route, or the problem that left nothing to try.

    `misread` are rules that read columns which no row has.
    """

    topic: str
    record_count: int = 0
    recognition: Recognition | None = None
    trials: tuple[Trial, ...] = ()
    misread: tuple[SampleWarning, ...] = ()
    problem: str = ""


def sampled_topics(
    settings: Settings, sampler: Sampler, count: int, wall_ms: int
) -> Iterator[SampledTopic]:
    """Sample every topic of the routes, once each, and map what was found.

    Raises `NoSample` without brokers.
    """
    for topic in dict.fromkeys(
        name for route in settings.routes for name in _topics(route, settings, sampler)
    ):
        registry = settings.registry if _is_encoded(settings, topic) else None
        try:
            sample = sampler.sample(topic, count)
            schemas = schemas_in(sample.records, registry) if registry is not None else None
        except NoSample as error:
            yield SampledTopic(topic, problem=str(error))
            continue
        if not sample.records:
            yield SampledTopic(topic, problem="no record to look at")
            continue
        trials = tuple(tried_out(settings, sample.records, wall_ms, schemas))
        misread = tuple(_misread(trials, sample.records, schemas))
        yield SampledTopic(topic, len(sample.records), recognise(sample.records), trials, misread)


def _misread(
    trials: Iterable[Trial], records: Sequence[Record], schemas: SchemaCache | None
) -> Iterator[SampleWarning]:
    """Hold the columns that each route reads against those that its rows have."""
    for route in (trial.route for trial in trials):
        opened = (
            unframed(records, schemas).records
            if route.encoding != "json" and schemas is not None
            else records
        )
        columns = rows_of(opened, route.format, route.flat_prefix).columns
        if columns:
            for text in unseen_columns(route, columns):
                yield SampleWarning(route.place, f"{records[0].topic()}: {text}")


def _is_encoded(settings: Settings, topic: str) -> bool:
    """Whether a route of the topic reads records that name schemas."""
    return any(route.encoding != "json" and takes(route, topic) for route in settings.routes)


def _topics(route: RouteSettings, settings: Settings, sampler: Sampler) -> list[str]:
    """Return the topics of a route; an expression takes those that are there."""
    if not route.topics[0].startswith("^"):
        return list(route.topics)
    return [
        name
        for name in sampler.topics()
        if takes(route, name) and name != settings.dead_letter.topic
    ]


def warnings_of(settings: Settings, seen: SampledTopic) -> Iterator[SampleWarning]:
    """Say what a user has to look at.

    No records, columns that are not there, another format, dead letters.
    """
    if seen.problem:
        route = next(
            (route for route in settings.routes if takes(route, seen.topic)), settings.routes[0]
        )
        yield SampleWarning(route.place, f"{seen.topic}: {seen.problem}")
    yield from seen.misread
    for trial in seen.trials:
        place, route = trial.route.place, trial.route
        if seen.recognition is not None and (other := _other_format(seen.recognition, route)):
            yield SampleWarning(place, f"{seen.topic}: {other}")
        for fault, faulty in trial.faults.items():
            text = (
                f"{seen.topic}: {faulty.count} of {seen.record_count} records would be"
                f" dead-lettered: {fault}"
            )
            yield SampleWarning(place, f"{text}, the first {faulty.first}")


def _other_format(recognition: Recognition, route: RouteSettings) -> str | None:
    """Say which format most values seem to be of, when it is not the route's.

    Plain JSON is a sign of nothing.
    """
    if recognition.framings:
        framing, count = next(iter(recognition.framings.items()))
        if route.encoding == "json":
            framed = (
                f"{count} of {recognition.value_count} values are in the frame of a schema registry"
            )
            return f"{framed}: encoding {framing}, by their bytes; the route says {route.encoding}"
        return None
    name = recognition.format
    if name in {None, "json", route.format} or route.encoding != "json":
        return None
    count = next(iter(recognition.formats.values()))
    return (
        f"{count} of {recognition.value_count} values look like {name}; the route says"
        f" {route.format}"
    )
