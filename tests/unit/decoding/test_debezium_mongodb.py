"""Format `debezium_mongodb`: envelopes of Debezium's MongoDB connector."""

from __future__ import annotations

import json
from typing import Any

import pytest

from consumer.mapping.settings import FieldRule, FieldType
from tests.unit.decoding.contract import Route, case, neighbours
from tests.unit.decoding.test_wrapping import pairs

NAME = "debezium_mongodb"
OID = "596e275826f08b2730779e1f"
KEY = {"id": f'{{"$oid": "{OID}"}}'}
SCHEMA = {
    "id": FieldType.TEXT,
    "name": FieldType.TEXT,
    "amount": FieldType.NUMBER,
    "at": FieldType.DATE_TIME,
}
BY_ID = {"id": FieldRule(source="_id")}
MS = 1_558_965_508_000
SOURCE = {
    "version": "3.2.0.Final",
    "connector": "mongodb",
    "name": "m",
    "ts_ms": MS,
    "snapshot": "false",
    "db": "shop",
    "collection": "customers",
    "ord": 31,
}
DOCUMENT = {"_id": {"$oid": OID}, "name": "Ann", "amount": {"$numberDecimal": "1.10"}}


def text(document: object) -> object:
    """Return a document as the JSON text that the connector writes; text and null as they are."""
    return document if document is None or isinstance(document, str) else json.dumps(document)


def change(op: str = "c", after: object = None, **members: object) -> dict[str, object]:
    """Return an envelope; `before` is a document too."""
    before = text(members.pop("before", None))
    return {"before": before, "after": text(after), "source": SOURCE, "op": op} | members


def update(
    updated: object = None, removed: list[str] | None = None, shortened: object = None
) -> dict[str, object]:
    """Return an update without the document."""
    description = {
        "removedFields": removed,
        "updatedFields": text(updated),
        "truncatedArrays": shortened,
    }
    return change("u", updateDescription=description)


def upsert(**columns: object) -> tuple[object, ...]:
    """Return an upsert with all fields of the schema."""
    return "upsert", OID, dict.fromkeys(SCHEMA) | {"id": OID} | columns


def part(**columns: object) -> tuple[object, ...]:
    """Return an upsert with only these fields."""
    return "upsert", OID, {"id": OID} | columns


ANN = upsert(name="Ann", amount=1.1)
PART = {"partial": True}
DELETE = ("delete", OID)
DESCRIBED = {"removedFields": ["name"], "updatedFields": '{"amount": 2}', "truncatedArrays": None}
CITY = {"name": FieldRule(source="address.city")}
FIRST = {"name": FieldRule(source="tags.0")}
THIRD = {"name": FieldRule(source="tags.2.label")}
WHOLE = {"name": FieldRule(source="address", json=True)}

CASES = [
    case("create", change("c", DOCUMENT), ANN),
    case("snapshot", change("r", DOCUMENT), ANN),
    case("update-with-document", change("u", DOCUMENT), ANN),
    case("update-with-document-and-description", change("u", DOCUMENT, updateDescription={}), ANN),
    case("document-as-object", change("c", "x") | {"after": DOCUMENT}, ANN),
    case(
        "row-of-another-connector",
        change("c") | {"after": {"id": 1}, "source": {"connector": "mysql"}},
        "ENVELOPE_SHAPE",
    ),
    case(
        "date",
        change("c", DOCUMENT | {"at": {"$date": MS}}),
        upsert(name="Ann", amount=1.1, at="2019-05-27T13:58:28.000Z"),
    ),
    case("infinite-date", change("c", DOCUMENT | {"at": {"$date": 10**18}}), "TIME_RANGE"),
    case("nan", change("c", '{"_id": 1, "amount": NaN}'), "FIELD_TYPE"),
    case("unused-nan", change("c", f'{{"_id": {{"$oid": "{OID}"}}, "x": NaN}}'), upsert()),
    case("regex", change("c", DOCUMENT | {"name": {"$regex": "a", "$options": ""}}), "FIELD_TYPE"),
    case("nested", change("c", DOCUMENT | {"name": {"a": 1}}), "FIELD_TYPE"),
    case(
        "nested-as-json",
        change("c", DOCUMENT | {"address": {"city": "Bern", "since": {"$date": MS}}}),
        upsert(name='{"city":"Bern","since":"2019-05-27T13:58:28.000Z"}', amount=1.1),
        route={"fields": BY_ID | WHOLE},
    ),
    case(
        "nested-by-path",
        change("c", DOCUMENT | {"address": {"city": "Bern"}}),
        upsert(name="Bern", amount=1.1),
        route={"fields": BY_ID | CITY},
    ),
    case(
        "element-by-path",
        change("c", DOCUMENT | {"tags": [{"$oid": "ab"}]}),
        upsert(name="ab", amount=1.1),
        route={"fields": BY_ID | FIRST},
    ),
    # Updates without the document.
    case("update-of-a-field", update({"name": "Bob"}), part(name="Bob"), route=PART),
    case(
        "update-of-all-fields",
        update({"name": "B", "amount": 2, "at": None}),
        upsert(name="B", amount=2),
    ),
    case("update-of-an-unmapped-field", update({"other": 1}), part(), route=PART),
    case("update-of-nothing", update(), part(), route=PART),
    case("removed", update(removed=["name"]), part(name=None), route=PART),
    case("update-into-upsert", update({"name": "Bob"}), "ENVELOPE_UNAVAILABLE"),
    case(
        "updated-date",
        update({"at": {"$date": "2019-05-27T13:58:28.5Z"}}),
        part(at="2019-05-27T13:58:28.500Z"),
        route=PART,
    ),
    case(
        "updated-part",
        update({"address.city": "Bern"}),
        part(name="Bern"),
        route=PART | {"fields": BY_ID | CITY},
    ),
    case(
        "updated-part-of-a-whole",
        update({"address.city": "Bern"}),
        part(),
        route=PART | {"fields": BY_ID | WHOLE},
    ),
    case(
        "updated-whole",
        update({"address": {"city": "Bern"}}),
        part(name="Bern"),
        route=PART | {"fields": BY_ID | CITY},
    ),
    case(
        "updated-whole-without-the-part",
        update({"address": {"zip": 3000}}),
        part(name=None),
        route=PART | {"fields": BY_ID | CITY},
    ),
    case(
        "whole-document-without-the-part",
        change("u", {"_id": {"$oid": OID}, "address": {"zip": 3000}}),
        part(name=None),
        route=PART | {"fields": BY_ID | CITY},
    ),
    case(
        "whole-document-without-the-object",
        change("u", {"_id": {"$oid": OID}}),
        part(),
        route=PART | {"fields": BY_ID | CITY},
    ),
    case(
        "other-part",
        update({"address.zip": 3000}),
        part(),
        route=PART | {"fields": BY_ID | CITY},
    ),
    case(
        "removed-part",
        update({"address.zip": 3000}, ["address.city"]),
        part(name=None),
        route=PART | {"fields": BY_ID | CITY},
    ),
    case(
        "removed-whole",
        update(removed=["address"]),
        part(name=None),
        route=PART | {"fields": BY_ID | CITY},
    ),
    case(
        "updated-element",
        update({"tags.0": "a"}),
        part(name="a"),
        route=PART | {"fields": BY_ID | FIRST},
    ),
    case(
        "updated-inside-an-element",
        update({"tags.2.label": "a"}),
        part(name="a"),
        route=PART | {"fields": BY_ID | THIRD},
    ),
    case(
        "field-with-a-dot",
        update({"address.city": "Bern"}),
        part(name="Bern"),
        route=PART | {"fields": BY_ID | {"name": FieldRule(source='"address.city"')}},
    ),
    case(
        "cut-array",
        update(shortened=[{"field": "tags", "size": 2}]),
        part(name=None),
        route=PART | {"fields": BY_ID | THIRD},
    ),
    case(
        "cut-array-before-its-end",
        update(shortened=[{"field": "tags", "size": 2}]),
        part(),
        route=PART | {"fields": BY_ID | FIRST},
    ),
    case(
        "cut-and-updated-array",
        update({"tags.0": "a"}, shortened=[{"field": "tags", "newSize": 1}]),
        part(name="a"),
        route=PART | {"fields": BY_ID | FIRST},
    ),
    # The document says everything, and the description what was removed.
    case(
        "removed-beside-the-document",
        change("u", {"_id": {"$oid": OID}, "amount": 2}, updateDescription=DESCRIBED),
        part(name=None, amount=2),
        route=PART,
    ),
    case(
        "removed-part-beside-the-document",
        change(
            "u",
            {"_id": {"$oid": OID}, "address": {"zip": 1}},
            updateDescription={"removedFields": ["address.city"]},
        ),
        part(name=None),
        route=PART | {"fields": BY_ID | CITY},
    ),
    case(
        "cut-array-beside-the-document",
        change(
            "u",
            {"_id": {"$oid": OID}, "tags": [1]},
            updateDescription={"truncatedArrays": [{"field": "tags", "size": 1}]},
        ),
        part(name=None),
        route=PART | {"fields": BY_ID | {"name": FieldRule(source="tags.1")}},
    ),
    case(
        "replaced-document",
        change("u", {"_id": {"$oid": OID}}, before=DOCUMENT),
        part(name=None, amount=None),
        route=PART,
    ),
    case("absent-field-in-part", change("c", {"_id": {"$oid": OID}}), part(), route=PART),
    case("absent-field", change("c", {"_id": {"$oid": OID}}), upsert()),
    # Deletes.
    case("delete", change("d"), DELETE),
    case("delete-with-the-old-document", change("d", before=DOCUMENT), DELETE),
    case("ignored-delete", change("d"), "deletes", route={"deletes": "ignore"}),
    case("unwanted-delete", change("d"), "DELETE_UNWANTED", route={"deletes": "dead_letter"}),
    case("tombstone", None, "tombstone"),
    case("tombstone-that-deletes", None, DELETE, route={"tombstones": "delete"}),
    case("wrapped-null", {"schema": None, "payload": None}, "tombstone"),
    # What is not a change.
    case("truncate", change("t"), "ENVELOPE_TRUNCATE"),
    case("message", change("m"), "message"),
    case("unknown-op", change("x"), "ENVELOPE_OP"),
    case(
        "transaction",
        {"status": "BEGIN", "id": "1", "event_count": None, "data_collections": None, "ts_ms": 1},
        "transaction",
    ),
    case("plain-row", DOCUMENT, "ENVELOPE_SHAPE"),
    case("create-without-document", change("c"), "ENVELOPE_SHAPE"),
    case("update-without-anything", change("u", updateDescription=None), "ENVELOPE_SHAPE"),
    case("document-is-an-array", change("c", "[1]"), "ENVELOPE_SHAPE"),
    case("document-is-not-json", change("c", "{"), "ENVELOPE_SHAPE"),
    case("document-is-a-number", change("c") | {"after": 5}, "ENVELOPE_SHAPE"),
    case("old-document-is-not-json", change("d", before="x"), "ENVELOPE_SHAPE"),
    case("document-too-deep", change("c", '{"a":' * 130 + "1" + "}" * 130), "ENVELOPE_SHAPE"),
    case("description-is-text", change("u", updateDescription="x"), "ENVELOPE_SHAPE"),
    case("updated-are-an-array", update("[]"), "ENVELOPE_SHAPE"),
    case(
        "updated-are-an-object",
        update() | {"updateDescription": {"updatedFields": {"name": "x"}}},
        part(name="x"),
        route=PART,
    ),
    case("removed-are-numbers", update(removed=[1]), "ENVELOPE_SHAPE"),  # type: ignore[list-item]
    case("cut-without-a-size", update(shortened=[{"field": "a"}]), "ENVELOPE_SHAPE"),
    case("cut-is-text", update(shortened="x"), "ENVELOPE_SHAPE"),
    case(
        "patch-of-debezium-1",
        change("u", patch='{"$set": {"a": 1}}', filter="{}"),
        "ENVELOPE_UNAVAILABLE",
    ),
    case("no-id", change("c", {"name": "x"}), "KEY_MISSING"),
    case("where", change("c", DOCUMENT), "where", route={"where": {"name": ("Bob",)}}),
    case("where-of-a-delete", change("d"), DELETE, route={"where": {"name": ("Bob",)}}),
    case(
        "where-of-a-collection",
        change("c", DOCUMENT),
        "where",
        route={"where": {"$envelope.source.collection": ("orders",)}},
    ),
    case("not-json", b"\x00", "DECODE_SYNTAX"),
]


@pytest.mark.parametrize(("value", "expected", "rest"), CASES)
def test_record_becomes(value: object, expected: list[object], rest: dict[str, Any]) -> None:
    """One record with its Kafka key, its outcome, and neighbours that are not affected."""
    settings = {"fields": BY_ID, "schema": SCHEMA} | rest.get("route", {})
    assert expected == Route(NAME, **settings).outcomes(value, key=KEY)
    neighbours(
        lambda: Route(NAME, **settings | {"where": {}}),
        lambda n: change(
            "c", {"_id": n, "name": "a", "address": {"city": "a"}, "tags": ["a", "b", {"label": 1}]}
        ),
        value,
        {"key": KEY},
    )


@pytest.mark.parametrize("form", list(pairs(None)))
@pytest.mark.parametrize(
    ("value", "expected"),
    [(change("c", DOCUMENT), ANN), (change("d"), DELETE), (None, DELETE)],
    ids=["create", "delete", "null"],
)
def test_value_is_unwrapped(value: object, expected: object, form: str) -> None:
    """In every pair of Connect, with the key in the same one."""
    route = Route(NAME, fields=BY_ID, schema=SCHEMA, tombstones="delete")
    assert [expected] == route.outcomes(pairs(value)[form], key=pairs(KEY)[form])


PAIR = {"schema": None, "payload": KEY}
CONNECT = {
    "schema": {"type": "struct", "fields": [{"type": "string", "field": "id"}]},
    "payload": KEY,
}


@pytest.mark.parametrize(
    "key",
    [
        KEY,
        PAIR,
        CONNECT,
        {"payload": KEY},
        {"$oid": OID},
        json.dumps({"$oid": OID}).encode(),
        json.dumps(json.dumps({"$oid": OID})).encode(),
        {"_id": {"$oid": OID}},
        f'{{"id": "\\"{OID}\\""}}'.encode(),
        OID.encode(),
        KEY | {"shard": 1},
    ],
    ids=str,
)
def test_id_in_every_form_of_the_key(key: object) -> None:
    """In the connector's struct, in Connect's pairs, or taken out by a transformation."""
    route = Route(NAME, fields=BY_ID, schema=SCHEMA)
    assert [DELETE] == route.outcomes(change("d"), key=key)


@pytest.mark.parametrize(
    ("key", "reason", "detail"),
    [
        (None, "KEY_MISSING", "change_streams_update_full_with_pre_image"),
        ({"id": "not json"}, "KEY_TYPE", "expected JSON text in `id` of the Kafka key"),
        (b"Struct{id=1}", "KEY_TYPE", "key.converter"),
        ({"id": "null"}, "KEY_MISSING", "got null"),
        ({"other": 1}, "KEY_MISSING", "expected a primary key"),
    ],
    ids=["none", "no-json", "java", "null", "other"],
)
def test_delete_without_its_id(key: object, reason: str, detail: str) -> None:
    """It says what to change; a delete of another row is never sent."""
    route = Route(NAME, fields=BY_ID, schema=SCHEMA)
    assert [reason] == route.outcomes(change("d"), key=key)
    assert detail in route.detail(change("d"), key=key)


def test_delete_without_a_key_by_the_old_document() -> None:
    """A pre-image has the id; Debezium 1 writes it in `filter`."""
    route = Route(NAME, fields=BY_ID, schema=SCHEMA)
    assert [DELETE] == route.outcomes(change("d", before=DOCUMENT))
    assert [DELETE] == route.outcomes(change("d", filter=f'{{"_id": {{"$oid": "{OID}"}}}}'))


def test_field_named_id_is_not_the_id_of_the_key() -> None:
    """The Kafka key's `id` is the document's `_id`: a delete by a field `id` has no key."""
    route = Route(NAME, schema=SCHEMA)
    assert "7" == route.outcomes(change("c", DOCUMENT | {"id": 7}), key=KEY)[0][1]
    assert ["KEY_MISSING"] == route.outcomes(change("d"), key=KEY)
    assert [("delete", "7")] == route.outcomes(change("d", before=DOCUMENT | {"id": 7}), key=KEY)


def test_key_field_that_changes() -> None:
    """With pre-images: the row of the old key is deleted."""
    route = Route(NAME, fields={"id": FieldRule(source="name")}, schema=SCHEMA)
    value = change("u", DOCUMENT | {"name": "B"}, before=DOCUMENT)
    assert [("delete", "Ann"), "B"] == [
        one if one[0] == "delete" else one[1] for one in route.outcomes(value, key=KEY)
    ]


def test_compound_id_by_its_parts() -> None:
    """A template joins the parts of an id that is an object, in deletes too."""
    route = Route(NAME, fields={"id": FieldRule(template="{_id.a}-{_id.b}")}, schema=SCHEMA)
    created = change("c", {"_id": {"a": {"$numberLong": "1"}, "b": "x"}})
    assert "1-x" == route.outcomes(created)[0][1]
    assert [("delete", "1-x")] == route.outcomes(change("d"), key={"id": '{"a": 1, "b": "x"}'})


def test_kafka_key_is_reached_as_it_is() -> None:
    """`$key.id` is the text, which tells the id 1 and the id "1" apart."""
    route = Route(NAME, fields={"id": FieldRule(source="$key.id")}, schema=SCHEMA)
    assert '"1"' == route.outcomes(change("c", {"_id": "1"}), key={"id": '"1"'})[0][1]
    assert [("delete", "1")] == route.outcomes(change("d"), key={"id": "1"})


def test_details_say_what_to_do() -> None:
    """The connector's setting for whole documents, and for Debezium 1."""
    whole = "set the connector's capture.mode to change_streams_update_full"
    route = Route(NAME, fields=BY_ID, schema=SCHEMA)
    assert whole in route.detail(update({"name": "B"}), key=KEY)
    assert "capture.mode to change_streams_update_full" in route.detail(
        change("u", patch="{}"), key=KEY
    )


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"ts_ms": MS}, "2019-05-27T13:58:28.000Z"),
        ({"ts_ms": MS, "ts_us": MS * 1000 + 5_678}, "2019-05-27T13:58:28.005Z"),
        ({"ts_ms": MS, "ts_ns": MS * 10**6 + 7_000_000}, "2019-05-27T13:58:28.007Z"),
        ({"ts_ms": MS, "wallTime": MS + 123}, "2019-05-27T13:58:28.123Z"),
        ({"ts_ms": MS, "wallTime": MS + 5_000}, "2019-05-27T13:58:28.999Z"),
        ({"ts_ms": MS, "wallTime": MS - 5_000}, "2019-05-27T13:58:28.000Z"),
        ({"ts_ms": MS + 5, "wallTime": MS + 900}, "2019-05-27T13:58:28.005Z"),
        ({"ts_ms": MS, "wallTime": None}, "2019-05-27T13:58:28.000Z"),
        ({"wallTime": MS + 1}, "2019-05-27T13:58:28.001Z"),
        ({}, "1970-01-01T00:00:01.000Z"),
    ],
    ids=str,
)
def test_version_is_the_time_at_the_source(source: dict[str, object], expected: str) -> None:
    """In the order of MongoDB's seconds; `wallTime` adds the milliseconds within one."""
    route = Route(NAME, fields=BY_ID, schema={"id": FieldType.TEXT}, version="changed")
    assert expected == route.version(change("c", DOCUMENT, source=source))


def test_custom_function_gets_plain_values() -> None:
    """Dates as text, numbers as numbers, parts of an update as objects."""
    seen: list[dict[str, Any]] = []

    def custom(row: dict[str, Any], context: object) -> dict[str, Any]:
        del context
        seen.append(row)
        return row

    route = Route(NAME, fields=BY_ID, schema=SCHEMA, partial=True, custom=custom)
    document = DOCUMENT | {"at": {"$date": MS}, "tags": [{"$numberLong": "5"}]}
    assert "2019-05-27T13:58:28.000Z" == route.row(change("c", document))["at"]
    route.row(update({"name": "B", "address.city": "Bern"}), key=KEY)
    assert {
        "_id": OID,
        "name": "Ann",
        "amount": 1.1,
        "at": "2019-05-27T13:58:28.000Z",
        "tags": [5],
    } == seen[0]
    assert {"_id": OID, "name": "B", "address": {"city": "Bern"}, "address.city": "Bern"} == seen[1]


@pytest.mark.parametrize(
    "value",
    [
        change("c", DOCUMENT),
        change("u", DOCUMENT, before=DOCUMENT),
        update({"name": "B"}),
        change("u", patch="{}"),
        change("d"),
        change("d", before=DOCUMENT),
    ],
    ids=["create", "update", "part", "patch", "delete", "pre-image"],
)
@pytest.mark.parametrize("deletes", ["delete", "ignore"])
def test_format_debezium_names_mongodb(value: object, deletes: str) -> None:
    """A delete by the text of the key would delete nothing."""
    route = Route("debezium", deletes=deletes)
    assert ["ENVELOPE_SHAPE"] == route.outcomes(value, key=KEY)
    assert "set `format: debezium_mongodb`" in route.detail(value, key=KEY)


def test_format_cloudevents_names_mongodb() -> None:
    """Debezium's own CloudEvents carry documents as text too."""
    attributes = {
        "id": "1",
        "source": "s",
        "type": "t",
        "specversion": "1.0",
        "iodebeziumop": "d",
        "iodebeziumconnector": "mongodb",
    }
    route = Route("cloudevents")
    value = attributes | {"data": {"before": None, "after": None}}
    assert ["ENVELOPE_SHAPE"] == route.outcomes(value, key=KEY)
    assert "debezium_mongodb" in route.detail(value, key=KEY)
    other = attributes | {"iodebeziumop": "c", "iodebeziumconnector": None}
    assert "debezium_mongodb" in route.detail(other | {"data": {"after": text(DOCUMENT)}})
