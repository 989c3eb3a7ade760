"""Connect's pair of `schema` and `payload`, in every format, and only its payload."""

from __future__ import annotations

from typing import Any

import pytest

from consumer.decoding.change_event import Envelope
from consumer.mapping.settings import FieldRule, FieldType, ObjectSettings, RouteSettings
from tests.properties.journeys import TOPIC
from tests.properties.test_mapping import difference
from tests.unit.decoding.contract import Route, record

ROW = {"id": 1, "name": "a"}
FLAT = ROW | {"__op": "u", "__deleted": "false"}
CHANGE = {"before": None, "after": ROW, "op": "c", "source": {"ts_ms": 1_700_000_000_000}}
VALUES: dict[str, Any] = {
    "json": ROW,
    "debezium_flat": FLAT,
    "debezium": CHANGE,
    "canal": {"type": "INSERT", "data": [ROW], "es": 1},
    "maxwell": {"type": "insert", "data": ROW, "ts": 1},
    "dms": {"data": ROW, "metadata": {"record-type": "data", "operation": "insert"}},
    "goldengate": {"op_type": "I", "after": ROW},
    "cloudevents": {"specversion": "1.0", "id": "e", "source": "s", "type": "t", "data": ROW},
    "salesforce_cdc": {
        "ChangeEventHeader": {"changeType": "CREATE", "recordIds": ["1"]},
        "id": 1,
        "name": "a",
    },
}
UPSERT = [("upsert", "1", {"id": "1", "name": "a"})]
SCHEMA = {"id": FieldType.TEXT, "name": FieldType.TEXT}


def pairs(payload: object) -> dict[str, dict[str, object]]:
    """Return the forms in which Connect's converter, or a transformation after it, writes it."""
    return {
        "null-schema": {"schema": None, "payload": payload},
        "only-payload": {"payload": payload},
        "payload-first": {"payload": payload, "schema": None},
        "map-schema": {
            "schema": {"type": "map", "keys": {"type": "string"}, "values": {"type": "string"}},
            "payload": payload,
        },
        "empty-struct": {"schema": {"type": "struct", "fields": []}, "payload": payload},
    }


FORMS = list(pairs(None))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", VALUES)
def test_value_is_unwrapped(name: str, form: str) -> None:
    """A wrapped value maps like the bare one, in every format, the first and the second time."""
    route = Route(name, schema=SCHEMA)
    value = pairs(VALUES[name])[form]

    assert [UPSERT, UPSERT] == [route.outcomes(value), route.outcomes(value)]
    assert UPSERT == Route(name, schema=SCHEMA).outcomes(VALUES[name])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", VALUES)
def test_wrapped_null_is_a_tombstone(name: str, form: str) -> None:
    """A null in the pair means the same as a null value, in every format."""
    route = Route(name, schema=SCHEMA, tombstones="delete")

    assert [("delete", "1")] == route.outcomes(pairs(None)[form], key=b"1")


@pytest.mark.parametrize("form", FORMS)
def test_key_is_unwrapped(form: str) -> None:
    """The key columns are those inside the payload."""
    route = Route("debezium", schema=SCHEMA)
    delete = {"before": None, "after": None, "op": "d"}

    assert [("delete", "1")] == route.outcomes(delete, key=pairs({"id": 1})[form])


@pytest.mark.parametrize("payload", ["7", 7])
def test_single_value_in_a_key_is_unwrapped(payload: object) -> None:
    """A pair with a null schema may hold a single value."""
    route = Route("json", schema=SCHEMA, tombstones="delete")

    assert [("delete", "7")] == route.outcomes(None, key={"schema": None, "payload": payload})


@pytest.mark.parametrize("name", ["json", "debezium_flat"])
@pytest.mark.parametrize(
    "rule",
    [FieldRule(source="payload.id"), FieldRule(template="{payload.id}")],
    ids=["path", "template"],
)
def test_row_with_a_column_payload_stays_a_row(name: str, rule: FieldRule) -> None:
    """A route that reads the column `payload` is not given the object inside it."""
    route = Route(name, schema=SCHEMA, fields={"id": rule})
    row = {"payload": {"id": 5, "name": "b"}}

    assert [("upsert", "5", {"id": "5", "name": None})] == route.outcomes(row)
    assert [("upsert", "5", {"id": "5", "name": None})] == route.outcomes({"schema": None} | row)


def test_row_with_more_columns_stays_a_row() -> None:
    """Columns named `schema` and `payload` beside others are columns."""
    row = ROW | {"schema": None, "payload": {"id": 9}}

    assert UPSERT == Route("json", schema=SCHEMA).outcomes(row)


@pytest.mark.parametrize("name", ["json", "debezium_flat", "debezium"])
def test_both_paths_agree_on_pairs(name: str) -> None:
    """Bare and wrapped values in turn, names with escapes, and pairs with something after them."""
    target = ObjectSettings(name="things", fields=SCHEMA, primary_key="id")
    route = RouteSettings(topics=(TOPIC,), object="things", format=name)  # type: ignore[arg-type]
    forms = [VALUES[name], *pairs(VALUES[name]).values(), *pairs(None).values()]
    odd = [
        b'{"p\\u0061yload":{"id":3,"name":"c"}}',
        b'{"\\u0073chema":null,"payload":{"id":4}}',
        b'{"schema":null,"payload":{"id":5}} ',
        b'{"schema":null,"payload":{"id":6},"payload":{"id":7}}',
        b'{"payload":{"id":8},"x":1}',
        b'{"payload":[1]}',
    ]
    records = [record(one, topic=TOPIC) for one in (*forms, *forms, *odd)]

    assert difference(route, target, records) is None


def test_bare_values_have_one_object_of_columns() -> None:
    """A compiled plan is found by it: with a new object, every record would compile its route."""
    assert Envelope({}).columns is Envelope({}).columns
