"""The outcomes of the recorded types: every column in every mode, for every field type."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from consumer.decoding.schema_cache import SchemaCache
from consumer.decoding.written_schema import WrittenSchema
from consumer.mapping.routing import RouteTable
from consumer.mapping.settings import (
    EncodingName,
    FieldRule,
    FieldType,
    ObjectSettings,
    RouteSettings,
)
from consumer.model import PlainRecord
from consumer.operations.mapped_lines import outcomes
from tests.framed import framed
from tests.golden.debezium_types import MODES, ROWS, TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RECORDED: Final = Path(__file__).with_name("types")
WALL_MS: Final = 1_796_000_000_000
BATCH_BYTES: Final = 200_000
SCHEMA_ID: Final = 7

_UNITS: Final = {
    "io.debezium.time.Date": "days",
    "org.apache.kafka.connect.data.Date": "days",
    "io.debezium.time.Timestamp": "ms",
    "org.apache.kafka.connect.data.Timestamp": "ms",
    "io.debezium.time.MicroTimestamp": "us",
    "io.debezium.time.NanoTimestamp": "ns",
}
_DECIMAL: Final = "org.apache.kafka.connect.data.Decimal"
_TIMES_OF_DAY: Final = {"Time", "IsoTime", "MicroTime", "NanoTime"}
_SPACES: Final = re.compile(r"^(io\.debezium\.(time|data)\.|org\.apache\.kafka\.connect\.data\.)")
_NESTED: Final = {"array", "map", "io.debezium.data.geometry.Point"}


class Line(msgspec.Struct, forbid_unknown_fields=True):
    """A line of a recorded file: a schema, or a value.

    The value of Avro is the body in base64, without the frame.
    """

    table: str
    encoding: str
    is_: str | None = msgspec.field(name="is", default=None)
    value: str | None = None


class Refused(str):
    """The reason of a dead letter, in place of a value."""

    __slots__ = ()


@dataclass(frozen=True, eq=False)
class Case:
    """A column as it arrives in some modes: its schema and its values, the snapshot's first."""

    modes: tuple[str, ...]
    table: str
    column: str
    schema: dict[str, Any]
    arrives: list[Any]

    @property
    def sql_type(self) -> str:
        """The SQL type of the column."""
        return TABLES[self.table][self.column].type

    @property
    def meaning(self) -> str:
        """The logical type of the column in the schema, else its plain type."""
        return str(self.schema.get("name") or self.schema["type"])

    @property
    def name(self) -> str:
        """The logical type without its package."""
        return _SPACES.sub("", self.meaning)

    @property
    def nested(self) -> FieldRule | None:
        """The rule for an array or an object, needed with a schema too."""
        return FieldRule(source=self.column, json=True) if self.meaning in _NESTED else None

    def rule(self, target: FieldType) -> FieldRule | None:
        """Return the rule that replaces the schema; `None` if no rule is needed."""
        if self.meaning in _UNITS and target is not FieldType.NUMBER:
            return FieldRule(source=self.column, unit=_UNITS[self.meaning])  # type: ignore[arg-type]
        if self.meaning == _DECIMAL:
            return FieldRule(source=self.column, scale=int(self.schema["parameters"]["scale"]))
        return self.nested or self.number_rule(target)

    def number_rule(self, target: FieldType) -> FieldRule | None:
        """Return the rule for decimals in text, needed with a schema too."""
        is_decimal = (
            "numeric" in self.sql_type or self.sql_type == "money"
        ) and "[" not in self.sql_type
        in_text = is_decimal and self.schema["type"] == "string" and target is FieldType.NUMBER
        return FieldRule(source=self.column, number=True) if in_text else None


@cache
def lines_of(mode: str) -> list[Line]:
    """Read the file of a mode."""
    text = (RECORDED / f"{mode}.ndjson").read_text(encoding="utf-8")
    return [msgspec.json.decode(line, type=Line) for line in text.splitlines()]


def schema_of(mode: str, table: str, encoding: str) -> str:
    """Return the text of a schema."""
    return next(
        line.is_
        for line in lines_of(mode)
        if line.is_ and (line.table, line.encoding) == (table, encoding)
    )


@cache
def records(mode: str, table: str, encoding: str) -> list[PlainRecord]:
    """Return the records of a table, rows of the snapshot first."""
    values = [
        line.value
        for line in lines_of(mode)
        if line.value and (line.table, line.encoding) == (table, encoding)
    ]
    if encoding == "schema":
        schema = schema_of(mode, table, encoding)
        values = [f'{{"schema":{schema},"payload":{value}}}' for value in values]
    contents = [
        framed(SCHEMA_ID, base64.b64decode(value)) if encoding == "avro" else value.encode()
        for value in values
    ]
    return [
        PlainRecord(table, 0, offset, key=None, value=content, headers=[], timestamp_ms=WALL_MS)
        for offset, content in enumerate(contents)
    ]


@cache
def cases() -> list[Case]:
    """Return every column that arrives, once for all modes in which it is the same."""
    found: dict[str, Case] = {}
    for mode, table in ((mode, table) for mode, each in MODES.items() for table in each.tables):
        for column, schema, arrives in _arrivals(mode, table):
            key = json.dumps([table, column, schema, arrives])
            known = found.get(key)
            modes = (*known.modes, mode) if known is not None else (mode,)
            found[key] = Case(modes, table, column, schema, arrives)
    return [*found.values()]


def _arrivals(mode: str, table: str) -> Iterator[tuple[str, dict[str, Any], list[Any]]]:
    schema = json.loads(schema_of(mode, table, "schema"))
    after = next(field for field in schema["fields"] if field["field"] == "after")
    rows = [
        json.loads(record.value() or b"")["after"] for record in records(mode, table, "schemaless")
    ]
    assert 2 * ROWS == len(rows)
    for field in after["fields"]:
        if field["field"] != "id":
            yield field["field"], field, [row[field["field"]] for row in rows]


def missing(mode: str, table: str) -> list[str]:
    """Return the columns of a table that do not arrive in a mode."""
    present = {case.column for case in cases() if case.table == table and mode in case.modes}
    return [column for column in TABLES[table] if column not in present]


@cache
def sent(case: Case, target: FieldType, encoding: str) -> list[str]:
    """Map the rows with a value; return the JSON of each value sent, or `Refused`.

    A record with a schema, embedded or from a registry, needs no rule for its logical types.
    """
    rule = (
        case.rule(target) if encoding == "schemaless" else case.nested or case.number_rule(target)
    )
    routes = _routes(case, target, rule, encoding)
    return [
        _outcome(routes, record)
        for record, arrived in zip(
            records(case.modes[0], case.table, encoding), case.arrives, strict=True
        )
        if arrived is not None
    ]


def natural(case: Case) -> FieldType:
    """Return the natural field type of a column: the first that accepts its first value."""
    if case.name in _TIMES_OF_DAY:
        return FieldType.TEXT
    order = (FieldType.BOOLEAN, FieldType.DATE, FieldType.DATE_TIME, FieldType.NUMBER)
    taken = (target for target in order if not isinstance(sent(case, target, "schema")[0], Refused))
    return next(taken, FieldType.TEXT)


def _routes(case: Case, target: FieldType, rule: FieldRule | None, encoding: str) -> RouteTable:
    schemas = SchemaCache()
    if encoding == "avro":
        schemas.put(
            SCHEMA_ID, WrittenSchema("AVRO", schema_of(case.modes[0], case.table, encoding)), 0.0
        )
    wire: EncodingName = "avro" if encoding == "avro" else "json"
    route = RouteSettings(
        topics=(case.table,),
        object="rows",
        format="debezium",
        encoding=wire,
        fields={"value": rule or FieldRule(source=case.column)},
    )
    mapped = ObjectSettings(
        name="rows", fields={"id": FieldType.TEXT, "value": target}, primary_key="id"
    )
    return RouteTable([route], "kafka_events", {"rows": mapped}, schemas)


class _Row(msgspec.Struct):
    value: msgspec.Raw


def _outcome(routes: RouteTable, record: PlainRecord) -> str:
    (outcome,) = outcomes(routes, record, WALL_MS, BATCH_BYTES)
    if "reason" in outcome:
        return Refused(outcome["reason"])
    row = msgspec.json.decode(msgspec.json.encode(outcome["record"]), type=_Row)
    return bytes(row.value).decode()


def halves(values: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
    """Split values into those of the snapshot and those of the log."""
    middle = len(values) // 2
    return values[:middle], values[middle:]
