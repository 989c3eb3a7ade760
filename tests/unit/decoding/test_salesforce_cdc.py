"""Format `salesforce_cdc`: change events as the streaming API and connectors write them."""

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
    """Return a change event."""
    all_of_header = {
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
    return {"ChangeEventHeader": all_of_header | header} | (PHONE if body is None else body)


def upsert(key: str = ONE, **columns: object) -> tuple[object, ...]:
    """Return an upsert with the columns that were sent."""
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
    case("update-of-a-missing-field", change(changedFields=["Name", "Phone"]), upsert(Phone="1")),
    case(
        "update-to-null",
        change(nulledFields=["Name"], changedFields=["Phone"]),
        upsert(Name=None, Phone="1"),
    ),
    case("update-to-null-only", change(body={}, nulledFields=["Name"]), upsert(Name=None)),
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
    """One record, its outcomes in order, and neighbours that are not affected."""
    settings = {"schema": SCHEMA} | PART | rest.get("route", {})
    assert expected == Route(NAME, **settings).outcomes(value)
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
    """A name or an address has parts, and a part that did not change is left as it is."""
    route = Route(NAME, schema=COMPOUND, fields=OF_NAME, partial=True)
    assert {"Id": ONE} | expected == route.row(change("UPDATE", body, **header))


def test_parts_of_a_new_compound_field_are_null_when_absent() -> None:
    """A part that a created record does not have is null."""
    value = change("CREATE", {"Name": {"LastName": "Lee"}})
    row = Route(NAME, schema=COMPOUND, fields=OF_NAME).row(value)
    assert row == {"Id": ONE, "first": None, "last": "Lee", "Phone": None}


@pytest.mark.parametrize(
    ("at", "expected"),
    [(1_700_000_000_123, "2023-11-14T22:13:20.123Z"), (None, "1970-01-01T00:00:01.000Z")],
    ids=["commit", "kafka"],
)
def test_version_is_the_time_of_the_commit(at: object, expected: str) -> None:
    """Salesforce's time in milliseconds, else Kafka's time."""
    assert expected == Route(NAME, schema=SCHEMA, version="at").version(
        change("CREATE", commitTimestamp=at)
    )


@pytest.mark.parametrize(
    ("header", "detail"),
    [
        pytest.param({"recordIds": []}, "one record id, got an empty array", id="no-ids"),
        pytest.param({"recordIds": [1]}, "one record id, got an array with another", id="number"),
        pytest.param({"recordIds": None}, "one record id, got null", id="null-ids"),
        pytest.param({"changedFields": "x"}, "array of field names, got text", id="text"),
        pytest.param({"changedFields": [1]}, "names, got an array with another", id="numbers"),
    ],
)
def test_detail_names_the_kind_that_was_found(header: dict[str, Any], detail: str) -> None:
    """The detail never shows an id or a name of a field."""
    assert detail in Route(NAME, schema=SCHEMA).detail(change(**header))


@pytest.mark.parametrize(
    "value", [change("GAP_UPDATE", {}), change(recordIds=["001*"])], ids=["gap", "all-records"]
)
def test_event_without_its_change_says_what_to_do(value: object) -> None:
    """Only the object in Salesforce has the values."""
    assert "load the object's records again" in Route(NAME, schema=SCHEMA).detail(value)


def test_schema_around_the_event_types_its_columns() -> None:
    """In the pair of Connect's JSON converter, the schema says that a number is a time."""
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


def test_custom_function_gets_the_id_and_the_fields_that_were_sent() -> None:
    """It is called once per record id, with nulled fields and without unchanged ones."""

    def custom(row: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401 - as the mapping calls it
        return {"Id": row["Id"], "Name": f"{sorted(row)} {context.operation}"}

    value = change(body=FULL, changedFields=["Phone"], nulledFields=["Phone"], recordIds=[ONE, TWO])
    outcomes = Route(NAME, schema=SCHEMA, custom=custom, partial=True).outcomes(value)
    assert [row["Name"] for _, _, row in outcomes] == ["['Id', 'Phone'] upsert"] * 2


ADDRESS = {"Street": None, "City": "Bern", "PostalCode": None, "Country": None}
COMPOUNDS = {
    "Id": FieldType.TEXT,
    "full": FieldType.TEXT,
    "first": FieldType.TEXT,
    "last": FieldType.TEXT,
    "address": FieldType.TEXT,
    "city": FieldType.TEXT,
    "street": FieldType.TEXT,
    "latitude": FieldType.NUMBER,
    "place": FieldType.TEXT,
}
BY_PATH = {
    "full": FieldRule(template="{Name.FirstName} {Name.LastName}"),
    "first": FieldRule(source="Name.FirstName"),
    "last": FieldRule(source="Name.LastName"),
    "address": FieldRule(source="MailingAddress", json=True),
    "city": FieldRule(source="MailingAddress.City"),
    "street": FieldRule(source="MailingAddress.Street"),
    "latitude": FieldRule(source="Place__c.latitude"),
    "place": FieldRule(source="Place__c", json=True),
}


def sent(body: dict[str, Any], kind: str = "UPDATE", **header: object) -> dict[str, object]:
    """Return the fields that are sent for a change of compound fields, without the id."""
    route = Route(NAME, schema=COMPOUNDS, fields=BY_PATH, partial=True)
    row = dict(route.row(change(kind, body, **header)))
    del row["Id"]
    return row


@pytest.mark.parametrize(
    ("body", "header", "expected"),
    [
        pytest.param(
            {"Name": {"FirstName": None, "LastName": "Lee"}, "MailingAddress": ADDRESS},
            {"changedFields": ["Name.LastName", "MailingAddress.City"]},
            {"last": "Lee", "city": "Bern"},
            id="changed-parts",
        ),
        pytest.param(
            {"Name": {"LastName": "Lee"}, "MailingAddress": {"City": "Bern"}},
            {},
            {"last": "Lee", "city": "Bern"},
            id="parts-without-a-list",
        ),
        pytest.param(
            {"MailingAddress": {"City": "Bern"}},
            {"nulledFields": ["MailingAddress.Street"], "changedFields": ["MailingAddress.City"]},
            {"city": "Bern", "street": None},
            id="nulled-part",
        ),
        pytest.param(
            {"MailingAddress": {"City": "Bern"}},
            {"nulledFields": ["MailingAddress.Street"]},
            {"city": "Bern", "street": None},
            id="nulled-part-without-a-list",
        ),
        pytest.param(
            {},
            {"nulledFields": ["MailingAddress"]},
            {"address": None, "city": None, "street": None},
            id="nulled-whole",
        ),
        pytest.param(
            {"Place__c": {"latitude": 46.9}},
            {"changedFields": ["Place__c.latitude"]},
            {"latitude": 46.9},
            id="part-of-a-geolocation",
        ),
        pytest.param(
            {"Place__c": {"latitude": 46.9, "longitude": 7.4}},
            {"changedFields": ["Place__c"]},
            {"latitude": 46.9, "place": '{"latitude":46.9,"longitude":7.4}'},
            id="whole-geolocation",
        ),
        pytest.param(
            {"MailingAddress": {"City": "Bern", "Street": "@@ -1,1 +1,1 @@"}},
            {
                "changedFields": ["MailingAddress.City", "MailingAddress.Street"],
                "diffFields": ["MailingAddress.Street"],
            },
            {"city": "Bern"},
            id="diff-of-a-part",
        ),
    ],
)
def test_compound_of_which_parts_changed_is_not_provided_whole(
    body: dict[str, Any], header: dict[str, Any], expected: dict[str, object]
) -> None:
    """The changed parts are sent by their paths; the whole is sent only if all of it is known."""
    assert expected == sent(body, **header)


def test_created_compound_is_whole() -> None:
    """A new record has all parts; a part that it does not have is missing."""
    row = sent({"Name": {"FirstName": "Ann", "LastName": "Lee"}}, "CREATE")

    assert {"full": "Ann Lee", "first": "Ann", "last": "Lee"} == row


def test_custom_function_gets_the_changed_parts() -> None:
    """A custom function sees the parts, and the whole stays unprovided if it returns them."""
    seen: list[object] = []

    def keep(row: dict[str, object], _: object) -> dict[str, object]:
        seen.append(row["MailingAddress"])
        return row

    route = Route(NAME, schema=COMPOUNDS, fields=BY_PATH, partial=True, custom=keep)
    value = change(body={"MailingAddress": ADDRESS}, changedFields=["MailingAddress.City"])

    assert {"Id": ONE, "city": "Bern"} == route.row(value)
    assert [{"City": "Bern"}] == seen


DIFF = "--- \n+++ \n@@ -1,1 +1,1 @@\n-old\n+new"
DIFFED = change(
    body={"Phone": "1", "Name": DIFF}, changedFields=["Phone", "Name"], diffFields=["Name"]
)


def test_diff_is_not_a_value() -> None:
    """A field in `diffFields` is left out in partial mode; in upsert mode the record is refused."""
    assert [upsert(Phone="1")] == Route(NAME, schema=SCHEMA, partial=True).outcomes(DIFFED)
    assert ["ENVELOPE_UNAVAILABLE"] == Route(NAME, schema=SCHEMA).outcomes(DIFFED)
    without_list = change(body={"Phone": "1", "Name": DIFF}, diffFields=["Name"])
    assert [upsert(Phone="1")] == Route(NAME, schema=SCHEMA, partial=True).outcomes(without_list)
