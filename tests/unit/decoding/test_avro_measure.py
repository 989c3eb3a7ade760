"""No Avro schema and no Avro body takes more than its budget, or ends the process."""

from __future__ import annotations

import contextlib
import json
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumer.decoding.avro_body import compile_avro
from consumer.decoding.avro_measure import compile_measure
from consumer.decoding.document import DEEPEST
from consumer.decoding.memory_budget import BUDGET
from consumer.decoding.wire_form import Frame
from consumer.decoding.written_schema import WrittenSchema
from consumer.errors import RecordError
from tests.framed import avro_body, varint

Json: TypeAlias = Any
"""A schema, or a value of it."""

OPTIONAL_ROW = ["null", "row"]
DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 400, "scale": 2}
OTHER_BYTES = "DECODE_SYNTAX: expected a body of this Avro schema, got other bytes"
TOO_DEEP = f"DECODE_DEPTH: expected at most {DEEPEST} levels of nesting, got more"
TOO_LARGE = (
    f"RECORD_SIZE: expected an Avro body that takes at most {BUDGET >> 20} MiB when decoded,"
    " got a larger one"
)


def record(*fields: tuple[str, Json], name: str = "row") -> dict[str, Json]:
    named = [{"name": field, "type": kind} for field, kind in fields]
    return {"type": "record", "name": name, "fields": named}


def nested(levels: int, innermost: Json) -> Json:
    """Return records in each other, without a byte between them."""
    for level in range(levels):
        innermost = record(("it", innermost), name=f"level{level}")
    return innermost


def count_of(items: int) -> bytes:
    """Return a count, a length or an index as Avro writes it."""
    return varint(2 * items)


def payload(schema: Json, body: bytes) -> Json:
    document = compile_avro(WrittenSchema("AVRO", json.dumps(schema)))(Frame(1, body, None))
    return json.loads(document)["payload"]


def fault(schema: Json, body: bytes) -> str:
    with pytest.raises(RecordError) as caught:
        payload(schema, body)
    return str(caught.value)


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param(record(("it", "row")), id="itself"),
        pytest.param(record(("a", "int"), ("it", record(("it", "row"), name="in"))), id="through"),
        pytest.param(record(("it", ["null", record(("it", "in"), name="in")])), id="in-a-branch"),
        pytest.param({"type": "array", "items": record(("it", "row"))}, id="in-an-array"),
        pytest.param(record(("n", "int"), ("it", "row")), id="after-a-number"),
    ],
)
def test_a_record_that_always_contains_itself_is_a_fault_of_the_schema(schema: Json) -> None:
    """The reader would recurse without reading a byte, until the process ends."""
    assert fault(schema, b"\0" * 5) == (
        "DECODE_SCHEMA: it has a record that always contains itself, so no value of it can end"
    )


@pytest.mark.parametrize(
    ("schema", "body", "value"),
    [
        (record(("it", OPTIONAL_ROW)), b"\2\0", {"it": {"it": None}}),
        (
            record(("it", {"type": "array", "items": "row"})),
            b"\2\0\0",
            {"it": [{"it": []}]},
        ),
        (
            record(("it", {"type": "map", "values": "row"})),
            b"\2\2a\0\0",
            {"it": {"a": {"it": {}}}},
        ),
        (
            record(("it", nested(20, OPTIONAL_ROW))),
            b"\0",
            {"it": json.loads('{"it":' * 20 + "null" + "}" * 20)},
        ),
    ],
)
def test_a_recursive_schema_that_can_end_is_read(schema: Json, body: bytes, value: Json) -> None:
    """A union, array or map takes a byte, and may end there."""
    assert value == payload(schema, body)


@pytest.mark.parametrize("between", [0, 4, 40])
@pytest.mark.parametrize("steps", [DEEPEST, 2_000, 100_000])
def test_a_recursive_body_is_limited_by_its_levels(between: int, steps: int) -> None:
    """However many levels one byte opens."""
    schema = record(("it", nested(between, OPTIONAL_ROW)))
    assert TOO_DEEP == fault(schema, b"\2" * steps + b"\0")


def test_a_long_body_of_few_levels_is_read() -> None:
    """The limit is one of levels, not of bytes."""
    schema = record(("text", "string"), ("it", OPTIONAL_ROW))
    text = "x" * 100_000
    value = {"text": text, "it": {"text": text, "it": None}}
    assert value == payload(schema, avro_body(schema, value))


@pytest.mark.parametrize(
    "items",
    [
        pytest.param({"type": "map", "values": "int"}, id="empty-maps"),
        pytest.param({"type": "array", "items": "int"}, id="empty-arrays"),
        pytest.param(nested(30, ["null", "int"]), id="records-in-records"),
        pytest.param(
            record(*((f"column{n}", "boolean") for n in range(50)), name="wide"), id="wide-records"
        ),
    ],
)
def test_many_small_values_are_a_fault_of_the_record(items: Json) -> None:
    """A megabyte of one-byte values would take hundreds as objects and as JSON."""
    count = 1_000_000
    body = count_of(count) + b"\0" * 50 * count + b"\0"
    assert TOO_LARGE == fault(record(("many", {"type": "array", "items": items})), body)


def test_a_map_of_many_entries_is_a_fault_of_the_record() -> None:
    """Each name is a byte or two, and an entry of a dict."""
    body = count_of(500_000) + b"\0\0" * 500_000 + b"\0"
    assert TOO_LARGE == fault(record(("many", {"type": "map", "values": "int"})), body)


def test_an_ordinary_large_body_is_read() -> None:
    """A hundred thousand numbers are within the budget, and so is a text of a megabyte."""
    numbers = {"many": list(range(100_000)), "text": "x" * 1_000_000}
    schema = record(("many", {"type": "array", "items": "long"}), ("text", "string"))
    assert numbers == payload(schema, avro_body(schema, numbers))


@pytest.mark.parametrize("size", [131, 1_000_000])
def test_a_decimal_of_a_union_has_the_limit_of_every_decimal(size: int) -> None:
    """Its digits would take quadratic time."""
    body = b"\4" + count_of(size) + b"\1" * size
    assert "NUMBER_RANGE: expected a number within the range of a double, got one beyond it" == (
        fault(record(("it", ["null", "string", DECIMAL])), body)
    )


def test_a_decimal_of_a_union_is_exact() -> None:
    """The largest that is read has 130 bytes."""
    body = b"\4" + count_of(130) + b"\1" * 130
    document = compile_avro(
        WrittenSchema("AVRO", json.dumps(record(("it", ["null", "string", DECIMAL]))))
    )(Frame(1, body, None))
    digits = str(int.from_bytes(b"\1" * 130))
    assert document.endswith(f'"payload":{{"it":{digits[:-2]}.{digits[-2:]}}}}}'.encode())


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        pytest.param({"type": "enum", "name": "mood", "symbols": ["A", "B"]}, b"\1", id="enum-1"),
        pytest.param({"type": "enum", "name": "mood", "symbols": ["A", "B"]}, b"\4", id="enum+2"),
        pytest.param(["null", "string"], b"\1\2a", id="optional-1"),
        pytest.param(["null", "string"], b"\3\2a", id="optional-2"),
        pytest.param(["null", "string"], b"\4\2a", id="optional+2"),
        pytest.param(["int", "string"], b"\1\2a", id="union-1"),
        pytest.param({"type": "array", "items": ["null", "int"]}, b"\2\1\2\0", id="in-an-array"),
        pytest.param({"type": "map", "values": ["null", "int"]}, b"\2\2a\1\2\0", id="in-a-map"),
        pytest.param(record(("in", ["null", "int"]), name="in"), b"\1\2", id="in-a-record"),
    ],
)
def test_an_index_outside_its_list_is_a_fault_of_the_record(kind: Json, body: bytes) -> None:
    """An index of -1 would be the last branch or symbol."""
    assert fault(record(("it", kind)), body).startswith(OTHER_BYTES)
    assert fault(kind, body).startswith(OTHER_BYTES)


def test_a_named_type_is_read_in_the_same_way_where_it_is_used_again() -> None:
    """Its definition is looked up by the reader, and has the same protection."""
    inner = record(("it", ["null", "int"]), name="inner")
    schema = record(("a", inner), ("b", "inner"))
    assert {"a": {"it": 1}, "b": {"it": None}} == payload(schema, b"\2\2\0")
    assert fault(schema, b"\2\2\1\2").startswith(OTHER_BYTES)


SCALARS = st.sampled_from(["null", "boolean", "int", "long", "float", "double", "bytes", "string"])
SCHEMAS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        inner.filter(lambda node: node != "null").map(
            lambda node: {"type": "array", "items": node}
        ),
        inner.map(lambda node: {"type": "map", "values": node}),
        inner.filter(lambda node: isinstance(node, dict)).map(lambda node: ["null", node]),
    ),
    max_leaves=4,
)


@given(schema=SCHEMAS, body=st.binary(max_size=60))
def test_any_bytes_are_read_or_are_a_fault(schema: Json, body: bytes) -> None:
    """Only a `RecordError` leaves the decoder."""
    with contextlib.suppress(RecordError):
        payload(record(("it", schema)), body)


def values_of(schema: Json) -> st.SearchStrategy[Json]:
    """Draw a value of a schema."""
    if isinstance(schema, list):
        return st.one_of([values_of(branch) for branch in schema])
    if isinstance(schema, dict):
        if schema["type"] == "array":
            return st.lists(values_of(schema["items"]), max_size=4)
        return st.dictionaries(st.text(max_size=3), values_of(schema["values"]), max_size=4)
    return {
        "null": st.none(),
        "boolean": st.booleans(),
        "int": st.integers(-(2**31), 2**31 - 1),
        "long": st.integers(-(2**63), 2**63 - 1),
        "float": st.floats(width=32),
        "double": st.floats(),
        "bytes": st.binary(max_size=5),
        "string": st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    }[schema]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_the_walk_agrees_with_the_reader(data: st.DataObject) -> None:
    """A body that the reader reads whole is never refused, and a cut one is."""
    schema = record(("it", data.draw(SCHEMAS)))
    body = avro_body(schema, {"it": data.draw(values_of(schema["fields"][0]["type"]))})
    measure = compile_measure(schema, recursive=True)
    measure(body)
    if body:
        with pytest.raises(RecordError, match="DECODE_SYNTAX"):
            measure(body[:-1])
