"""Guesses an object and its route from sampled rows: fields, key, category, versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from consumer.config.routes import PARTIAL_FORMATS
from consumer.mapping.settings import EncodingName, FieldType, FormatName
from consumer.operations.sampling.guessed_key import TEXT_KEY_FORMATS, KeyGuesser
from consumer.operations.sampling.guesses import (
    Guess,
    GuessedField,
    fit_name,
    guess,
    is_reachable,
    path_of,
    words_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consumer.operations.sampling.guessed_key import GuessedKey, TopicTables
    from consumer.operations.sampling.sampled_rows import SampledRows

PEOPLE: Final = frozenset(
    "account client contact customer employee guest household individual lead member patient"  # noqa: SIM905
    " people person profile prospect subscriber user visitor".split()
)
"""Words in the name of an object whose rows are probably about people."""

_MODIFIED: Final = frozenset(
    {"updated", "modified", "changed", "update", "modification", "lastmodified"}
)


class ReasonedChoice(msgspec.Struct, frozen=True):
    """A chosen value and the reason for it."""

    value: str
    why: str


class GuessedRoute(msgspec.Struct, frozen=True, kw_only=True):
    """A route and its object. `left_out` has the columns that a rule cannot name.

    `where` limits the route to the tables of its object, if the topic has several.
    """

    topic: str
    object: str
    format: FormatName
    prefix: str
    encoding: EncodingName
    zone: str | None
    fields: tuple[GuessedField, ...]
    left_out: tuple[str, ...]
    category: ReasonedChoice
    primary_key: ReasonedChoice
    record_modified: ReasonedChoice | None
    event_time: ReasonedChoice | None
    partial: bool
    tombstones: ReasonedChoice | None
    where: dict[str, tuple[str | None, ...]] = {}


def object_names(topics: Iterable[str]) -> dict[str, str]:
    """Return an object name for each topic.

    It is the last part of the topic's name, or more parts if two names would be equal.
    """
    names: dict[str, str] = {}
    for topic in topics:
        parts = [part for part in topic.split(".") if part] or [topic]
        shortest = (fit_name("_".join(parts[-count:]), ()) for count in range(1, len(parts) + 1))
        taken = {name.lower() for other, name in names.items() if other != topic}
        names[topic] = next(
            (one for one in shortest if one.lower() not in taken), fit_name(topic, taken)
        )
    return names


def guess_route(
    name: str,
    rows: SampledRows,
    form: tuple[FormatName, str, EncodingName],
    zone: str | None,
    tables: TopicTables,
) -> GuessedRoute:
    """Guess a route from the rows of one object.

    Shape: `form` is the format, the prefix of the members that `debezium_flat` adds, the encoding.
    Raises: `NoSample` if no column identifies a row that may be updated or deleted.
    """
    fields, left_out = _fields(rows, zoned=zone is not None)
    key = KeyGuesser(name, rows, form[0], fields, tables).guess()
    # The key's field replaces the guessed one: a primary key is always text.
    fields = [key.field, *(one for one in fields if one.name != key.field.name)]
    category, event_time = _category(name, rows, form[0], fields, key)
    # Engagement objects have no versions: their rows never change.
    record_modified = None
    if category.value != "engagement":
        record_modified, added = _record_modified(rows, fields)
        fields += added
    return GuessedRoute(
        topic=tables.topic,
        object=name,
        format=form[0],
        prefix=form[1],
        encoding=form[2],
        zone=zone,
        fields=tuple(fields),
        left_out=left_out,
        category=category,
        primary_key=ReasonedChoice(key.field.name, key.why),
        record_modified=record_modified,
        event_time=event_time,
        partial=category.value != "engagement" and (rows.unprovided or form[0] in PARTIAL_FORMATS),
        tombstones=_tombstones(rows, form[0], key, several=bool(tables.where)),
        where=tables.where,
    )


def _fields(rows: SampledRows, *, zoned: bool) -> tuple[list[GuessedField], tuple[str, ...]]:
    """Return a field for each column that needs no rule or that a rule can name, and the others."""
    fields: list[GuessedField] = []
    left_out = []
    for column, seen in rows.columns.items():
        name = fit_name(seen.field, [one.name for one in fields])
        guessed = guess(seen, zoned=zoned)
        # A column with a valid name and no conversion is taken without a rule.
        needs_rule = (name,) != seen.steps or bool(guessed.rule)
        if needs_rule and not is_reachable(*seen.steps):
            left_out.append(column)
        else:
            source = path_of(*seen.steps) if needs_rule else None
            fields.append(GuessedField(name, guessed, source, column=column))
    return fields, tuple(left_out)


def _category(
    name: str, rows: SampledRows, form: FormatName, fields: Iterable[GuessedField], key: GuessedKey
) -> tuple[ReasonedChoice, ReasonedChoice | None]:
    """Guess the category of an object, and for engagement objects the event time field."""
    times = [one for one in fields if _is_time(one) and _always_there(rows, one)]
    # CDC formats carry tables, whose rows change. Only plain JSON and CloudEvents may be events.
    events = form in {"json", "cloudevents"} and not rows.delete_count and not rows.tombstone_count
    # A row with the time of its last change is changed some day; an event is not.
    changing = any(words_of(one.name) & _MODIFIED for one in times)
    if events and times and key.unique and not changing:
        # Several times: prefer one whose name says that it is the time of the event.
        first = min(
            times,
            key=lambda one: (
                not words_of(one.name) & {"event", "occurred", "time", "timestamp", "ts"},
                one.guess.type is not FieldType.DATE_TIME,
            ),
        )
        return (
            ReasonedChoice(
                "engagement", "a guess: no row is repeated or deleted, and each has a time"
            ),
            ReasonedChoice(first.name, "a guess: every row has this time; it must never change"),
        )
    if {one for word in words_of(name) for one in (word, word.removesuffix("s"))} & PEOPLE:
        return ReasonedChoice("profile", "a guess, by its name: rows about people"), None
    return ReasonedChoice(
        "other", "a guess: profile is for people, engagement is for events with a time"
    ), None


def _is_time(field: GuessedField) -> bool:
    return field.guess.type in {FieldType.DATE, FieldType.DATE_TIME}


def _always_there(rows: SampledRows, field: GuessedField) -> bool:
    """Return whether every row has a value for a field."""
    column = rows.columns.get(field.column)
    return column is not None and column.value_count == len(rows.rows)


def _record_modified(
    rows: SampledRows, fields: list[GuessedField]
) -> tuple[ReasonedChoice, list[GuessedField]]:
    """Choose the column with the time of the last change, or else add a field for that time."""
    for field in fields:
        named = words_of(field.name) & _MODIFIED
        if named and field.guess.type is FieldType.DATE_TIME and _always_there(rows, field):
            return ReasonedChoice(
                field.name, "a guess, by its name; it must increase with every change of a row"
            ), []
    name = fit_name("source_changed_at", [one.name for one in fields])
    added = GuessedField(name, Guess(FieldType.DATE_TIME, {}, "filled with the time of the change"))
    return ReasonedChoice(name, "added, because no column fits: the time of the change"), [added]


def _tombstones(
    rows: SampledRows, form: FormatName, key: GuessedKey, *, several: bool
) -> ReasonedChoice | None:
    """Choose what a tombstone means, if the format leaves it open or no Kafka key names a row.

    `several` if the topic has several tables.
    """
    if several and form in TEXT_KEY_FORMATS:
        return ReasonedChoice("ignore", "a null value does not name its table")
    if not rows.tombstone_count or form not in TEXT_KEY_FORMATS:
        return None
    if not key.by_kafka_key:
        return ReasonedChoice(
            "ignore", "there are null values, and the Kafka key does not identify a row"
        )
    if form == "debezium_flat":
        return None
    return ReasonedChoice(
        "delete", "a guess: there are null values, and the Kafka key identifies the row"
    )
