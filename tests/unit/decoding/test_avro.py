"""Avro bodies become the documents that Connect's JSON converter would write."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, TypeAlias
from uuid import UUID

import pytest

from consumer.decoding.avro_body import compile_avro
from consumer.decoding.wire_form import Frame
from consumer.decoding.written_schema import Reference, WrittenSchema
from consumer.errors import RecordError
from tests.framed import avro_body

Json: TypeAlias = Any
"""A schema, a value of it, or the JSON of either."""


def record(*fields: tuple[str, Json], **more: Json) -> dict[str, Json]:
    named = [{"name": name, "type": kind} for name, kind in fields]
    return {"type": "record", "name": "row", "namespace": "shop", "fields": named} | more


def document(schema: Json, body: bytes, *references: Reference) -> bytes:
    written = WrittenSchema("AVRO", json.dumps(schema), references)
    return compile_avro(written)(Frame(1, body, None))


def opened(schema: Json, value: Json) -> tuple[Json, Json]:
    """Return the JSON value of a row's only field, and the Connect schema of that field."""
    row = json.loads(
        document(record(("it", schema)), avro_body(record(("it", schema)), {"it": value}))
    )
    (field,) = row["schema"]["fields"]
    return row["payload"]["it"], {name: field[name] for name in field if name != "field"}


def logical(kind: str, meaning: str, **more: Json) -> dict[str, Json]:
    return {"type": kind, "logicalType": meaning} | more


CONNECT = "org.apache.kafka.connect.data."
MILLENNIUM = datetime(2000, 1, 1, tzinfo=UTC)
MILLENNIUM_MS = 946_684_800_000


@pytest.mark.parametrize(
    ("schema", "value", "written", "connect"),
    [
        pytest.param("boolean", True, True, {"type": "boolean"}, id="boolean"),
        pytest.param("int", -1, -1, {"type": "int32"}, id="int"),
        pytest.param("long", 2**63 - 1, 2**63 - 1, {"type": "int64"}, id="long"),
        pytest.param("bytes", b"\0\xff", "AP8=", {"type": "bytes"}, id="bytes"),
        pytest.param("string", "süß", "süß", {"type": "string"}, id="string"),
        pytest.param("null", None, None, {}, id="null"),
        pytest.param(["null", "string"], None, None, {"type": "string"}, id="optional"),
        pytest.param(
            {"type": "enum", "name": "mood", "symbols": ["GOOD", "BAD"]},
            "BAD",
            "BAD",
            {"type": "string"},
            id="enum",
        ),
        pytest.param(
            {"type": "fixed", "name": "two", "size": 2},
            b"ab",
            "YWI=",
            {"type": "bytes"},
            id="fixed",
        ),
        pytest.param(
            {"type": "array", "items": "long"},
            [1, 2],
            [1, 2],
            {"type": "array", "items": {"type": "int64"}},
            id="array",
        ),
        pytest.param(
            {"type": "map", "values": "long"},
            {"a": 1},
            {"a": 1},
            {"type": "map", "values": {"type": "int64"}},
            id="map",
        ),
        pytest.param(
            logical("bytes", "decimal", precision=9, scale=2),
            Decimal("12.34"),
            "BNI=",
            {"type": "bytes", "name": CONNECT + "Decimal", "parameters": {"scale": "2"}},
            id="decimal",
        ),
        pytest.param(
            logical("fixed", "decimal", name="money", size=4, precision=9, scale=2),
            Decimal("-0.01"),
            "/////w==",
            {"type": "bytes", "name": CONNECT + "Decimal", "parameters": {"scale": "2"}},
            id="decimal-of-fixed-size",
        ),
        pytest.param(
            logical("int", "date"),
            date(1970, 1, 2),
            1,
            {"type": "int32", "name": CONNECT + "Date"},
            id="date",
        ),
        pytest.param(
            logical("long", "timestamp-millis"),
            MILLENNIUM,
            MILLENNIUM_MS,
            {"type": "int64", "name": CONNECT + "Timestamp"},
            id="timestamp-millis",
        ),
        pytest.param(
            logical("long", "timestamp-micros"),
            MILLENNIUM,
            MILLENNIUM_MS * 1_000,
            {"type": "int64", "name": "io.debezium.time.MicroTimestamp"},
            id="timestamp-micros",
        ),
        pytest.param(
            {"type": "long", "connect.version": 1, "connect.name": "io.debezium.time.NanoTime"},
            7,
            7,
            {"type": "int64", "name": "io.debezium.time.NanoTime"},
            id="debezium-by-its-name",
        ),
        pytest.param(
            {
                "type": "bytes",
                "connect.name": CONNECT + "Decimal",
                "connect.parameters": {"scale": "4", "connect.decimal.precision": "9"},
            },
            b"\x01",
            "AQ==",
            {
                "type": "bytes",
                "name": CONNECT + "Decimal",
                "parameters": {"scale": "4", "connect.decimal.precision": "9"},
            },
            id="decimal-of-connect",
        ),
        pytest.param(
            {"type": "int", "connect.type": "int16"}, 5, 5, {"type": "int16"}, id="short-of-connect"
        ),
        pytest.param(
            logical("long", "local-timestamp-micros"),
            datetime(2000, 1, 1, 1, 2, 3, 4),  # noqa: DTZ001 - it is local
            "2000-01-01T01:02:03.000004",
            {"type": "string"},
            id="local-timestamp",
        ),
        pytest.param(
            logical("string", "uuid"), UUID(int=7), str(UUID(int=7)), {"type": "string"}, id="uuid"
        ),
        pytest.param("float", 0.1, 0.1, {"type": "float"}, id="float-with-its-own-digits"),
        pytest.param(
            "float", 16_777_216.0, 16_777_216.0, {"type": "float"}, id="float-of-many-digits"
        ),
        pytest.param(
            "float", 3.4028234663852886e38, 3.4028235e38, {"type": "float"}, id="largest-float"
        ),
        pytest.param("double", 0.1, 0.1, {"type": "double"}, id="double"),
        pytest.param(
            ["null", "double"], float("nan"), "NaN", {"type": "double"}, id="not-a-number"
        ),
        pytest.param("float", float("-inf"), "-Infinity", {"type": "float"}, id="infinity"),
        pytest.param(
            {"type": "array", "items": ["null", "double"]},
            [1.0, None, float("inf")],
            [1.0, None, "Infinity"],
            {"type": "array", "items": {"type": "double"}},
            id="infinity-in-an-array",
        ),
        pytest.param(
            ["null", "string", logical("bytes", "decimal", precision=9, scale=2)],
            Decimal("1.10"),
            1.1,
            {},
            id="decimal-in-a-union-of-several",
        ),
        pytest.param(
            ["long", logical("int", "date")],
            date(2000, 1, 1),
            "2000-01-01",
            {},
            id="date-in-a-union-of-several",
        ),
    ],
)
def test_a_value_is_written_as_connect_does(
    schema: Json, value: Json, written: Json, connect: Json
) -> None:
    """The column has Connect's type; where no column can describe it, the value is converted."""
    assert (written, connect) == opened(schema, value)


def test_a_uuid_of_fixed_size_is_text() -> None:
    """Like a UUID that is text."""
    schema = record(("it", logical("fixed", "uuid", name="id", size=16)))
    assert str(UUID(int=1)) == json.loads(document(schema, UUID(int=1).bytes))["payload"]["it"]


def test_a_duration_is_text() -> None:
    """Months, days and milliseconds cannot be one number."""
    schema = record(("it", logical("fixed", "duration", name="d", size=12)))
    body = b"\x01\0\0\0\x02\0\0\0\xdc\x05\0\0"
    assert "P1M2DT1.500S" == json.loads(document(schema, body))["payload"]["it"]


def test_a_type_is_defined_once_and_then_referred_to() -> None:
    """Every use of it has its columns."""
    inner = {
        "type": "record",
        "name": "inner",
        "fields": [{"name": "day", "type": logical("int", "date")}],
    }
    schema = record(("one", inner), ("two", ["null", "inner"]), ("three", "shop.inner"))
    row = json.loads(document(schema, b"\x02\x02\x04\x06"))
    assert {"one": {"day": 1}, "two": {"day": 2}, "three": {"day": 3}} == row["payload"]
    days = [field["fields"] for field in row["schema"]["fields"]]
    assert 3 * [[{"type": "int32", "field": "day", "name": CONNECT + "Date"}]] == days


def test_a_type_may_be_defined_in_another_schema() -> None:
    """The registry returns it as a reference."""
    inner = Reference(
        "shop.inner", '{"type":"record","name":"shop.inner","fields":[{"name":"n","type":"int"}]}'
    )
    assert {"it": {"n": 4}} == json.loads(document(record(("it", "inner")), b"\x08", inner))[
        "payload"
    ]


@pytest.mark.parametrize(
    ("schema", "body", "written"),
    [
        pytest.param("string", b"\x04ab", b'"ab"', id="text"),
        pytest.param("long", b"\x54", b"42", id="number"),
        pytest.param(["null", "long"], b"\x02\x54", b"42", id="union"),
        pytest.param({"type": "map", "values": "int"}, b"\x02\x02a\x02\0", b'{"a":1}', id="map"),
    ],
)
def test_a_value_that_is_not_a_record_is_written_bare(
    schema: Json, body: bytes, written: bytes
) -> None:
    """Keys are often a single value."""
    assert written == document(schema, body)


ROW = record(("id", "long"), ("name", "string"))


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        pytest.param(
            b"",
            "DECODE_SYNTAX: expected a body of this Avro schema, got other bytes (EOFError)",
            id="nothing",
        ),
        pytest.param(
            b"\x02\x08ab",
            "DECODE_SYNTAX: expected a body of this Avro schema, got other bytes (EOFError)",
            id="cut",
        ),
        pytest.param(
            b"\x02\x02a\0",
            "DECODE_SYNTAX: expected the end of the Avro body, got 1 more byte",
            id="one-more",
        ),
        pytest.param(
            b"\x02\x02a\0\0",
            "DECODE_SYNTAX: expected the end of the Avro body, got 2 more bytes",
            id="two-more",
        ),
        pytest.param(
            b"\x02\x02\xff",
            (
                "DECODE_ENCODING: expected UTF-8 in a string of the Avro body, got an invalid byte"
                " at its position 0"
            ),
            id="latin-1",
        ),
    ],
)
def test_a_body_of_another_schema_is_a_fault_of_the_record(body: bytes, detail: str) -> None:
    """The detail says what is wrong with the bytes."""
    with pytest.raises(RecordError) as caught:
        document(ROW, body)
    assert detail == str(caught.value)


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        pytest.param("{", "not a valid Avro schema (JSONDecodeError)", id="not-json"),
        pytest.param("7", "not a valid Avro schema (TypeError)", id="a-number"),
        pytest.param(
            '{"type":"record"}', "not a valid Avro schema (KeyError)", id="without-fields"
        ),
        pytest.param(
            '"customer"',
            "it uses a type that neither it nor its references define",
            id="unknown-type",
        ),
        pytest.param(
            '{"type":"array","items":"null"}',
            "it has an array whose items take no bytes, so its length has no limit",
            id="memory-bomb",
        ),
        pytest.param(
            '{"type":"array","items":' * 70 + '"int"' + "}" * 70,
            "expected at most 20000 types and 64 levels of nesting, got more",
            id="deep",
        ),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused(text: str, detail: str) -> None:
    """It is a fault of the records that name it."""
    with pytest.raises(RecordError) as caught:
        compile_avro(WrittenSchema("AVRO", text))
    assert f"DECODE_SCHEMA: {detail}" == str(caught.value)


def test_a_schema_with_too_many_uses_of_types_is_refused() -> None:
    """Six levels of ten uses each are one page of text and a million columns."""
    nested: Json = {"type": "record", "name": "l0", "fields": [{"name": "n", "type": "int"}]}
    for depth in range(1, 7):
        fields = [{"name": "f0", "type": nested}]
        fields += [{"name": f"f{number}", "type": f"l{depth - 1}"} for number in range(1, 10)]
        nested = {"type": "record", "name": f"l{depth}", "fields": fields}
    with pytest.raises(RecordError, match="expected at most 20000 types"):
        compile_avro(WrittenSchema("AVRO", json.dumps(nested)))
