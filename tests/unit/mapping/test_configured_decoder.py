"""Format `json` with an envelope that the route describes: operation, row, old row and time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from consumer.errors import RecordError
from consumer.mapping.settings import (
    BeforeSettings,
    FieldRule,
    FieldType,
    ObjectSettings,
    OperationSettings,
    RowSettings,
    TimeSettings,
)
from consumer.model import PlainRecord

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "hunter2"
CHANGED = ObjectSettings(
    name="things",
    fields={"id": FieldType.TEXT, "name": FieldType.TEXT, "seen": FieldType.DATE_TIME},
    primary_key="id",
    record_modified="seen",
)
OPERATION = OperationSettings(
    source="message.headers.operation",
    insert=("INSERT", "REFRESH"),
    update=("UPDATE",),
    delete=("DELETE",),
)
QLIK: dict[str, Any] = {
    "operation": OPERATION,
    "row": RowSettings(source="message.data"),
    "before": BeforeSettings(source="message.beforeData"),
    "time": TimeSettings(source="message.headers.timestamp"),
}


def qlik(operation: object, data: object, before: object = None) -> dict[str, Any]:
    """Return a change in the form of Qlik Replicate."""
    headers = {"operation": operation, "timestamp": "2026-02-01T10:00:00.500Z"}
    return {"message": {"data": data, "beforeData": before, "headers": headers}}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(
            qlik("INSERT", {"id": 1, "name": "a"}),
            ("upsert", "1", {"id": "1", "name": "a", "seen": "2026-02-01T10:00:00.500Z"}),
            id="insert",
        ),
        pytest.param(
            qlik("UPDATE", {"id": 1, "name": "b"}, {"id": 1, "name": "a"}),
            ("upsert", "1", {"id": "1", "name": "b", "seen": "2026-02-01T10:00:00.500Z"}),
            id="update",
        ),
        pytest.param(
            qlik("UPDATE", {"id": 2, "name": "b"}, {"id": 1}),
            [
                ("delete", "1"),
                ("upsert", "2", {"id": "2", "name": "b", "seen": "2026-02-01T10:00:00.500Z"}),
            ],
            id="changed-key",
        ),
        pytest.param(
            qlik("UPDATE", {"id": 2, "name": "b"}, {"name": "a"}),
            ("upsert", "2", {"id": "2", "name": "b", "seen": "2026-02-01T10:00:00.500Z"}),
            id="old-row-without-the-key",
        ),
        pytest.param(qlik("DELETE", {"id": 1, "name": "a"}), ("delete", "1"), id="delete"),
        pytest.param(qlik("DELETE", None, {"id": 1}), ("delete", "1"), id="delete-by-old-row"),
        pytest.param(
            qlik("DELETE", {"id": 2}, {"id": 1}), ("delete", "1"), id="old-row-comes-first"
        ),
        pytest.param(qlik("DELETE", None), ("delete", "7"), id="delete-by-kafka-key"),
        pytest.param(qlik("TRUNCATE", {"id": 1}), "ENVELOPE_OP", id="not-listed"),
        pytest.param(qlik(None, {"id": 1}), "ENVELOPE_OP", id="null-is-not-listed"),
        pytest.param(qlik({"x": 1}, {"id": 1}), "ENVELOPE_OP", id="an-object-is-not-listed"),
        pytest.param({"id": 1}, "ENVELOPE_OP", id="no-operation"),
        pytest.param({"message": "text"}, "ENVELOPE_SHAPE", id="text-on-the-way"),
        pytest.param(qlik("INSERT", None), "ENVELOPE_SHAPE", id="insert-of-null"),
        pytest.param(qlik("INSERT", "text"), "ENVELOPE_SHAPE", id="row-is-text"),
        pytest.param(qlik("INSERT", [1]), "ENVELOPE_SHAPE", id="row-is-an-array"),
        pytest.param(
            qlik("INSERT", [{"name": None, "value": 1}]), "ENVELOPE_SHAPE", id="column-without-name"
        ),
        pytest.param(qlik("DELETE", 7), "ENVELOPE_SHAPE", id="deleted-row-is-a-number"),
        pytest.param({"resolved": "1532377312.0"}, "watermark", id="resolved"),
        pytest.param(
            {"version": 1, "type": "WATERMARK", "commitTs": 447, "buildTs": 1},
            "watermark",
            id="watermark-of-ticdc-simple",
        ),
    ],
)
def test_change(value: object, expected: object, mapping: Callable[..., Any]) -> None:
    """Operation, row, old row and time come from the paths of the route."""
    assert expected == mapping(target=CHANGED, **QLIK).outcome(value, key='{"id": 7}')


@pytest.mark.parametrize(
    ("deletes", "expected"),
    [
        pytest.param("ignore", "deletes", id="ignore"),
        pytest.param("dead_letter", "DELETE_UNWANTED", id="dead-letter"),
    ],
)
def test_deletes_of_the_route_decide(
    deletes: str, expected: str, mapping: Callable[..., Any]
) -> None:
    """A described delete is a delete like that of any format."""
    mapped = mapping(target=CHANGED, deletes=deletes, **QLIK)

    assert expected == mapped.outcome(qlik("DELETE", {"id": 1}))


def test_changed_part_of_a_compound_key(mapping: Callable[..., Any]) -> None:
    """An old row that has only the changed column of a compound key still names the old key."""
    fields = {"id": FieldRule(template="{shop}-{number}")}
    outcome = mapping(fields=fields, **QLIK).outcome(
        qlik("UPDATE", {"shop": "b", "number": 2}, {"shop": "a"})
    )

    assert outcome[0] == ("delete", "a-2")
    assert outcome[1][:2] == ("upsert", "b-2")


@pytest.mark.parametrize(
    ("value", "field"),
    [
        pytest.param(qlik(SECRET, {"id": 1}), "message.headers.operation", id="operation"),
        pytest.param(qlik("INSERT", SECRET), "message.data", id="row"),
        pytest.param(qlik("INSERT", [SECRET]), "message.data", id="array"),
        pytest.param({"message": SECRET}, "message.headers.operation", id="text-on-the-way"),
        pytest.param(
            {
                "message": {
                    "data": {"id": 1},
                    "headers": {"operation": "INSERT", "timestamp": SECRET},
                }
            },
            "message.headers.timestamp",
            id="time",
        ),
    ],
)
def test_fault_names_the_path_and_no_value(
    value: object, field: str, mapping: Callable[..., Any]
) -> None:
    """A fault of the envelope names its path; no message contains a value."""
    mapper = mapping(target=CHANGED, **QLIK).mapper
    with pytest.raises(RecordError) as raised:
        mapper.map(PlainRecord("t", value=json.dumps(value).encode()), 1_800_000_000_000)

    assert field == raised.value.field
    assert SECRET not in str(raised.value.detail)


@pytest.mark.parametrize(
    ("deleted", "expected"),
    [
        pytest.param(True, "delete", id="deleted"),
        pytest.param(False, "upsert", id="there"),
        pytest.param(None, "upsert", id="null"),
    ],
)
def test_soft_delete(deleted: object, expected: str, mapping: Callable[..., Any]) -> None:
    """Without `row` the document is the row; null and booleans can be listed."""
    operation = OperationSettings(source="is_deleted", insert=(False, None), delete=(True,))
    outcome = mapping(operation=operation).outcome({"id": 1, "is_deleted": deleted})

    assert expected == outcome[0]


@pytest.mark.parametrize(
    ("source", "facts"),
    [
        pytest.param("$header.op", {"headers": [("op", b"D")]}, id="header"),
        pytest.param("$key.op", {"key": '{"op": "D"}'}, id="key"),
        pytest.param('_cdc."op.type"', {}, id="quoted"),
    ],
)
def test_operation_from_anywhere(
    source: str, facts: dict[str, Any], mapping: Callable[..., Any]
) -> None:
    """Headers and the key can hold the operation."""
    operation = OperationSettings(source=source, insert=("I",), delete=("D",))
    value = {"id": 1, "_cdc": {"op.type": "D"}}

    assert mapping(operation=operation).outcome(value, **facts) == ("delete", "1")


@pytest.mark.parametrize(
    ("tombstones", "expected"),
    [
        pytest.param("ignore", "tombstone", id="ignore"),
        pytest.param("dead_letter", "TOMBSTONE_UNMAPPED", id="dead-letter"),
        pytest.param("delete", ("delete", "7"), id="delete"),
    ],
)
def test_null_row_without_operation_is_a_tombstone(
    tombstones: str, expected: object, mapping: Callable[..., Any]
) -> None:
    """Without `operation`, a row that is null is treated like a null value."""
    mapped = mapping(
        row=RowSettings(source="after"),
        tombstones=tombstones,
        fields={"id": FieldRule(source="id")},
    )

    assert expected == mapped.outcome({"after": None}, key='{"id": 7}')
    assert mapped.outcome({"id": 1}, key='{"id": 7}') == "ENVELOPE_SHAPE"


def test_row_of_names_and_values(mapping: Callable[..., Any]) -> None:
    """An array of objects with name and value is a row; an update may leave columns out."""
    operation = OperationSettings(source="action", insert=("I",), update=("U",), delete=("D",))
    settings: dict[str, Any] = {
        "operation": operation,
        "row": RowSettings(source="columns"),
        "before": BeforeSettings(source="identity"),
    }
    columns = [{"name": "id", "type": "integer", "value": 1}]
    whole = [*columns, {"name": "name", "type": "text", "value": "a"}]
    target = ObjectSettings(
        name="things", fields={"id": FieldType.TEXT, "name": FieldType.TEXT}, primary_key="id"
    )
    mapped = mapping(target=target, **settings)

    assert mapped.outcome({"action": "I", "columns": whole}) == (
        "upsert",
        "1",
        {"id": "1", "name": "a"},
    )
    assert mapped.outcome({"action": "I", "columns": columns})[2]["name"] is None
    assert mapped.outcome({"action": "U", "columns": columns}) == "ENVELOPE_UNAVAILABLE"
    assert mapped.outcome({"action": "D", "identity": columns}) == ("delete", "1")


@pytest.mark.parametrize(
    ("time", "found", "expected"),
    [
        pytest.param(
            TimeSettings(source="ts"), "2026-02-01T00:00:00Z", "2026-02-01T00:00:00.000Z", id="text"
        ),
        pytest.param(
            TimeSettings(source="ts", unit="ms"),
            1769904000123,
            "2026-02-01T00:00:00.123Z",
            id="number",
        ),
        pytest.param(
            TimeSettings(source="ts", unit="ns"),
            "1769904000123456789.0000000000",
            "2026-02-01T00:00:00.123Z",
            id="digits-in-text",
        ),
        pytest.param(
            TimeSettings(source="ts"), None, "1970-01-01T00:00:01.000Z", id="kafka-timestamp"
        ),
        pytest.param(TimeSettings(source="ts"), 1769904000123, "TIME_FORMAT", id="no-unit"),
        pytest.param(TimeSettings(source="ts"), "2026-02-01T00:00:00", "TIME_ZONE", id="no-zone"),
    ],
)
def test_time(
    time: TimeSettings, found: object, expected: str, mapping: Callable[..., Any]
) -> None:
    """The time of the change fills Record Modified."""
    outcome = mapping(target=CHANGED, time=time).outcome({"id": 1, "ts": found})

    assert expected == (outcome if isinstance(outcome, str) else outcome[2]["seen"])


ROW_TEXT = '{"id": 1, "name": "a"}'


@pytest.mark.parametrize(
    ("source", "value"),
    [
        pytest.param(None, json.dumps(ROW_TEXT), id="the-value"),
        pytest.param(None, {"schema": {"type": "string"}, "payload": ROW_TEXT}, id="connect-pair"),
        pytest.param(None, {"schema": None, "payload": ROW_TEXT}, id="connect-null-schema"),
        pytest.param(None, {"payload": ROW_TEXT}, id="payload-by-itself"),
        pytest.param(None, ROW_TEXT, id="not-in-text"),
        pytest.param("payload", {"payload": ROW_TEXT}, id="member"),
        pytest.param("payload", {"schema": {"type": "string"}, "payload": ROW_TEXT}, id="of-pair"),
        pytest.param("payload", {"payload": json.loads(ROW_TEXT)}, id="member-not-in-text"),
        pytest.param("event.payload", {"event": {"payload": ROW_TEXT}}, id="deeper"),
        pytest.param("event.row", {"event": json.dumps({"row": ROW_TEXT})}, id="text-in-text"),
    ],
)
def test_row_in_text(source: str | None, value: object, mapping: Callable[..., Any]) -> None:
    """With `parse: json` the row is JSON inside text."""
    row = mapping(row=RowSettings(source=source, parse="json")).row(value)

    assert (row["id"], row["name"]) == ("1", "a")


@pytest.mark.parametrize(
    ("source", "value", "reason"),
    [
        pytest.param(None, '"not JSON"', "DECODE_NOT_OBJECT", id="value-is-not-json"),
        pytest.param("payload", {"payload": "not JSON"}, "ENVELOPE_SHAPE", id="row-is-not-json"),
        pytest.param("payload", {"payload": "7"}, "ENVELOPE_SHAPE", id="row-is-a-number"),
    ],
)
def test_text_without_a_row(
    source: str | None, value: object, reason: str, mapping: Callable[..., Any]
) -> None:
    """Text that holds no row is a fault of the record."""
    assert reason == mapping(row=RowSettings(source=source, parse="json")).outcome(value)


def test_columns_of_a_row_in_connects_pair(mapping: Callable[..., Any]) -> None:
    """The source schema types the columns of a row below a path."""
    moment = {"field": "seen", "type": "int64", "name": "io.debezium.time.MicroTimestamp"}
    data = {"field": "data", "type": "struct", "fields": [moment]}
    schema = {"type": "struct", "fields": [data]}
    row = mapping(row=RowSettings(source="data")).row(
        {"schema": schema, "payload": {"data": {"id": 1, "seen": 1769904000123456}}}
    )

    assert row["seen"] == "2026-02-01T00:00:00.123Z"


def test_where_is_judged_before_the_operation(mapping: Callable[..., Any]) -> None:
    """A route that lists the operations it takes filters the others."""
    mapped = mapping(
        target=CHANGED, where={"$envelope.message.headers.operation": ("INSERT",)}, **QLIK
    )

    assert mapped.outcome(qlik("BEGIN", None)) == "where"


LINES = RowSettings(source="order.lines", per="element")


def test_each_element_of_an_array_is_a_row(mapping: Callable[..., Any]) -> None:
    """In order, with the operation of the record."""
    operation = OperationSettings(source="op", insert=("I",), delete=("D",))
    route = mapping(row=LINES, operation=operation)
    lines = {"order": {"lines": [{"id": 1, "name": "a"}, {"id": 2}]}}
    first, second = route.outcome(lines | {"op": "I"})
    assert (("upsert", "1", "a"), ("upsert", "2", None)) == (
        (*first[:2], first[2]["name"]),
        (*second[:2], second[2]["name"]),
    )
    assert [("delete", "1"), ("delete", "2")] == route.outcome(lines | {"op": "D"})


@pytest.mark.parametrize(
    ("order", "outcome"),
    [
        pytest.param({"lines": []}, "message", id="none"),
        pytest.param({"lines": None}, "message", id="null"),
        pytest.param({}, "message", id="nothing"),
        pytest.param({"lines": {"id": 1}}, "ENVELOPE_SHAPE", id="an-object"),
        pytest.param({"lines": "x"}, "ENVELOPE_SHAPE", id="text"),
        pytest.param({"lines": 7}, "ENVELOPE_SHAPE", id="a-number"),
        pytest.param({"lines": [{"id": 1}, None]}, "ENVELOPE_SHAPE", id="null-among-rows"),
        pytest.param({"lines": [{"id": 1}, 7]}, "ENVELOPE_SHAPE", id="number-among-rows"),
        pytest.param({"lines": [{"id": 1}, {"id": ""}]}, "KEY_EMPTY", id="one-at-fault"),
    ],
)
def test_an_array_without_rows(order: object, outcome: str, mapping: Callable[..., Any]) -> None:
    """Without elements there is nothing to send; anything but objects is at fault, as a whole."""
    assert outcome == mapping(row=LINES).outcome({"order": order})


def test_elements_in_text_are_rows(mapping: Callable[..., Any]) -> None:
    """With `parse: json`, as an outbox writes them."""
    row = RowSettings(source="lines", per="element", parse="json")
    first, second = mapping(row=row).outcome({"lines": '[{"id": 1}, {"id": 2}]'})
    assert ("1", "2") == (first[1], second[1])


def test_columns_of_elements_in_connects_pair(mapping: Callable[..., Any]) -> None:
    """The source schema types the columns of each element, by `per` and by an index alike."""
    moment = {"field": "seen", "type": "int64", "name": "io.debezium.time.MicroTimestamp"}
    identity = {"field": "id", "type": "int64"}
    element = {"type": "struct", "fields": [identity, moment]}
    lines = {"field": "lines", "type": "array", "items": element}
    schema = {"type": "struct", "fields": [identity, lines]}
    value = {
        "schema": schema,
        "payload": {"id": 9, "lines": [{"id": 1, "seen": 1769904000123456}]},
    }
    row = mapping(row=RowSettings(source="lines", per="element")).row(value)
    assert ("1", "2026-02-01T00:00:00.123Z") == (row["id"], row["seen"])
    row = mapping(fields={"seen": FieldRule(source="lines.0.seen")}).row(value)
    assert "2026-02-01T00:00:00.123Z" == row["seen"]
