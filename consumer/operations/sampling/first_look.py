"""Guesses the route of a topic from its sample, or says why that is not possible."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

import msgspec

from consumer.decoding.schema_cache import SchemaCache
from consumer.mapping.settings import EncodingName, FormatName
from consumer.operations.plurals import count_of
from consumer.operations.sampling.first_files import yaml_scalar
from consumer.operations.sampling.guessed_key import TopicTables
from consumer.operations.sampling.guessed_route import GuessedRoute, guess_route
from consumer.operations.sampling.guesses import fit_name, path_of, words_of
from consumer.operations.sampling.recognition import (
    CLEAR_SHARE,
    EVIDENCE,
    FRAMES,
    Recognition,
    recognise,
)
from consumer.operations.sampling.sampled_rows import SampledRows, rows_of
from consumer.operations.sampling.sampler import NoSample
from consumer.operations.sampling.tables import (
    PHYSICAL_TABLE,
    distinguishing,
    has_shards,
    tables_in,
)
from consumer.operations.sampling.unframed import schemas_in, unframed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from consumer.decoding.wire_formats import RegistryType
    from consumer.operations.sampling.sampler import Sample
    from consumer.operations.sampling.tables import SourceTable
    from consumer.operations.sampling.unframed import UnframedSample
    from consumer.registry.settings import AnyRegistry


_OPTIONS: Final[dict[RegistryType, str]] = {
    "confluent": "--registry url=https://HOST",
    "glue": "--registry type=glue --registry region=REGION",
}
"""The options of `config init` that name a registry of each type."""


_DELETED: Final = frozenset({"deleted", "removed", "tombstone"})
"""Words in the name of a column that may mark deleted rows."""


class TopicHints(msgspec.Struct, frozen=True):
    """The user's choices for a topic; `format` is guessed if it is `None`, `zone` never is.

    `object` is the name of its object if it has one table, `key` the key columns of its rows.
    """

    object: str
    format: FormatName | None = None
    zone: str | None = None
    key: tuple[str, ...] = ()


class FirstLook(msgspec.Struct, frozen=True):
    """The guessed routes of a topic, each with lines that describe the sample without any value."""

    routes: tuple[tuple[GuessedRoute, tuple[str, ...]], ...]
    schemas: SchemaCache


def look_at(
    sample: Sample,
    hints: TopicHints,
    registry: AnyRegistry | None = None,
    taken: Collection[str] = (),
) -> FirstLook:
    """Detect the format of a topic and guess a route for each table in it.

    `taken` are names that no object may have.

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
            _refuse(sample, f"{_framed(recognition)}; add {_OPTIONS[recognition.registry]}")
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
    remarks = [_count_line(sample, recognition), *encoding_remarks]
    remarks.append(_evidence(recognition, name, chosen=hints.format is not None))
    routes = []
    used = {*taken}
    for group in _groups(sample, name, recognition, hints):
        guessed = guess_route(
            _object_name(group, hints, used),
            group.rows,
            (name, recognition.prefix, encoding),
            hints.zone,
            group.tables,
        )
        used.add(guessed.object)
        more = [*group.remarks, *_soft_deletes(group.rows)]
        more += [f"not decoded: {line}" for line in _counted(group.rows.refused)]
        routes.append((guessed, (*remarks, *more)))
    return FirstLook(tuple(routes), schemas)


class _Group(msgspec.Struct, frozen=True):
    """The rows of one object. `table` is empty if the topic has no other object."""

    table: str
    rows: SampledRows
    tables: TopicTables
    remarks: tuple[str, ...] = ()


def _groups(
    sample: Sample, name: FormatName, recognition: Recognition, hints: TopicHints
) -> list[_Group]:
    """Divide the rows of a topic: one group for each table, and one for all shards of a table.

    Raises: `NoSample` if no group has a row.
    """
    tables, others = tables_in(sample.records, name, recognition.prefix)
    every = tuple(tables)
    rows = rows_of(sample.records, name, recognition.prefix)
    if not rows.rows:
        _refuse_no_rows(sample, name, rows)
    if has_shards(rows.keys):
        remark = "shards of one table by the Kafka key: their key starts with the shard"
        physical = (f"$key.{PHYSICAL_TABLE}",)
        sharded = TopicTables(topic=sample.topic, shards=physical, key=hints.key)
        return [_Group("", rows, sharded, (remark,))]
    # Tables with the same name but for numbers, and the same columns, are shards of one table.
    families: dict[object, list[SourceTable]] = {}
    for table, records in tables.items():
        of_table = rows_of(records, name, recognition.prefix)
        if of_table.rows:
            families.setdefault((table.family, frozenset(of_table.columns)), []).append(table)
    groups = []
    differing = distinguishing(every)
    for family in families.values():
        several = len(families) > 1 or len(family) < len(every)
        names = [dict(table.names) for table in family]
        where = {
            # A table may lack a name that others have: null is the condition for that.
            source: tuple(dict.fromkeys(one.get(source) for one in names))
            for source in differing
        }
        remarks = []
        if several:
            remarks.append(
                f"{count_of(len(every), 'table')} in this topic; this route takes"
                f" {', '.join(map(str, family))}"
            )
        shards = distinguishing(family)
        if shards:
            remarks.append(
                f"a guess: {count_of(len(family), 'table')} with the same columns are shards of one"
                f" table; their key starts with the shard"
            )
        records = [record for table in family for record in tables[table]]
        groups.append(
            _Group(
                family[0].name if several else "",
                rows_of([*records, *others], name, recognition.prefix) if several else rows,
                TopicTables(
                    topic=sample.topic,
                    where=where if several else {},
                    shards=shards,
                    key=hints.key,
                ),
                tuple(remarks),
            )
        )
    return groups or [_Group("", rows, TopicTables(topic=sample.topic, key=hints.key))]


def _object_name(group: _Group, hints: TopicHints, used: Collection[str]) -> str:
    """Return the name of a group's object: of its table, if the topic has several."""
    if not group.table:
        return hints.object
    name = fit_name(group.table, ())
    lower = {one.lower() for one in used}
    return name if name.lower() not in lower else fit_name(f"{hints.object}_{group.table}", used)


def _soft_deletes(rows: SampledRows) -> Iterator[str]:
    """Yield a remark for each column that may say that its row is deleted."""
    for name, seen in rows.columns.items():
        is_flag = seen.kinds["boolean"] and set(seen.kinds) <= {"boolean", "null"}
        if rows.form == "json" and is_flag and words_of(name) & _DELETED:
            path = yaml_scalar(path_of(*seen.steps))
            yield (
                f"column {name} may mark deleted rows, which are upserts here; to delete them write"
                f" operation: {{from: {path}, insert: [false, null], delete: true}}"
            )


def _refuse_no_rows(sample: Sample, name: FormatName, rows: SampledRows) -> NoReturn:
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


def _framed(recognition: Recognition) -> str:
    """Return how many values have the framing of a schema registry."""
    framing, framed = next(iter(recognition.framings.items()))
    return (
        f"has {framed} of {recognition.value_count} values in {FRAMES[recognition.registry]} (by"
        f" their bytes, encoding {framing})"
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
        seen = ", ".join(_counted(recognition.own))
        what = f"records that its source writes for itself ({seen})" if seen else "null values"
        _refuse(
            sample,
            f"has only {what} among {count_of(len(sample.records), 'record')}; sample more with"
            f" --records, or leave out the topic",
        )
    if name is None:
        seen = ", ".join(_counted(recognition.refused))
        _refuse(sample, f"has no value that is a JSON object: {seen}")
    if recognition.formats[name] < CLEAR_SHARE * count:
        seen = ", ".join([*_counted(recognition.formats), *_counted(recognition.refused)])
        _refuse(sample, f"has values of several formats: {seen}; choose one with --format")
    unknown = sum(recognition.unknown.values())
    if unknown > (1 - CLEAR_SHARE) * count:
        system = next(iter(recognition.unknown))
        _refuse(
            sample,
            f"has change records of a format that `config init` cannot write a route for: {unknown}"
            f" of {count_of(count, 'value')} look like {system}; write the route yourself, with"
            f" the keys operation and row (docs/change-envelopes.md), or choose --format json if"
            f" each value is a row by itself",
        )
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
        *_counted(recognition.own),
    ]
    if recognition.null_count:
        kinds.append(f"{recognition.null_count} null")
    return (
        f"{len(sample.records)} of {count_of(sample.record_count, 'record')} in"
        f" {count_of(sample.partition_count, 'partition')}: {', '.join(kinds)}"
    )


def _evidence(recognition: Recognition, name: FormatName, *, chosen: bool) -> str:
    """Return the format and the reason for it."""
    unknown = [f"{count} look like {system}" for system, count in recognition.unknown.items()]
    if chosen:
        odd = f"; of the values, {', '.join(unknown)}" if unknown else ""
        return f"format {name} (from --format{odd})"
    if name == "json":
        odd = f"; {', '.join(unknown)}" if unknown else ""
        return f"format json (a guess: {EVIDENCE[name]}{odd})"
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
