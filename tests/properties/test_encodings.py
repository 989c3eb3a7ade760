"""A change becomes the same row, byte for byte, from JSON with its schema, Avro and Protobuf."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import pytest
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.decoding.avro_body import compile_avro
from consumer.decoding.protobuf_files import ProtobufFiles
from consumer.decoding.schema_cache import SchemaCache
from consumer.decoding.wire_form import Frame
from consumer.decoding.written_schema import WrittenSchema
from consumer.errors import RecordError
from consumer.mapping.routing import RouteTable
from consumer.mapping.settings import (
    EncodingName,
    FieldRule,
    FieldType,
    ObjectSettings,
    RouteSettings,
)
from consumer.model import PlainRecord, Upsert
from tests.framed import avro_body, framed

WALL_MS = 1_800_000_000_000
DECIMAL = "org.apache.kafka.connect.data.Decimal"
COLUMNS: dict[str, tuple[str, str, str | None, st.SearchStrategy[Any]]] = {
    "id": ("int64", "long", None, st.integers(1, 2**63 - 1)),
    "name": ("string", "string", None, st.text(max_size=20)),
    "flag": ("boolean", "boolean", None, st.booleans()),
    "score": ("double", "double", None, st.floats(allow_nan=True, allow_infinity=True)),
    "balance": ("bytes", "bytes", DECIMAL, st.binary(min_size=1, max_size=12)),
    "born": ("int32", "int", "io.debezium.time.Date", st.integers(-719_162, 2_932_896)),
    "made": ("int64", "long", "io.debezium.time.MicroTimestamp", st.integers(-(10**15), 10**15)),
    "seen": (
        "int64",
        "long",
        "org.apache.kafka.connect.data.Timestamp",
        st.integers(-(10**12), 10**12),
    ),
}
TYPES = {
    "id": FieldType.TEXT,
    "name": FieldType.TEXT,
    "flag": FieldType.BOOLEAN,
    "score": FieldType.NUMBER,
    "balance": FieldType.NUMBER,
    "born": FieldType.DATE,
    "made": FieldType.DATE_TIME,
    "seen": FieldType.DATE_TIME,
}
TARGET = ObjectSettings(name="rows", fields=TYPES, primary_key="id", record_modified="seen")
ROWS = st.fixed_dictionaries(
    {name: kind[3] if name == "id" else st.none() | kind[3] for name, kind in COLUMNS.items()}
)


def connect_schema() -> dict[str, Any]:
    fields = []
    for name, (kind, _, meaning, _) in COLUMNS.items():
        more = {"parameters": {"scale": "3"}} if meaning == DECIMAL else {}
        fields.append(
            {"field": name, "type": kind, "optional": name != "id", "name": meaning, **more}
        )
    images = [
        {"field": name, "type": "struct", "optional": True, "fields": fields}
        for name in ("before", "after")
    ]
    source = {"field": "source", "type": "struct", "fields": [{"field": "ts_ms", "type": "int64"}]}
    return {
        "type": "struct",
        "name": "Envelope",
        "fields": [*images, source, {"field": "op", "type": "string"}],
    }


def avro_schema() -> dict[str, Any]:
    fields = []
    for name, (_, kind, meaning, _) in COLUMNS.items():
        more = {"connect.parameters": {"scale": "3"}} if meaning == DECIMAL else {}
        plain: Any = {"type": kind, "connect.name": meaning, **more} if meaning else kind
        fields.append({"name": name, "type": plain if name == "id" else ["null", plain]})
    row = {"type": "record", "name": "Value", "fields": fields}
    source = {"type": "record", "name": "Source", "fields": [{"name": "ts_ms", "type": "long"}]}
    return {
        "type": "record",
        "name": "Envelope",
        "fields": [
            {"name": "before", "type": ["null", row]},
            {"name": "after", "type": ["null", "Value"]},
            {"name": "source", "type": source},
            {"name": "op", "type": "string"},
        ],
    }


CONNECT, AVRO = connect_schema(), avro_schema()
NOT_IN_JSON = {math.inf: "Infinity", -math.inf: "-Infinity"}


def in_json(row: dict[str, Any]) -> dict[str, Any]:
    """Write floats that JSON cannot express like Connect's JsonConverter.

    The encoder writes bytes as base64, like the converter.
    """
    return {
        name: NOT_IN_JSON.get(value, "NaN")
        if isinstance(value, float) and not math.isfinite(value)
        else value
        for name, value in row.items()
    }


def sent(
    encoding: EncodingName,
    value: bytes,
    written: WrittenSchema | None,
    **route: Any,  # noqa: ANN401
) -> object:
    """Return the rows of a value, mapped one by one and in a run, or its fault."""
    schemas = SchemaCache()
    schemas.put(1, written, 0.0)
    given_route = {
        "topics": ("t",),
        "object": "rows",
        "format": "debezium",
        "encoding": encoding,
    } | route
    table = RouteTable([RouteSettings(**given_route)], "c", {"rows": TARGET}, schemas)
    (mapper,) = table.mappers("t")
    record = PlainRecord("t", value=value, timestamp_ms=WALL_MS)
    rows: list[Any] = []
    for _ in range(3):
        try:
            if not mapper.map_run([record], 0, WALL_MS, rows.append):
                rows.append(mapper.map(record, WALL_MS))
        except RecordError as error:
            return str(error)
    assert all(isinstance(one, Upsert) for one in rows)
    return [one.encoded for one in rows]


@given(before=st.none() | ROWS, after=ROWS)
@settings(max_examples=200, deadline=None)
def test_avro_maps_like_json_with_its_schema(
    before: dict[str, Any] | None, after: dict[str, Any]
) -> None:
    """Rows and faults are the same, on the fast path and on the slow path."""
    if before is not None:
        before["id"] = after["id"]
    change = {"before": before, "after": after, "source": {"ts_ms": 5}, "op": "u"}
    rows = {"before": before and in_json(before), "after": in_json(after)}
    as_json = msgspec.json.encode({"schema": CONNECT, "payload": change | rows})
    as_avro = framed(1, avro_body(AVRO, change))
    assert sent("json", as_json, None) == sent(
        "avro", as_avro, WrittenSchema("AVRO", json.dumps(AVRO))
    )


PROTO = """
syntax = "proto3";
import "confluent/type/decimal.proto";
message Envelope { Row before = 1; Row after = 2; Source source = 3; string op = 4; }
message Source { int64 ts_ms = 1; }
message Row {
  int64 id = 1; optional string name = 2; optional bool flag = 3; optional double score = 4;
  confluent.type.Decimal balance = 5; optional int32 born = 6; optional int64 made = 7;
  optional int64 seen = 8;
}
"""
ENVELOPE: Any = GetMessageClass(ProtobufFiles(WrittenSchema("PROTOBUF", PROTO)).message((0,)))


@given(after=ROWS)
@settings(max_examples=100, deadline=None)
def test_protobuf_maps_like_json(after: dict[str, Any]) -> None:
    """Protobuf times have no logical type: rules give the unit, as for JSON without schema."""
    message = ENVELOPE(op="c")
    message.source.ts_ms = 5
    for name, value in after.items():
        if value is not None and name == "balance":
            message.after.balance.value, message.after.balance.scale = value, 3
        elif value is not None:
            setattr(message.after, name, value)
    rules = {
        "born": FieldRule(source="born", unit="days"),
        "made": FieldRule(source="made", unit="us"),
        "seen": FieldRule(source="seen", unit="ms"),
    }
    change = {"before": None, "after": in_json(after), "source": {"ts_ms": 5}, "op": "c"}
    as_json = msgspec.json.encode(change)
    as_protobuf = framed(1, b"\0" + message.SerializeToString())
    in_bytes = rules | {"balance": FieldRule(source="balance", scale=3)}
    expected = sent("json", as_json, None, fields=in_bytes)
    assert expected == sent("protobuf", as_protobuf, WrittenSchema("PROTOBUF", PROTO), fields=rules)


ROW = WrittenSchema("AVRO", json.dumps(AVRO))
READ = compile_avro(ROW)


@given(st.binary(max_size=200))
@settings(max_examples=500, deadline=None)
def test_any_bytes_are_a_change_or_a_fault_of_the_record(body: bytes) -> None:
    """The reader returns a document or raises a fault, for any bytes."""
    try:
        document = READ(Frame(1, body, None))
    except RecordError as error:
        outcome = str(error.reason)
    else:
        outcome = f"DECODE_{type(json.loads(document)).__name__}"
    assert outcome in {"DECODE_dict", "DECODE_SYNTAX", "DECODE_ENCODING", "DECODE_DEPTH"}


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_truncated_body_is_a_fault_of_the_record(cut: int) -> None:
    """One to eleven bytes are missing at the end."""
    row = dict.fromkeys(COLUMNS) | {"id": 7}
    body = avro_body(AVRO, {"before": row, "after": row, "source": {"ts_ms": 5}, "op": "u"})
    with pytest.raises(RecordError, match="DECODE_SYNTAX"):
        READ(Frame(1, body[:-cut], None))
