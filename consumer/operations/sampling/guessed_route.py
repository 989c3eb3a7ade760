"""Guesses an object and its route from sampled rows: fields, key, category, versions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from consumer.config.routes import PARTIAL_FORMATS
from consumer.decoding.opened import Digits, Nested, Opened
from consumer.mapping.settings import EncodingName, FieldType, FormatName
from consumer.operations.sampling.guesses import (
    Guess,
    GuessedField,
    fit_name,
    guess,
    is_reachable,
    words_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from consumer.operations.sampling.sampled_rows import SampledRows

PEOPLE: Final = frozenset(
    "account client contact customer employee guest household individual lead member patient"  # noqa: SIM905
    " people person profile prospect subscriber user visitor".split()
)
"""Words in the name of an object whose rows are probably about people."""

_MODIFIED: Final = frozenset(
    {"updated", "modified", "changed", "update", "modification", "lastmodified"}
)
_PLURAL = re.compile(r"(?<=.)(ies|s)\Z")
_NOT_COLUMNS: Final = frozenset({"__dbz__physicalTableIdentifier"})
"""Members that Debezium adds to a Kafka key and that are not columns."""


class ReasonedChoice(msgspec.Struct, frozen=True):
    """A chosen value and the reason for it."""

    value: str
    why: str


class GuessedRoute(msgspec.Struct, frozen=True, kw_only=True):
    """A route and its object. `left_out` has the columns that a rule cannot name."""

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
    topic: str,
    name: str,
    rows: SampledRows,
    form: tuple[FormatName, str, EncodingName],
    zone: str | None,
) -> GuessedRoute:
    """Guess a route from the rows of its topic.

    Shape: `form` is the format, the prefix of the members that `debezium_flat` adds, the encoding.
    """
    fields, left_out = _fields(rows, zoned=zone is not None)
    key = _KeyGuesser(name, rows, fields).guess()
    # The key's field replaces the guessed one: a primary key is always text.
    fields = [key.field, *(one for one in fields if one.name != key.field.name)]
    category, event_time = _category(name, rows, form[0], fields, key)
    # Engagement objects have no versions: their rows never change.
    record_modified = None
    if category.value != "engagement":
        record_modified, added = _record_modified(rows, fields)
        fields += added
    return GuessedRoute(
        topic=topic,
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
        tombstones=_tombstones(rows, form[0], key),
    )


def _fields(rows: SampledRows, *, zoned: bool) -> tuple[list[GuessedField], tuple[str, ...]]:
    """Return a field for each column that needs no rule or that a rule can name, and the others."""
    fields: list[GuessedField] = []
    left_out = []
    for column, seen in rows.columns.items():
        name = fit_name(column, [one.name for one in fields])
        guessed = guess(seen, zoned=zoned)
        # A column with a valid name and no conversion is taken without a rule, even if its name
        # could not be written in one.
        needs_rule = name != column or bool(guessed.rule)
        if needs_rule and not is_reachable(column):
            left_out.append(column)
        else:
            fields.append(GuessedField(name, guessed, column if needs_rule else None))
    return fields, tuple(left_out)


class GuessedKey(msgspec.Struct, frozen=True):
    """The primary key of an object and the reason for it."""

    field: GuessedField
    why: str
    by_kafka_key: bool
    """Whether the Kafka key holds it, so that a tombstone can delete the row."""
    unique: bool
    """Whether no two sampled rows have the same key."""


class _KeyGuesser:
    """Guesses the primary key of one object, from the Kafka key or from a column."""

    def __init__(self, name: str, rows: SampledRows, fields: list[GuessedField]) -> None:
        self._name = name
        self._rows = rows
        self._fields = fields
        self._columns = {(one.source or one.name): one for one in fields}

    def guess(self) -> GuessedKey:
        """Return the first key that fits, in the order from certain to uncertain."""
        columns = self._kafka_columns()
        if len(columns) == 1:
            return self._of_column(columns[0], "the column of the Kafka key", by_kafka_key=True)
        if columns:
            return self._of_columns(columns)
        tried: tuple[Callable[[], GuessedKey | None], ...] = (
            self._of_event,
            self._of_equal_column,
            self._of_name,
            self._of_key_text,
        )
        for attempt in tried:
            found = attempt()
            if found is not None:
                return found
        return self._added(
            "record_id",
            "{$kafka.topic}-{$kafka.partition}-{$kafka.offset}",
            "a guess: no column identifies a row, so the key is topic, partition and offset",
        )

    def _kafka_columns(self) -> list[str]:
        """Return the members of the Kafka key if all keys have them and all rows do as columns."""
        keys = [key.fields for key in self._rows.keys if key is not None and key.fields is not None]
        # One record without such a key is enough: its row would have no primary key.
        if not keys or len(keys) < len(self._rows.rows):
            return []
        names = [name for name in keys[0] if name not in _NOT_COLUMNS]
        fit = all(name in self._columns and is_reachable(name) for name in names)
        same = all(key.keys() - _NOT_COLUMNS == set(names) for key in keys)
        return names if fit and same and all(map(self._is_in_every_row, names)) else []

    def _of_columns(self, columns: list[str]) -> GuessedKey:
        template = "-".join(f"{{{one}}}" for one in columns)
        added = self._added(f"{self._name}_key", template, "the columns of the Kafka key, joined")
        return msgspec.structs.replace(added, by_kafka_key=True)

    def _of_event(self) -> GuessedKey | None:
        """Use `source` and `id`, which together identify a CloudEvent."""
        members = [row.members for row in self._rows.rows]
        if not all({"specversion", "source", "id"} <= one.keys() for one in members) or not members:
            return None
        # Debezium's CloudEvents identify the change, not the row.
        if any("iodebeziumop" in one for one in members):
            return None
        return self._added(
            "event_key",
            "{$envelope.source}#{$envelope.id}",
            "source and id, which identify a CloudEvent",
        )

    def _of_equal_column(self) -> GuessedKey | None:
        """Use a column that is equal to the Kafka key in every row."""
        texts = [_text(key.scalar) if key is not None else None for key in self._rows.keys]
        if not texts or None in texts:
            return None
        for column in self._columns:
            if self._is_in_every_row(column) and texts == [
                _text(row.values.get(column)) for row in self._rows.rows
            ]:
                return self._of_column(column, "equal to the Kafka key", by_kafka_key=True)
        return None

    def _of_name(self) -> GuessedKey | None:
        """Use a column that is never null and has a name that is usual for keys."""
        single = _PLURAL.sub(lambda end: "y" if end[1] == "ies" else "", self._name.lower())
        usual = ("id", f"{single}_id", f"{single}id", "uuid", "guid", "_id", "key")
        named = [one for name in usual for one in self._columns if one.lower() == name]
        named += [one for one in self._columns if words_of(one) & {"id", "uuid", "guid"}]
        for column in named:
            if self._is_in_every_row(column):
                return self._of_column(column, "a guess, by its name", by_kafka_key=False)
        return None

    def _of_key_text(self) -> GuessedKey | None:
        """Use the Kafka key itself, in a field that is added for it."""
        texts = [_text(key.scalar) if key is not None else None for key in self._rows.keys]
        if not texts or not all(texts):
            return None
        name = fit_name("kafka_key", [one.name for one in self._fields])
        field = GuessedField(name, Guess(FieldType.TEXT), "$key")
        return GuessedKey(
            field,
            "a guess: the Kafka key",
            by_kafka_key=True,
            unique=len(set(texts)) == len(texts),
        )

    def _of_column(self, column: str, why: str, *, by_kafka_key: bool) -> GuessedKey:
        field = self._columns[column]
        needs_rule = field.name != column
        texts = [_text(row.values.get(column)) for row in self._rows.rows]
        field = GuessedField(field.name, Guess(FieldType.TEXT), column if needs_rule else None)
        return GuessedKey(
            field, why, by_kafka_key=by_kafka_key, unique=len(set(texts)) == len(texts)
        )

    def _added(self, name: str, template: str, why: str) -> GuessedKey:
        fit = fit_name(name, [one.name for one in self._fields])
        field = GuessedField(fit, Guess(FieldType.TEXT), template=template)
        return GuessedKey(field, why, by_kafka_key=False, unique=True)

    def _is_in_every_row(self, column: str) -> bool:
        """Return whether every row has a value in this column that can be a key."""
        return all(_text(row.values.get(column)) for row in self._rows.rows)


def _text(opened: Opened) -> str | None:
    """Return a value as text, or `None` if it cannot be a key."""
    if isinstance(opened, Nested | bool) or not isinstance(opened, str):
        return None
    # Numbers are kept as their digits. A fraction has several spellings (1.0, 1.00) and no key.
    if isinstance(opened, Digits) and not opened.removeprefix("-").isdecimal():
        return None
    return str(opened)


def _category(
    name: str, rows: SampledRows, form: FormatName, fields: Iterable[GuessedField], key: GuessedKey
) -> tuple[ReasonedChoice, ReasonedChoice | None]:
    """Guess the category of an object, and for engagement objects the event time field."""
    times = [one for one in fields if _is_time(one) and _always_there(rows, one)]
    # CDC formats carry tables, whose rows change. Only plain JSON and CloudEvents may be events.
    events = form in {"json", "cloudevents"} and not rows.delete_count and not rows.tombstone_count
    if events and times and key.unique:
        # Several times: prefer one whose name says that it is the time of the event.
        first = min(
            times,
            key=lambda one: (
                not words_of(one.name) & {"event", "occurred", "time", "timestamp", "ts"}
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
    column = rows.columns.get(field.source or field.name)
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


def _tombstones(rows: SampledRows, form: FormatName, key: GuessedKey) -> ReasonedChoice | None:
    """Choose what a tombstone means, if the format leaves it open or no Kafka key names a row."""
    if not rows.tombstone_count or form not in {"json", "debezium_flat", "cloudevents"}:
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
