"""Avro bodies become the documents that Connect's JSON converter would have written."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, TypeAlias
from uuid import UUID

import pytest

from consumer.decoding.avro_body import DEEPEST_BODY, compile_avro
from consumer.decoding.wire_form import Frame
from consumer.decoding.written_schema import Reference, WrittenSchema
from consumer.errors import RecordError
from tests.framed import avro_body

Json: TypeAlias = Any
"""A schema, a value by it, or either of them written down."""


def record(*fields: tuple[str, Json], **more: Json) -> dict[str, Json]:
    named = [{"name": name, "type": kind} for name, kind in fields]
    return {"type": "record", "name": "row", "namespace": "shop", "fields": named} | more


def document(schema: Json, body: bytes, *references: Reference) -> bytes:
    written = WrittenSchema("AVRO", json.dumps(schema), references)
    return compile_avro(written)(Frame(1, body, None))


def opened(schema: Json, value: Json) -> tuple[Json, Json]:
    """Return what stands in a row for the value of its one field.

    And the field's schema in Connect's words.
    """
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
            {"type": "array", "items": "long"}, [1, 2], [1, 2], {"type": "array"}, id="array"
        ),
        pytest.param(
            {"type": "map", "values": "long"}, {"a": 1}, {"a": 1}, {"type": "map"}, id="map"
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
            {"type": "array"},
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
    """And the column says in Connect's words what it means.

    Where no column can, the value says it itself.
    """
    assert (written, connect) == opened(schema, value)


def test_a_uuid_of_fixed_size_is_text() -> None:
    """As the same in text is."""
    schema = record(("it", logical("fixed", "uuid", name="id", size=16)))
    assert str(UUID(int=1)) == json.loads(document(schema, UUID(int=1).bytes))["payload"]["it"]


def test_a_duration_is_text() -> None:
    """Months, days and milliseconds, which are no number together."""
    schema = record(("it", logical("fixed", "duration", name="d", size=12)))
    body = b"\x01\0\0\0\x02\0\0\0\xdc\x05\0\0"
    assert "P1M2DT1.500S" == json.loads(document(schema, body))["payload"]["it"]


def test_a_type_is_defined_once_and_used_by_name() -> None:
    """Its columns are told wherever it is used."""
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


def test_a_type_may_stand_in_another_schema() -> None:
    """The registry gives it as a reference."""
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
def test_what_is_no_record_is_written_bare(schema: Json, body: bytes, written: bytes) -> None:
    """Keys are often one value."""
    assert written == document(schema, body)


ROW = record(("id", "long"), ("name", "string"))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(b"", "DECODE_SYNTAX: not a body of this Avro schema (EOFError)", id="nothing"),
        pytest.param(
            b"\x02\x08ab", "DECODE_SYNTAX: not a body of this Avro schema (EOFError)", id="cut"
        ),
        pytest.param(
            b"\x02\x02a\0",
            "DECODE_SYNTAX: not a body of this Avro schema: 1 bytes are left behind the record",
            id="more",
        ),
        pytest.param(
            b"\x02\x02\xff",
            "DECODE_ENCODING: a text in the Avro body is not UTF-8 at its byte 0",
            id="latin-1",
        ),
    ],
)
def test_a_body_that_the_schema_did_not_write_is_the_records_fault(body: bytes, said: str) -> None:
    """Named by what is wrong with it."""
    with pytest.raises(RecordError) as caught:
        document(ROW, body)
    assert said == str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("{", "it is no Avro schema (JSONDecodeError)", id="not-json"),
        pytest.param("7", "it is no Avro schema (TypeError)", id="a-number"),
        pytest.param('{"type":"record"}', "it is no Avro schema (KeyError)", id="without-fields"),
        pytest.param('"customer"', "it uses a type that is defined nowhere", id="unknown-type"),
        pytest.param(
            '{"type":"array","items":"null"}',
            "it has an array of values that take no bytes",
            id="memory-bomb",
        ),
        pytest.param(
            '{"type":"array","items":' * 70 + '"int"' + "}" * 70,
            "it has more than 20000 types, or is nested deeper than 64",
            id="deep",
        ),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused(text: str, said: str) -> None:
    """As the fault of the records that name it."""
    with pytest.raises(RecordError) as caught:
        compile_avro(WrittenSchema("AVRO", text))
    assert f"DECODE_SCHEMA: {said}" == str(caught.value)


def test_a_schema_that_uses_types_over_and_over_is_refused() -> None:
    """Ten of ten of ten: a page of text, a million columns."""
    layers: Json = {"type": "record", "name": "l0", "fields": [{"name": "n", "type": "int"}]}
    for depth in range(1, 7):
        fields = [{"name": "f0", "type": layers}]
        fields += [{"name": f"f{number}", "type": f"l{depth - 1}"} for number in range(1, 10)]
        layers = {"type": "record", "name": f"l{depth}", "fields": fields}
    with pytest.raises(RecordError, match="more than 20000 types"):
        compile_avro(WrittenSchema("AVRO", json.dumps(layers)))


def test_a_schema_that_holds_itself_is_followed_so_far() -> None:
    """The reader counts no steps, and would end the process with the stack."""
    schema = record(("next", ["null", "shop.row"]))
    assert {"next": {"next": None}} == json.loads(document(schema, b"\x02\0"))["payload"]
    for steps in (DEEPEST_BODY - 1, DEEPEST_BODY):
        with pytest.raises(RecordError, match="DECODE_DEPTH"):
            document(schema, b"\x02" * steps + b"\0")
