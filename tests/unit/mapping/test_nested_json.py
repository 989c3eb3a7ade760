"""`json: true` on a typed object: its parts have the form that they have by a path."""

from __future__ import annotations

import json
from typing import Any

import pytest

from consumer.mapping.settings import FieldRule, FieldType, ObjectSettings, RouteSettings
from tests.properties.journeys import TOPIC
from tests.properties.test_mapping import difference
from tests.unit.decoding.contract import Route, record

SCHEMA = {"id": FieldType.TEXT, "whole": FieldType.TEXT}
RULES = {"whole": FieldRule(source="whole", json=True)}
PRICE = [
    {
        "field": "amount",
        "type": "bytes",
        "name": "org.apache.kafka.connect.data.Decimal",
        "parameters": {"scale": "2"},
    },
    {"field": "at", "type": "int64", "name": "org.apache.kafka.connect.data.Timestamp"},
    {"field": "day", "type": "int32", "name": "io.debezium.time.Date"},
    {"field": "time", "type": "int64", "name": "io.debezium.time.MicroTime"},
    {"field": "zoned", "type": "string", "name": "io.debezium.time.ZonedTimestamp"},
    {"field": "free", "type": "struct", "name": "io.debezium.data.VariableScaleDecimal"},
    {"field": "note", "type": "string"},
]
VALUE = {
    "amount": "BNI=",
    "at": 1_700_000_000_123,
    "day": 19_782,
    "time": 3_600_000_000,
    "zoned": "2024-02-29T10:00:00.123456Z",
    "free": {"scale": 1, "value": "AQ=="},
    "note": "n\u00e9",
    "extra": 7,
}
WRITTEN = (
    '{"amount":12.34,"at":"2023-11-14T22:13:20.123Z","day":"2024-02-29","time":"01:00:00",'
    '"zoned":"2024-02-29T10:00:00.123Z","free":0.1,"note":"n\u00e9","extra":7}'
)
STRUCT: dict[str, Any] = {"type": "struct", "fields": PRICE}
NULLS = '{"amount":null,"at":null}'


def wrapped(column: dict[str, Any], value: object, name: str = "json") -> bytes:
    """Return a row with the column `whole` in Connect's wrapping."""
    row = [{"field": "id", "type": "int64"}, column | {"field": "whole"}]
    schema: dict[str, Any] = {"type": "struct", "fields": row}
    payload: dict[str, Any] = {"id": 1, "whole": value}
    if name == "debezium":
        schema = {"type": "struct", "fields": [schema | {"field": "after"}]}
        payload = {"op": "c", "after": payload}
    return json.dumps({"schema": schema, "payload": payload}, ensure_ascii=False).encode()


CASES = [
    pytest.param(STRUCT, VALUE, WRITTEN, id="struct"),
    pytest.param(
        {"type": "array", "items": STRUCT}, [VALUE, None], f"[{WRITTEN},null]", id="array"
    ),
    pytest.param({"type": "map", "values": STRUCT}, {"k": VALUE}, f'{{"k":{WRITTEN}}}', id="map"),
    pytest.param(
        {"type": "struct", "fields": [STRUCT | {"field": "inner"}]},
        {"inner": VALUE},
        f'{{"inner":{WRITTEN}}}',
        id="struct-in-a-struct",
    ),
    pytest.param(STRUCT, {"amount": None, "at": None}, NULLS, id="nulls"),
    pytest.param(STRUCT, None, None, id="null"),
]


@pytest.mark.parametrize("name", ["json", "debezium"])
@pytest.mark.parametrize(("column", "value", "expected"), CASES)
def test_part_of_nested_json_is_written_by_its_type(
    name: str, column: dict[str, Any], value: object, expected: str | None
) -> None:
    """Decimals are numbers, dates and times are text, and untyped parts stay as they are."""
    route = Route(name, schema=SCHEMA, fields=RULES)
    written = wrapped(column, value, name)

    assert [expected] * 2 == [route.row(written)["whole"] for _ in range(2)]


def test_untyped_json_keeps_its_text() -> None:
    """Without a typed part the text is the source's, with its spaces."""
    column = {"type": "struct", "fields": [{"field": "a", "type": "int64"}]}

    assert (
        '{"a": 1}'
        == Route("json", schema=SCHEMA, fields=RULES).row(wrapped(column, {"a": 1}))["whole"]
    )


def test_part_that_does_not_fit_its_type_is_refused() -> None:
    """A decimal that is not base64 is not sent as text."""
    route = Route("json", schema=SCHEMA, fields=RULES)

    assert ["FIELD_FORMAT"] == route.outcomes(wrapped(STRUCT, {"amount": "no"}))


@pytest.mark.parametrize("name", ["json", "debezium"])
def test_both_paths_agree_on_typed_json(name: str) -> None:
    """Typed parts, values of another kind, and faults."""
    target = ObjectSettings(name="things", fields=SCHEMA, primary_key="id")
    route = RouteSettings(topics=(TOPIC,), object="things", format=name, fields=RULES)  # type: ignore[arg-type]
    odd: list[Any] = [VALUE, [VALUE], {"amount": "no"}, {"amount": {}}, "x", 7, None, {}, VALUE]
    records = [
        record(wrapped(column, value, name), topic=TOPIC)
        for column in (STRUCT, {"type": "array", "items": STRUCT})
        for value in odd
    ]

    assert difference(route, target, records) is None
