"""Format `salesforce_cdc`: change events as the streaming API and Kafka connectors write them."""

from __future__ import annotations

from typing import Any

import pytest

from consumer.mapping.settings import FieldRule, FieldType
from tests.unit.decoding.contract import Route, case, neighbours

NAME = "salesforce_cdc"
SCHEMA = {"Id": FieldType.TEXT, "Name": FieldType.TEXT, "Phone": FieldType.TEXT}
ONE, TWO = "0015500000NTnJpAAL", "0015500000NTnJqAAL"
PHONE: dict[str, Any] = {"Phone": "1"}


def change(
    kind: str = "UPDATE", body: dict[str, Any] | None = None, **header: object
) -> dict[str, object]:
    """Write a change event."""
    told = {
        "entityName": "Account",
        "recordIds": [ONE],
        "changeType": kind,
        "changeOrigin": "com/salesforce/api/soap/61.0",
        "transactionKey": "000046c7-a642-11e2-c29b-229c6786473e",
        "sequenceNumber": 1,
        "commitTimestamp": 1_700_000_000_000,
        "commitNumber": 10_585_193_272_713,
        "commitUser": "00550000001fVWXAA2",
    }
    return {"ChangeEventHeader": told | header} | (PHONE if body is None else body)


def upsert(key: str = ONE, **columns: object) -> tuple[object, ...]:
    """Return an upsert of what is sent."""
    return "upsert", key, {"Id": key} | columns


PART = {"partial": True}
FULL: dict[str, Any] = {"Name": "Acme", "Phone": None}
OF_TYPE = "$envelope.ChangeEventHeader.changeType"
COMETD = {
    "schema": "IeRuaY6cbI_HsV8Rv1Mc5g",
    "payload": change(changedFields=["Phone"]),
    "event": {"replayId": 6},
}

CASES = [
    case("create", change("CREATE"), upsert(Name=None, Phone="1"), route={"partial": False}),
    case("create-in-part", change("CREATE"), upsert(Phone="1")),
    case("undelete", change("UNDELETE", FULL), upsert(Name="Acme", Phone=None)),
    case("delete", change("DELETE", {}), ("delete", ONE)),
    case(
        "many-ids",
        change("CREATE", recordIds=[ONE, TWO]),
        upsert(ONE, Phone="1"),
        upsert(TWO, Phone="1"),
    ),
    case(
        "many-deletes", change("DELETE", {}, recordIds=[ONE, TWO]), ("delete", ONE), ("delete", TWO)
    ),
    case("update-by-keys", change(), upsert(Phone="1")),
    case("update-by-list", change(body=FULL | PHONE, changedFields=["Phone"]), upsert(Phone="1")),
    case("update-by-null-list", change(changedFields=None), upsert(Phone="1")),
    case("update-by-empty-list", change(changedFields=[]), upsert()),
    case("update-of-what-is-not-there", change(changedFields=["Name", "Phone"]), upsert(Phone="1")),
    case(
        "update-to-null",
        change(nulledFields=["Name"], changedFields=["Phone"]),
        upsert(Name=None, Phone="1"),
    ),
    case("update-to-null-alone", change(body={}, nulledFields=["Name"]), upsert(Name=None)),
    case(
        "update-to-null-that-is-there",
        change(body=FULL, changedFields=["Name", "Phone"]),
        upsert(**FULL),
    ),
    case("update-of-whole-rows", change(), "ENVELOPE_UNAVAILABLE", route={"partial": False}),
    case(
        "update-of-all-fields",
        change(body=FULL | PHONE),
        upsert(Name="Acme", Phone="1"),
        route={"partial": False},
    ),
    case(
        "update-of-many",
        change(recordIds=[ONE, TWO]),
        upsert(ONE, Phone="1"),
        upsert(TWO, Phone="1"),
    ),
    case("under-payload", COMETD, upsert(Phone="1")),
    case(
        "whole-message", {"data": COMETD, "channel": "/data/AccountChangeEvent"}, upsert(Phone="1")
    ),
    case("id-in-the-body", change(body=PHONE | {"Id": "other"}), upsert(Phone="1")),
    *[
        case(kind, change(kind, {}), "ENVELOPE_OP")
        for kind in ("GAP_CREATE", "GAP_UPDATE", "GAP_DELETE", "GAP_UNDELETE", "GAP_OVERFLOW")
    ],
    case("unknown-type", change("MERGE"), "ENVELOPE_OP"),
    case("all-records", change(recordIds=["001*"]), "ENVELOPE_OP"),
    case("no-type", change(changeType=None), "ENVELOPE_SHAPE"),
    case("type-no-text", change(changeType=1), "ENVELOPE_SHAPE"),
    case("no-ids", change(recordIds=[]), "ENVELOPE_SHAPE"),
    case("null-ids", change(recordIds=None), "ENVELOPE_SHAPE"),
    case("ids-are-text", change(recordIds=ONE), "ENVELOPE_SHAPE"),
    case("ids-are-numbers", change(recordIds=[1]), "ENVELOPE_SHAPE"),
    case("empty-id", change(recordIds=[ONE, ""]), "ENVELOPE_SHAPE"),
    case("changed-is-text", change(changedFields="Phone"), "ENVELOPE_SHAPE"),
    case("nulled-are-numbers", change(nulledFields=[1]), "ENVELOPE_SHAPE"),
    case("bit-map", change(changedFields=["0x400000"]), "ENVELOPE_SHAPE"),
    case("bit-map-inside", change(changedFields=["4-0x05"]), "ENVELOPE_SHAPE"),
    case("no-header", {"Id": ONE, "Name": "Acme"}, "ENVELOPE_SHAPE"),
    case("header-is-text", {"ChangeEventHeader": "x"}, "ENVELOPE_SHAPE"),
    case("payload-without-header", {"schema": "x", "payload": {"Id": ONE}}, "ENVELOPE_SHAPE"),
    case("ignored-deletes", change("DELETE", {}), "deletes", route={"deletes": "ignore"}),
    case(
        "unwanted-delete", change("DELETE", {}), "DELETE_UNWANTED", route={"deletes": "dead_letter"}
    ),
    case("where-type", change(), "where", route={"where": {OF_TYPE: ("DELETE",)}}),
    case(
        "where-type-under-payload",
        COMETD,
        upsert(Phone="1"),
        route={"where": {OF_TYPE: ("UPDATE",)}},
    ),
    case("where-not-sent", change(), "ENVELOPE_UNAVAILABLE", route={"where": {"Name": ("Acme",)}}),
    case(
        "where-of-a-delete",
        change("DELETE", {}),
        ("delete", ONE),
        route={"where": {"Name": ("Acme",)}},
    ),
    case("tombstone", None, "tombstone"),
]


@pytest.mark.parametrize(("value", "expected", "rest"), CASES)
def test_record_becomes(value: object, expected: list[object], rest: dict[str, Any]) -> None:
    """One record, its outcomes in order, and good neighbours that do not notice."""
    settings = {"schema": SCHEMA} | PART | rest.get("route", {})
    assert expected == Route(NAME, **settings).said(value)
    neighbours(
        lambda: Route(NAME, **settings | {"where": {}}),
        lambda n: change("CREATE", recordIds=[f"a{n}", f"b{n}"]),
        value,
        {},
    )


COMPOUND = {
    "Id": FieldType.TEXT,
    "first": FieldType.TEXT,
    "last": FieldType.TEXT,
    "Phone": FieldType.TEXT,
}
OF_NAME = {"first": FieldRule(source="Name.FirstName"), "last": FieldRule(source="Name.LastName")}


@pytest.mark.parametrize(
    ("header", "body", "expected"),
    [
        pytest.param({}, {"Name": {"LastName": "Lee"}}, {"last": "Lee"}, id="by-keys"),
        pytest.param(
            {"changedFields": ["Name.LastName"]},
            {"Name": {"FirstName": None, "LastName": "Lee"}, "Phone": None},
            {"last": "Lee"},
            id="by-list",
        ),
        pytest.param(
            {"changedFields": ["Name.LastName"], "nulledFields": ["Name.FirstName"]},
            {"Name": {"LastName": "Lee"}},
            {"first": None, "last": "Lee"},
            id="nulled-part",
        ),
        pytest.param(
            {"nulledFields": ["Name.FirstName"]},
            {"Name": {"LastName": "Lee"}},
            {"first": None, "last": "Lee"},
            id="nulled-part-by-keys",
        ),
        pytest.param(
            {"changedFields": ["Name.Suffix"]},
            {"Name": {"LastName": "Lee"}},
            {},
            id="part-not-there",
        ),
        pytest.param({"changedFields": ["Name.LastName"]}, {"Name": None}, {}, id="whole-is-null"),
        pytest.param(
            {"changedFields": ["Name"]}, {"Name": {"LastName": "Lee"}}, {"last": "Lee"}, id="whole"
        ),
    ],
)
def test_parts_of_a_compound_field_are_provided_one_by_one(
    header: dict[str, Any], body: dict[str, Any], expected: dict[str, object]
) -> None:
    """A name or an address comes in parts, and a part that was not changed is left as it is."""
    route = Route(NAME, schema=COMPOUND, fields=OF_NAME, partial=True)
    assert {"Id": ONE} | expected == route.row(change("UPDATE", body, **header))


def test_parts_of_a_new_compound_field_are_null_when_absent() -> None:
    """What a created record does not have is null."""
    value = change("CREATE", {"Name": {"LastName": "Lee"}})
    row = Route(NAME, schema=COMPOUND, fields=OF_NAME).row(value)
    assert row == {"Id": ONE, "first": None, "last": "Lee", "Phone": None}


@pytest.mark.parametrize(
    ("at", "expected"),
    [(1_700_000_000_123, "2023-11-14T22:13:20.123Z"), (None, "1970-01-01T00:00:01.000Z")],
    ids=["commit", "kafka"],
)
def test_version_is_the_time_of_the_commit(at: object, expected: str) -> None:
    """Milliseconds of Salesforce's own clock; without them Kafka's."""
    assert expected == Route(NAME, schema=SCHEMA, version="at").version(
        change("CREATE", commitTimestamp=at)
    )


@pytest.mark.parametrize(
    "value", [change("GAP_UPDATE", {}), change(recordIds=["001*"])], ids=["gap", "all-records"]
)
def test_event_without_its_change_says_what_to_do(value: object) -> None:
    """Only the object itself has the values."""
    assert "read the object anew" in Route(NAME, schema=SCHEMA).detail(value)


def test_schema_around_the_event_types_its_columns() -> None:
    """The pair of Connect's JSON converter: a time in milliseconds is known as one."""
    opened_at = {
        "field": "Opened",
        "type": "int64",
        "name": "org.apache.kafka.connect.data.Timestamp",
    }
    wrapped = {
        "schema": {"type": "struct", "fields": [opened_at]},
        "payload": change("CREATE", {"Opened": 1_700_000_000_000}),
    }
    schema = {"Id": FieldType.TEXT, "Opened": FieldType.DATE_TIME}
    assert Route(NAME, schema=schema).row(wrapped) == {
        "Id": ONE,
        "Opened": "2023-11-14T22:13:20.000Z",
    }


def test_custom_function_gets_the_id_and_what_was_sent() -> None:
    """Once per record id; nulled fields are there, fields that were not changed are not."""

    def custom(row: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401 - what the mapping gives
        return {"Id": row["Id"], "Name": f"{sorted(row)} {context.operation}"}

    value = change(body=FULL, changedFields=["Phone"], nulledFields=["Phone"], recordIds=[ONE, TWO])
    said = Route(NAME, schema=SCHEMA, custom=custom, partial=True).said(value)
    assert [row["Name"] for _, _, row in said] == ["['Id', 'Phone'] upsert"] * 2
