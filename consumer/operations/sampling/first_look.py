"""Guesses the route of a topic from its sample, or says why that is not possible."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

import msgspec

from consumer.decoding.schema_cache import SchemaCache
from consumer.mapping.settings import EncodingName, FormatName
from consumer.operations.plurals import count_of
from consumer.operations.sampling.guessed_route import GuessedRoute, guess_route
from consumer.operations.sampling.recognition import EVIDENCE, Recognition, recognise
from consumer.operations.sampling.sampled_rows import rows_of
from consumer.operations.sampling.sampler import NoSample
from consumer.operations.sampling.unframed import schemas_in, unframed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consumer.operations.sampling.sampler import Sample
    from consumer.operations.sampling.unframed import UnframedSample
    from consumer.registry.settings import RegistrySettings

CLEAR_SHARE: Final = 0.9
"""A format or encoding is only accepted if this share of the values has it."""


class TopicHints(msgspec.Struct, frozen=True):
    """The user's choices for a topic; `format` is guessed if it is `None`, `zone` never is."""

    object: str
    format: FormatName | None = None
    zone: str | None = None


class FirstLook(msgspec.Struct, frozen=True):
    """A guessed route, and lines that describe the sample without any value."""

    route: GuessedRoute
    remarks: tuple[str, ...]
    schemas: SchemaCache


def look_at(
    sample: Sample, hints: TopicHints, registry: RegistrySettings | None = None
) -> FirstLook:
    """Detect the format of a topic and guess its route.

    Raises: `NoSample` if its values are not rows of one format.
    """
    if not sample.records:
        _refuse(sample, "is empty; produce records first, or choose another topic")
    recognition = recognise(sample.records)
    encoding: EncodingName = "json"
    schemas, encoding_remarks = SchemaCache(), list[str]()
    if recognition.framings:
        # The bytes give the encoding only roughly. The registry knows it, so its schemas decide,
        # and the values are recognised a second time as JSON.
        if registry is None:
            _refuse(sample, f"{_framed(recognition)}; add --registry url=https://HOST")
        schemas = schemas_in(sample.records, registry)
        opened = unframed(sample.records, schemas)
        encoding = _encoding_of(sample, opened)
        encoding_remarks = [
            f"encoding {encoding}, from the schema registry",
            *map("not decoded: {}".format, _counted(opened.refused)),
        ]
        sample = msgspec.structs.replace(sample, records=opened.records)
        recognition = recognise(sample.records)
    name = hints.format or _format_of(sample, recognition)
    rows = rows_of(sample.records, name, recognition.prefix)
    if not rows.rows:
        seen = (
            ", ".join(_counted(rows.refused))
            or f"{count_of(rows.delete_count, 'delete')},"
            f" {count_of(rows.tombstone_count, 'null value')}"
        )
        _refuse(
            sample,
            f"has no inserted or updated row of format {name} among"
            f" {count_of(len(sample.records), 'record')} ({seen}); sample more with --records, or"
            f" choose another --format",
        )
    route = guess_route(
        sample.topic, hints.object, rows, (name, recognition.prefix, encoding), hints.zone
    )
    remarks = [_count_line(sample, recognition), *encoding_remarks]
    remarks.append(_evidence(recognition, name, chosen=hints.format is not None))
    remarks += [f"not decoded: {line}" for line in _counted(rows.refused)]
    return FirstLook(route, tuple(remarks), schemas)


def _framed(recognition: Recognition) -> str:
    """Return how many values have the framing of a schema registry."""
    framing, framed = next(iter(recognition.framings.items()))
    return (
        f"has {framed} of {recognition.value_count} values in schema registry framing (by their"
        f" bytes, encoding {framing})"
    )


def _encoding_of(sample: Sample, opened: UnframedSample) -> EncodingName:
    """Return the encoding of nearly all values.

    Raises: `NoSample` if there is none.
    """
    name = next(iter(opened.encodings), None)
    count = sum(opened.encodings.values()) + sum(opened.refused.values())
    if name is None or opened.encodings[name] < CLEAR_SHARE * count:
        seen = ", ".join([*_counted(opened.encodings), *_counted(opened.refused)])
        _refuse(sample, f"has values of several encodings, or values that do not decode: {seen}")
    return name


def _format_of(sample: Sample, recognition: Recognition) -> FormatName:
    """Return the format of nearly all values.

    Raises: `NoSample` if there is none.
    """
    count = recognition.value_count
    name = recognition.format
    if name is None and not count:
        _refuse(
            sample,
            f"has only null values among {count_of(len(sample.records), 'record')}; sample more"
            f" with --records",
        )
    if name is None:
        seen = ", ".join(_counted(recognition.refused))
        _refuse(sample, f"has no value that is a JSON object: {seen}")
    if recognition.formats[name] < CLEAR_SHARE * count:
        seen = ", ".join([*_counted(recognition.formats), *_counted(recognition.refused)])
        _refuse(sample, f"has values of several formats: {seen}; choose one with --format")
    return name


def _refuse(sample: Sample, text: str) -> NoReturn:
    message = f"topic `{sample.topic}` {text}"
    raise NoSample(message)


def _count_line(sample: Sample, recognition: Recognition) -> str:
    """Return how many records were read, and how many of each kind."""
    kinds = [
        *_counted(recognition.formats),
        *_counted(recognition.framings),
        *_counted(recognition.refused),
    ]
    if recognition.null_count:
        kinds.append(f"{recognition.null_count} null")
    return (
        f"{len(sample.records)} of {count_of(sample.record_count, 'record')} in"
        f" {count_of(sample.partition_count, 'partition')}: {', '.join(kinds)}"
    )


def _evidence(recognition: Recognition, name: FormatName, *, chosen: bool) -> str:
    """Return the format and the reason for it."""
    if chosen:
        return f"format {name} (from --format)"
    others = recognition.others(name)
    having = (
        "all values have"
        if not others
        else f"{recognition.value_count - others} of {recognition.value_count} values have"
    )
    return f"format {name} ({having} {EVIDENCE[name]})"


def _counted(
    counts: Mapping[FormatName, int] | Mapping[EncodingName, int] | Mapping[str, int],
) -> list[str]:
    return [f"{count} {name}" for name, count in counts.items()]
