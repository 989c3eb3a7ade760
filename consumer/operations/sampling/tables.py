"""Divides sampled records by the table that their envelope names, and reads the key it names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from consumer.decoding.debezium_mongodb import ID
from consumer.decoding.document import open_member
from consumer.decoding.formats import DECODERS, FormatSettings
from consumer.decoding.opened import open_value
from consumer.errors import RecordError
from consumer.model import Filtered

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from consumer.decoding.kafka_key import KafkaKey
    from consumer.decoding.opened import Row
    from consumer.mapping.settings import FormatName
    from consumer.model import Record

PHYSICAL_TABLE: Final = "__dbz__physicalTableIdentifier"
"""Member of the Kafka key with the shard's table, added by Debezium's ByLogicalTableRouter."""

_PLACES: Final[dict[FormatName, tuple[tuple[str, ...], ...]]] = {
    "canal": (("database", "table"),),
    "cloudevents": (("iodebeziumdb", "iodebeziumschema", "iodebeziumtable"),),
    "debezium": (
        # Vitess and Cassandra have a keyspace, ScyllaDB and CockroachDB have other names.
        ("source.db", "source.keyspace", "source.schema", "source.table"),
        (
            "source.keyspace_name",
            "source.database_name",
            "source.schema_name",
            "source.table_name",
        ),
        ("source.db", "source.collection"),
    ),
    "debezium_mongodb": (("source.db", "source.collection"),),
    "dms": (("metadata.schema-name", "metadata.table-name"),),
    "goldengate": (("table",),),
    "maxwell": (("database", "table"),),
    "salesforce_cdc": (
        ("ChangeEventHeader.entityName",),
        ("payload.ChangeEventHeader.entityName",),
    ),
}
"""Paths in the envelope that name the table of a row: the database first, the table last.

The first tuple whose last path is there counts.
"""

_KEYS: Final[dict[FormatName, str]] = {
    "canal": "pkNames",
    "goldengate": "primary_keys",
    "maxwell": "primary_key_columns",
}
"""Members of the envelope that list the key columns."""

_MAXWELL_KEY: Final = "pk."
_TEXTS: Final = msgspec.json.Decoder(list[str])
_MAXWELL_ARRAY: Final = msgspec.json.Decoder(tuple[str, str, list[dict[str, msgspec.Raw]]])
_DIGITS: Final = re.compile(r"[0-9]+")


class SourceTable(msgspec.Struct, frozen=True):
    """The table of a row: the names in its envelope, by their paths (`$envelope.database`)."""

    names: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        """Name of the table, without its database."""
        return self.names[-1][1]

    @property
    def family(self) -> tuple[str, ...]:
        """The names without numbers: the shards `orders_1` and `orders_2` have the same family."""
        return tuple(f"{source} {_DIGITS.sub('#', name)}" for source, name in self.names)

    def __str__(self) -> str:
        return ".".join(name for _, name in self.names)


def table_of(members: Row, name: FormatName, prefix: str) -> SourceTable | None:
    """Return the table that an envelope names, or `None` if it does not name one."""
    for paths in _places(name, prefix):
        found = {path: open_value(_follow(members, path)) for path in paths}
        names = tuple(
            (_source(name, path), one)
            for path, one in found.items()
            if isinstance(one, str) and one
        )
        # A database without a table is not a table.
        if names and names[-1][0] == _source(name, paths[-1]):
            return SourceTable(names)
    return None


def tables_in(
    records: Iterable[Record], name: FormatName, prefix: str
) -> tuple[dict[SourceTable, list[Record]], list[Record]]:
    """Divide records by table; the second list has those whose envelope does not name one."""
    decoder = DECODERS[name](FormatSettings(prefix))
    tables: dict[SourceTable, list[Record]] = {}
    others: list[Record] = []
    for record in records:
        value = record.value()
        try:
            envelope = None if value is None else decoder.open(value, record)
        except RecordError:
            envelope = None
        if envelope is None or isinstance(envelope, Filtered):
            others.append(record)
            continue
        table = table_of(envelope.members, name, prefix)
        (others if table is None else tables.setdefault(table, [])).append(record)
    return tables, others


def distinguishing(tables: Iterable[SourceTable]) -> tuple[str, ...]:
    """Return the sources of the names in which the tables differ, such as `$envelope.table`.

    A table may also lack a name that others have.
    """
    names = [dict(table.names) for table in tables]
    sources = dict.fromkeys(source for one in names for source in one)
    return tuple(source for source in sources if len({one.get(source) for one in names}) > 1)


def key_columns(members: Row, key: KafkaKey | None, name: FormatName) -> tuple[str, ...]:
    """Return the key columns that the envelope names, or Maxwell's Kafka key; empty if none."""
    if name == "debezium_mongodb":
        return (ID,)
    raw = members.get(_KEYS.get(name, ""))
    if isinstance(raw, msgspec.Raw):
        try:
            return tuple(dict.fromkeys(_TEXTS.decode(raw)))
        except (msgspec.ValidationError, msgspec.DecodeError):
            return ()
    return _maxwell_columns(key) if name == "maxwell" and key is not None else ()


def _maxwell_columns(key: KafkaKey) -> tuple[str, ...]:
    """Return the key columns in Maxwell's Kafka key, by `kafka_key_format`: hash or array."""
    if key.fields is not None:
        return tuple(
            column.removeprefix(_MAXWELL_KEY)
            for column in key.fields
            if column.startswith(_MAXWELL_KEY)
        )
    try:
        _, _, columns = _MAXWELL_ARRAY.decode(key.content or b"")
    except (msgspec.ValidationError, msgspec.DecodeError):
        return ()
    return tuple(column for one in columns for column in one)


def has_shards(keys: Iterable[KafkaKey | None]) -> bool:
    """Return whether every Kafka key names the physical table of its row."""
    fields = [key.fields if key is not None else None for key in keys]
    return bool(fields) and all(PHYSICAL_TABLE in (one or {}) for one in fields)


def _places(name: FormatName, prefix: str) -> tuple[tuple[str, ...], ...]:
    """Return the paths of a format; those of a flat row have the prefix of the added columns."""
    if name != "debezium_flat":
        return _PLACES.get(name, ())
    # Without a prefix a column of the table may have one of these names.
    if not prefix or "." in prefix:
        return ()
    members = ("db", "schema", "table")
    return tuple(
        tuple(f"{prefix}{place}{member}" for member in members) for place in ("", "source_")
    )


def _source(name: FormatName, path: str) -> str:
    """Return how a rule names a path: the members of a flat row are columns."""
    return path if name == "debezium_flat" else f"$envelope.{path}"


def _follow(members: Mapping[str, object], path: str) -> object:
    *steps, last = path.split(".")
    for step in steps:
        members = open_member(members.get(step)) or {}
    return members.get(last)
