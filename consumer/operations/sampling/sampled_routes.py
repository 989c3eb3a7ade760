"""Samples the topics of a configuration, maps the samples by its routes and finds warnings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.dead_letter.fuse import SHARE_FROM_COUNT, WINDOW_S
from consumer.mapping.routing import takes
from consumer.operations.plurals import count_of
from consumer.operations.sampling.recognition import CLEAR_SHARE, FRAMES, Recognition, recognise
from consumer.operations.sampling.sampled_rows import rows_of
from consumer.operations.sampling.sampler import NoSample
from consumer.operations.sampling.shared_objects import SharedObjects
from consumer.operations.sampling.trial import Trial, run_trials
from consumer.operations.sampling.unframed import schemas_in, unframed
from consumer.operations.sampling.unseen_columns import unseen_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from consumer.config.settings import Settings
    from consumer.dead_letter.settings import FuseSettings
    from consumer.decoding.schema_cache import SchemaCache
    from consumer.mapping.settings import RouteSettings
    from consumer.model import Record
    from consumer.operations.sampling.sampler import Sampler


class SampleWarning(msgspec.Struct, frozen=True):
    """A problem that a sample shows. `place` is the place of the route in the configuration."""

    place: str
    text: str


class SampledTopic(msgspec.Struct, frozen=True):
    """The sample of one topic: one trial per route, or the problem that prevented them."""

    topic: str
    record_count: int = 0
    recognition: Recognition | None = None
    trials: tuple[Trial, ...] = ()
    findings: tuple[SampleWarning, ...] = ()
    """Rules that read a column which no sampled row has, and tables whose rows meet."""
    problem: str = ""
    beyond_fuse: str = ""
    """Why the sample has more dead letters than `dead_letter.fuse` allows; empty if it has not."""


def sampled_topics(
    settings: Settings, sampler: Sampler, count: int, wall_ms: int
) -> Iterator[SampledTopic]:
    """Sample every topic of the routes once, and map each sample.

    Raises: `NoSample` if the brokers do not list their topics.
    """
    shared = SharedObjects(settings)
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
            yield SampledTopic(topic, problem="the topic has no records, so nothing was checked")
            continue
        trials = tuple(run_trials(settings, sample.records, wall_ms, schemas))
        findings = tuple(_findings(trials, sample.records, schemas, shared))
        yield SampledTopic(
            topic,
            len(sample.records),
            recognise(sample.records),
            trials,
            findings,
            beyond_fuse=_beyond_fuse(settings.dead_letter.fuse, sample.records, trials),
        )


def _beyond_fuse(fuse: FuseSettings, records: Sequence[Record], trials: Iterable[Trial]) -> str:
    """Return why the dead letters of a sample are more than the fuse allows, else nothing.

    The share counts for any number of records, because a sample is small. A run counts within one
    partition, because the daemon reads the partitions in another order.
    """
    rejected = {place for trial in trials for place in trial.rejected}
    run = longest = 0
    partition = None
    for record in records:
        if record.partition() != partition:
            run, partition = 0, record.partition()
        run = run + 1 if (partition, record.offset()) in rejected else 0
        longest = max(longest, run)
    share = len(rejected) / len(records)
    if longest >= fuse.consecutive:
        return (
            f"{longest} records in a row of this sample would be dead-lettered; the daemon holds"
            f" the topic (MASS_REJECT) after {fuse.consecutive} in a row"
            " (dead_letter.fuse.consecutive)"
        )
    if rejected and share >= fuse.ratio:
        return (
            f"{len(rejected)} of {count_of(len(records), 'record')} of this sample would be"
            f" dead-lettered ({share:.1%}); the daemon holds the topic (MASS_REJECT) from a share"
            f" of {fuse.ratio:.1%} on (dead_letter.fuse.ratio), among at least {SHARE_FROM_COUNT}"
            f" records in {WINDOW_S} s"
        )
    return ""


def _findings(
    trials: Iterable[Trial],
    records: Sequence[Record],
    schemas: SchemaCache | None,
    shared: SharedObjects,
) -> Iterator[SampleWarning]:
    """Compare what each route reads and sends with the columns and tables of the sampled rows."""
    for trial in trials:
        route = trial.route
        opened = (
            unframed(records, schemas).records
            if route.encoding != "json" and schemas is not None
            else records
        )
        # The columns are inside the row that the route describes, which is not opened here.
        columns = (
            {} if route.has_envelope else rows_of(opened, route.format, route.flat_prefix).columns
        )
        texts = list(unseen_columns(route, columns)) if columns else []
        for text in (*texts, *shared.look_at(trial, opened)):
            yield SampleWarning(route.place, f"{records[0].topic()}: {text}")


def _is_encoded(settings: Settings, topic: str) -> bool:
    """Return whether a route of the topic needs schemas from the registry."""
    return any(route.encoding != "json" and takes(route, topic) for route in settings.routes)


def _topics(route: RouteSettings, settings: Settings, sampler: Sampler) -> list[str]:
    """Return the topics of a route; a regular expression is matched with the existing topics."""
    if not route.topics[0].startswith("^"):
        return list(route.topics)
    return [
        name
        for name in sampler.topics()
        if takes(route, name) and name != settings.dead_letter.topic
    ]


def warnings_of(settings: Settings, seen: SampledTopic) -> Iterator[SampleWarning]:
    """Yield the warnings for one topic: no sample, unseen columns, other format, dead letters."""
    if seen.problem:
        route = next(
            (route for route in settings.routes if takes(route, seen.topic)), settings.routes[0]
        )
        yield SampleWarning(route.place, f"{seen.topic}: {seen.problem}")
    yield from seen.findings
    if seen.beyond_fuse:
        yield SampleWarning(seen.trials[0].route.place, f"{seen.topic}: {seen.beyond_fuse}")
    for trial in seen.trials:
        place, route = trial.route.place, trial.route
        if seen.recognition is not None and (other := _other_format(seen.recognition, route)):
            yield SampleWarning(place, f"{seen.topic}: {other}")
        for fault, faulty in trial.faults.items():
            text = (
                f"{seen.topic}: {faulty.count} of {count_of(seen.record_count, 'record')} would be"
                f" dead-lettered: {fault}, first at {faulty.first}"
            )
            yield SampleWarning(place, text)


def _other_format(recognition: Recognition, route: RouteSettings) -> str | None:
    """Return a sentence if most values have another format or encoding than the route.

    Plain JSON gives no warning, because any format may look like it.
    """
    if recognition.framings:
        framing, count = next(iter(recognition.framings.items()))
        is_glue = recognition.registry == "glue"
        if route.encoding == "json":
            return (
                f"expected encoding {route.encoding}, got {FRAMES[recognition.registry]} in"
                f" {count} of {count_of(recognition.value_count, 'value')}: set encoding: {framing}"
                f" on the route (guessed from the bytes)"
                + (", and type: glue in kafka.schema_registry" if is_glue else "")
            )
        return None
    name = recognition.format
    if name == "json" == route.format:
        return _unknown_format(recognition, route)
    if name in {None, "json", route.format} or route.encoding != "json":
        return None
    count = next(iter(recognition.formats.values()))
    return (
        f"expected format {route.format}, got {count} of"
        f" {count_of(recognition.value_count, 'value')} that look like {name}: set format: {name}"
        f" on the route"
    )


def _unknown_format(recognition: Recognition, route: RouteSettings) -> str | None:
    """Return a sentence if a route takes change records of an unknown format as rows."""
    unknown = sum(recognition.unknown.values())
    if route.operation or route.custom or unknown <= (1 - CLEAR_SHARE) * recognition.value_count:
        return None
    return (
        f"expected rows, got {unknown} of {count_of(recognition.value_count, 'value')} in the form"
        f" of change records ({next(iter(recognition.unknown))}); each is taken as a row, a delete"
        f" too: write operation and row on the route (docs/change-envelopes.md)"
    )
