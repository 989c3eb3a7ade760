"""Kafka keys that name no row: the fault says what to change at the source."""

from __future__ import annotations

import pytest

from consumer.mapping.settings import FieldRule
from tests.unit.decoding.contract import Route

STRUCTS = [b"Struct{id=10}", b"Struct{id=10,name=a}", b"{id=10}", b'"Struct{id=10}"', b"Struct{}"]


@pytest.mark.parametrize("key", STRUCTS)
@pytest.mark.parametrize("name", ["debezium_flat", "json"])
def test_text_of_a_java_struct_is_not_a_key(name: str, key: bytes) -> None:
    """A StringConverter wrote the struct: a delete by its text would delete a row that is not."""
    route = Route(name, tombstones="delete")

    assert ["KEY_TYPE"] == route.outcomes(None, key=key)
    assert "`key.converter`" in route.detail(None, key=key)


def test_column_of_a_java_struct_cannot_be_read() -> None:
    """A rule that reads a column of the key gives the same advice."""
    route = Route("json", fields={"id": FieldRule(source="$key.id")})

    assert ["KEY_TYPE"] == route.outcomes({"name": "a"}, key=b"Struct{id=10}")
    assert "`key.converter`" in route.detail({"name": "a"}, key=b"{id=10}")


@pytest.mark.parametrize("key", STRUCTS)
def test_row_with_its_own_key_needs_no_kafka_key(key: bytes) -> None:
    """Upserts, and deletes whose old row has the key, do not use the Kafka key."""
    delete = {"op": "d", "before": {"id": 7}}

    assert [("delete", "7")] == Route("debezium").outcomes(delete, key=key)
    ((outcome, *_),) = Route("json").outcomes({"id": 7}, key=key)
    assert outcome == "upsert"


@pytest.mark.parametrize("key", [b"a{b=c", b"Structure", b"a=b", b"{}x", b"urn:{x}"])
def test_other_text_is_a_key(key: bytes) -> None:
    """Only the text of a struct or a map is refused."""
    outcomes = Route("json", tombstones="delete").outcomes(None, key=key)

    assert outcomes in ([("delete", key.decode())], ["DECODE_SYNTAX"])


def test_array_says_what_to_change() -> None:
    """An array of one value is not taken for the value."""
    route = Route("debezium_flat", tombstones="delete")

    assert ["KEY_TYPE"] == route.outcomes(None, key=b"[10]")
    assert "let the source write one value" in route.detail(None, key=b"[10]")


ORACLE = {"ID": {"scale": 0, "value": "A+k="}}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"op": "c", "after": ORACLE}, ("upsert", "1001")),
        ({"op": "d", "before": None}, ("delete", "1001")),
        (None, ("delete", "1001")),
    ],
)
def test_number_of_oracle_without_a_schema_is_read_by_its_scale(
    value: object, expected: tuple[str, str]
) -> None:
    """The message names `scale: 0`, and with it the key is read in the row and in the Kafka key."""
    plain = Route("debezium", fields={"id": FieldRule(source="ID")}, tombstones="delete")
    scaled = Route("debezium", fields={"id": FieldRule(source="ID", scale=0)}, tombstones="delete")

    assert ["KEY_TYPE"] == plain.outcomes(value, key=ORACLE)
    assert "`scale: 0`" in plain.detail(value, key=ORACLE)
    ((outcome, key, *_),) = scaled.outcomes(value, key=ORACLE)
    assert expected == (outcome, key)


_DECIMAL = {
    "type": "bytes",
    "name": "org.apache.kafka.connect.data.Decimal",
    "parameters": {"scale": "0"},
}
_NUMBER = {
    "type": "struct",
    "name": "io.debezium.data.VariableScaleDecimal",
    "fields": [{"field": "scale", "type": "int32"}, {"field": "value", "type": "bytes"}],
}
_DATE = {"type": "int32", "name": "io.debezium.time.Date"}
_TIMESTAMP = {"type": "int64", "name": "io.debezium.time.MicroTimestamp"}


@pytest.mark.parametrize("name", ["json", "debezium_flat"])
@pytest.mark.parametrize(
    ("column", "written", "expected"),
    [
        (_DECIMAL, "BNI=", "1234"),
        (_NUMBER, {"scale": 0, "value": "BNI="}, "1234"),
        (_DATE, 19782, "2024-02-29"),
        (_TIMESTAMP, 1709208000123456, "2024-02-29T12:00:00.123Z"),
        ({"type": "int64"}, 7, "7"),
        ({"type": "string"}, "007", "007"),
    ],
)
def test_single_value_with_a_schema_names_the_row_of_the_upsert(
    column: dict[str, object], written: object, expected: str, name: str
) -> None:
    """`ExtractField$Key` leaves one value with its schema, which says what the value means."""
    route = Route(name, fields={"id": FieldRule(source="no")}, tombstones="delete")
    schema = {"type": "struct", "fields": [{**column, "field": "no"}]}

    row = {"schema": schema, "payload": {"no": written}}
    ((outcome, upserted, *_),) = route.outcomes(row)
    assert ("upsert", expected) == (outcome, upserted)
    for key in (row, {"schema": column, "payload": written}):
        assert [("delete", expected)] == route.outcomes(None, key=key)
