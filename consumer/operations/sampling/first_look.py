"""A first look at a topic: from its sample to the route that would carry it.

Or why there can be none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

import msgspec

from consumer.decoding.schema_cache import SchemaCache
from consumer.mapping.settings import EncodingName, FormatName
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
"""A format that fewer of the values have is not the topic's."""


class TopicHints(msgspec.Struct, frozen=True):
    """What the user says of a topic.

    Its object, and the format and the zone where those are not to be guessed.
    """

    object: str
    format: FormatName | None = None
    zone: str | None = None


class FirstLook(msgspec.Struct, frozen=True):
    """A guessed route, and what was seen: lines without any value."""

    route: GuessedRoute
    remarks: tuple[str, ...]
    schemas: SchemaCache


def look_at(
    sample: Sample, wanted: TopicHints, registry: RegistrySettings | None = None
) -> FirstLook:
    """Recognise a topic and guess its route.

    Raises `NoSample` when its values are not rows of one format.
    """
    if not sample.records:
        _refuse(sample, "is empty; produce records first, or name another topic")
    recognition = recognise(sample.records)
    encoding: EncodingName = "json"
    schemas, spoken = SchemaCache(), list[str]()
    if recognition.framings:
        if registry is None:
            _refuse(
                sample,
                f"{_framed(recognition)}; name the registry with --registry url=https://HOST",
            )
        schemas = schemas_in(sample.records, registry)
        opened = unframed(sample.records, schemas)
        encoding = _encoding_of(sample, opened)
        spoken = [
            f"encoding {encoding}, by the registry",
            *map("not opened: {}".format, _counted(opened.refused)),
        ]
        sample = msgspec.structs.replace(sample, records=opened.records)
        recognition = recognise(sample.records)
    name = wanted.format or _format_of(sample, recognition)
    rows = rows_of(sample.records, name, recognition.prefix)
    if not rows.rows:
        seen = (
            ", ".join(_counted(rows.refused))
            or f"{rows.delete_count} deletes, {rows.tombstone_count} null values"
        )
        _refuse(
            sample, f"has no new row of format {name} among {len(sample.records)} records ({seen})"
        )
    route = guess_route(
        sample.topic, wanted.object, rows, (name, recognition.prefix, encoding), wanted.zone
    )
    remarks = [_figures(sample, recognition), *spoken]
    remarks.append(_evidence(recognition, name, chosen=wanted.format is not None))
    remarks += [f"not decoded: {line}" for line in _counted(rows.refused)]
    return FirstLook(route, tuple(remarks), schemas)


def _framed(recognition: Recognition) -> str:
    """Say how many values are in a frame."""
    framing, framed = next(iter(recognition.framings.items()))
    frame = f"{framed} of {recognition.value_count} values in the frame of a schema registry"
    return f"has {frame}: encoding {framing}, by their bytes"


def _encoding_of(sample: Sample, opened: UnframedSample) -> EncodingName:
    """Return the encoding of nearly all values."""
    name = next(iter(opened.encodings), None)
    count = sum(opened.encodings.values()) + sum(opened.refused.values())
    if name is None or opened.encodings[name] < CLEAR_SHARE * count:
        seen = ", ".join([*_counted(opened.encodings), *_counted(opened.refused)])
        _refuse(sample, f"has values that no one encoding opens: {seen}")
    return name


def _format_of(sample: Sample, recognition: Recognition) -> FormatName:
    """Return the format of nearly all values."""
    count = recognition.value_count
    name = recognition.format
    if name is None and not count:
        _refuse(
            sample,
            (
                f"has null values alone among {len(sample.records)} records; sample more with"
                f" --records"
            ),
        )
    if name is None:
        _refuse(
            sample,
            f"has no value that is a JSON object: {', '.join(_counted(recognition.refused))}",
        )
    if recognition.formats[name] < CLEAR_SHARE * count:
        seen = ", ".join([*_counted(recognition.formats), *_counted(recognition.refused)])
        _refuse(sample, f"has values of several formats: {seen}; choose one with --format")
    return name


def _refuse(sample: Sample, text: str) -> NoReturn:
    message = f"topic `{sample.topic}` {text}"
    raise NoSample(message)


def _figures(sample: Sample, recognition: Recognition) -> str:
    """Say how many records of which kinds were read."""
    partitions = (
        f"{sample.partition_count} {'partition' if sample.partition_count == 1 else 'partitions'}"
    )
    kinds = [
        *_counted(recognition.formats),
        *_counted(recognition.framings),
        *_counted(recognition.refused),
    ]
    if recognition.null_count:
        kinds.append(f"{recognition.null_count} null")
    return (
        f"{len(sample.records)} of {sample.record_count} records of {partitions}:"
        f" {', '.join(kinds)}"
    )


def _evidence(recognition: Recognition, name: FormatName, *, chosen: bool) -> str:
    """Say how sure the format is, and by what it is told."""
    if chosen:
        return f"format {name}, as asked for"
    others = recognition.others(name)
    sure = (
        "sure: every value has"
        if not others
        else f"all but {others} of {recognition.value_count} values have"
    )
    return f"format {name}; {sure} {EVIDENCE[name]}"


def _counted(
    counts: Mapping[FormatName, int] | Mapping[EncodingName, int] | Mapping[str, int],
) -> list[str]:
    return [f"{count} {name}" for name, count in counts.items()]
