"""Guesses the primary key of an object from its sampled rows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from consumer.config.source_paths import fault_of_template
from consumer.decoding.columns import LogicalType
from consumer.decoding.opened import Digits, EpochMillis, Nested, Opened
from consumer.errors import RecordError
from consumer.mapping.numbers import variable_decimal
from consumer.mapping.settings import FieldType, FormatName
from consumer.operations.sampling.guesses import (
    Guess,
    GuessedField,
    fit_name,
    is_reachable,
    path_of,
    words_of,
)
from consumer.operations.sampling.sampler import NoSample
from consumer.operations.sampling.tables import PHYSICAL_TABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consumer.operations.sampling.sampled_rows import SampledRows

EVENT_FORMATS: Final[frozenset[FormatName]] = frozenset({"json", "cloudevents"})
"""Formats that may carry events, which never change. All others update and delete rows."""
TEXT_KEY_FORMATS: Final[frozenset[FormatName]] = EVENT_FORMATS | {"debezium_flat"}
"""Formats whose Kafka key, if it is text, identifies a row. Others may choose only the partition
by it."""

_PLURAL = re.compile(r"(?<=.)(ies|s)\Z")
_ADDED: Final = frozenset({PHYSICAL_TABLE})
"""Members that Debezium adds to a Kafka key and that do not identify a row."""
_STRUCT_TEXT: Final = re.compile(r"(Struct)?\{.*=.*\}\Z", re.DOTALL)
"""A struct that Connect's StringConverter has written as text."""


class TopicTables(msgspec.Struct, frozen=True, kw_only=True):
    """What a route has to know of the tables in its topic.

    `topic` is their topic, `where` the condition of the route. `shards` are the sources that
    distinguish the shards of its table, `key` the columns that the user has chosen as the key.
    """

    topic: str
    where: dict[str, tuple[str | None, ...]] = {}
    shards: tuple[str, ...] = ()
    key: tuple[str, ...] = ()


class GuessedKey(msgspec.Struct, frozen=True):
    """The primary key of an object and the reason for it."""

    field: GuessedField
    why: str
    by_kafka_key: bool
    """Whether the Kafka key holds it, so that a tombstone can delete the row."""
    unique: bool
    """Whether no two sampled rows have the same key."""


class KeyGuesser:
    """Guesses the primary key of one object, from the Kafka key or from a column."""

    def __init__(
        self,
        name: str,
        rows: SampledRows,
        form: FormatName,
        fields: list[GuessedField],
        tables: TopicTables,
    ) -> None:
        self._tables = tables
        self._name = name
        self._rows = rows
        self._form = form
        self._fields = fields
        self._columns = {one.column: one for one in fields}

    def guess(self) -> GuessedKey:
        """Return the first key that fits, in the order from certain to uncertain.

        Raises: `NoSample`.
        """
        if self._tables.key and not self._is_of_another_table(self._tables.key):
            return self._with_shard(self._chosen(self._tables.key))
        tried: tuple[Callable[[], GuessedKey | None], ...] = (
            self._of_envelope,
            self._of_kafka_columns,
            self._of_event,
            self._of_equal_column,
            self._of_name,
            self._of_key_text,
            self._of_place,
        )
        for attempt in tried:
            found = attempt()
            if found is not None:
                return self._with_shard(found)
        message = (
            f"topic `{self._tables.topic}`: no key for the rows of `{self._name}`: format"
            f" {self._form} updates and deletes rows, but neither the envelope nor the Kafka key"
            f" names columns that identify a row, and no column that is never null has the name"
            f" of a key; name its column with --key COLUMN, or leave out the topic"
        )
        raise NoSample(message)

    def _is_of_another_table(self, columns: Sequence[str]) -> bool:
        """Return whether the topic has several tables, and this one has none of the columns."""
        return bool(self._tables.where) and not any(one in self._columns for one in columns)

    def _chosen(self, columns: Sequence[str]) -> GuessedKey:
        """Return the key of the columns that the user named. Raises: `NoSample`."""
        for column in columns:
            if column not in self._columns or not self._is_reachable(column):
                message = (
                    f"topic `{self._tables.topic}`: --key {column}: the rows of `{self._name}` have"
                    f" no such column; they have {', '.join(self._columns)}"
                )
                raise NoSample(message)
        key = self._of_columns(columns, "from --key", by_kafka_key=False)
        if key is None:
            message = (
                f"topic `{self._tables.topic}`: a template cannot name the columns of --key"
                f" {' --key '.join(columns)}; choose others"
            )
            raise NoSample(message)
        return key

    def _of_envelope(self) -> GuessedKey | None:
        """Use the columns that the envelope of every row names as its key."""
        named = {row.key_columns for row in self._rows.rows}
        columns = next(iter(named), ())
        if len(named) != 1 or not columns or not all(map(self._is_key_column, columns)):
            return None
        return self._of_columns(columns, "the key that the envelope names", by_kafka_key=False)

    def _of_kafka_columns(self) -> GuessedKey | None:
        """Use the members of the Kafka key if all keys have them and all rows do as columns.

        A member that is not a column is read from the key: Debezium's topic routing adds the shard
        under any name.
        """
        rows = [key.row for key in self._rows.keys if key is not None]
        keys = [one for one in rows if one is not None]
        # One record without such a key is enough: its row would have no primary key.
        if not keys or len(keys) < len(self._rows.rows):
            return None
        names = [name for name in keys[0] if name not in _ADDED]
        if not all(key.keys() - _ADDED == set(names) for key in keys):
            return None
        columns = [name for name in names if name in self._columns]
        others = [name for name in names if name not in self._columns]
        fit = all(map(self._is_key_column, columns)) and all(map(is_reachable, others))
        if not columns or not fit or (others and self._form in EVENT_FORMATS):
            return None
        one = "the column of the Kafka key"
        several = "the columns of the Kafka key, joined"
        if len(names) == 1 and self._form in EVENT_FORMATS:
            found = self._of_column(names[0], one, by_kafka_key=True)
            return (
                found if found.unique else self._of_unique_name(names[0]) or self._repeating(found)
            )
        return self._of_columns(names, several if names[1:] else one, by_kafka_key=True)

    def _is_key_column(self, column: str) -> bool:
        return (
            column in self._columns and self._is_reachable(column) and self._is_in_every_row(column)
        )

    def _is_reachable(self, column: str) -> bool:
        return is_reachable(*self._rows.columns[column].steps)

    def _of_columns(
        self, columns: Sequence[str], why: str, *, by_kafka_key: bool
    ) -> GuessedKey | None:
        """Use one column, or several joined by a template; others are members of the Kafka key."""
        if len(columns) == 1:
            return self._of_column(columns[0], why, by_kafka_key=by_kafka_key)
        paths = [
            path_of(*self._rows.columns[one].steps)
            if one in self._columns
            else f"$key.{path_of(one)}"
            for one in columns
        ]
        template = "-".join(f"{{{path}}}" for path in paths)
        if fault_of_template(template) is not None:
            return None
        texts = [tuple(_text(row.values.get(one)) for one in columns) for row in self._rows.rows]
        return msgspec.structs.replace(
            self._added(f"{self._name}_key", template, why),
            by_kafka_key=by_kafka_key,
            unique=len(set(texts)) == len(texts),
        )

    def _with_shard(self, key: GuessedKey) -> GuessedKey:
        """Put the names that tell the shards apart before a key, which may repeat in each shard."""
        shards = self._tables.shards
        if not shards:
            return key
        rest = key.field.template or f"{{{key.field.source or path_of(key.field.name)}}}"
        template = "-".join([*(f"{{{one}}}" for one in shards), rest])
        return self._added(f"{self._name}_key", template, f"{key.why}, with the shard before it")

    def _of_place(self) -> GuessedKey | None:
        """Use topic, partition and offset, if no row can be updated or deleted."""
        changes = any("iodebeziumop" in row.members for row in self._rows.rows)
        if self._form not in EVENT_FORMATS or changes or self._rows.delete_count:
            return None
        return self._added(
            "record_id",
            "{$kafka.topic}-{$kafka.partition}-{$kafka.offset}",
            "a guess: no column identifies a row, so the key is topic, partition and offset",
        )

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
                found = self._of_column(column, "equal to the Kafka key", by_kafka_key=True)
                return (
                    found
                    if found.unique
                    else self._of_unique_name(column) or self._repeating(found)
                )
        return None

    def _of_unique_name(self, keyed_by: str) -> GuessedKey | None:
        """Use a column with the name of a key that never repeats, although the Kafka key does.

        Rows such as orders may have the customer as Kafka key, so that each customer's rows stay in
        order.
        """
        usual = self._usual_columns()
        for column in () if keyed_by in usual else usual:
            found = self._of_column(column, "", by_kafka_key=False)
            if found.unique and self._is_in_every_row(column):
                why = f"a guess, by its name; the Kafka key is equal to {keyed_by}, but repeats"
                return msgspec.structs.replace(found, why=why)
        return None

    def _repeating(self, key: GuessedKey) -> GuessedKey:
        """Say what it means that a key repeats, if no delete shows that the rows are of a table."""
        is_table = self._rows.delete_count or self._rows.tombstone_count
        if is_table or self._form not in EVENT_FORMATS:
            return key
        why = f"{key.why}, which repeats: a newer row replaces an older one"
        return msgspec.structs.replace(key, why=why)

    def _usual_columns(self) -> list[str]:
        """Return the columns with names that are usual for keys, the most usual first."""
        single = _PLURAL.sub(lambda end: "y" if end[1] == "ies" else "", self._name.lower())
        usual = ("id", f"{single}_id", f"{single}id", "uuid", "guid", "_id", "key")
        return [one for name in usual for one in self._columns if one.lower() == name]

    def _of_name(self) -> GuessedKey | None:
        """Use a column that is never null and has a name that is usual for keys.

        A name such as `app_id` may be that of another table's key, so a column that never repeats
        comes first. Events are never updated: their key does not repeat.
        """
        usual = [
            self._of_column(column, "a guess, by its name", by_kafka_key=False)
            for column in self._usual_columns()
            if self._is_in_every_row(column)
        ]
        if usual:
            return usual[0]
        others = [
            self._of_column(column, "a guess, by its name", by_kafka_key=False)
            for column in self._columns
            if words_of(column) & {"id", "uuid", "guid"} and self._is_in_every_row(column)
        ]
        changing = others if self._form not in EVENT_FORMATS else []
        return next((one for one in others if one.unique), next(iter(changing), None))

    def _of_key_text(self) -> GuessedKey | None:
        """Use the Kafka key itself, in a field that is added for it."""
        texts = [_text(key.scalar) if key is not None else None for key in self._rows.keys]
        if self._form not in TEXT_KEY_FORMATS or not texts or not all(texts):
            return None
        if any(_STRUCT_TEXT.match(text or "") for text in texts):
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
        texts = [_text(row.values.get(column)) for row in self._rows.rows]
        seen = self._rows.columns[column]
        # A pair of scale and bytes is only a key if it is an integer.
        is_pair = bool(seen.kinds["decimal"]) and seen.meaning is LogicalType.PLAIN
        needs_rule = (field.name,) != seen.steps or is_pair
        field = GuessedField(
            field.name,
            Guess(FieldType.TEXT, {"scale": 0} if is_pair else {}),
            path_of(*seen.steps) if needs_rule else None,
            column=column,
        )
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
    if isinstance(opened, Nested):
        # Debezium's pair of scale and bytes, as Oracle's NUMBER without a scale has it.
        opened = _decimal(opened)
    if isinstance(opened, EpochMillis):
        return str(int(opened))
    if isinstance(opened, bool) or not isinstance(opened, str):
        return None
    # Numbers are kept as their digits. A fraction has several spellings (1.0, 1.00) and no key.
    if isinstance(opened, Digits) and not opened.removeprefix("-").isdecimal():
        return None
    return str(opened)


def _decimal(opened: Nested) -> Digits | None:
    """Return the digits of Debezium's pair of scale and bytes; `None` for any other object."""
    try:
        return variable_decimal(opened)
    except RecordError:
        return None
