"""Format `debezium_flat`: rows with extra columns that mark the operation."""

from __future__ import annotations

from typing import Any

import pytest

from consumer.mapping.settings import FieldRule
from tests.unit.decoding.contract import PAIR, Route, case, neighbours, upsert

NAME = "debezium_flat"
WHOLE_ENVELOPE = {"before": None, "after": {"id": 1}, "source": {}, "op": "c"}


def flat(op: str | None = "u", deleted: object = "false", **columns: object) -> dict[str, object]:
    """Return a row with its marks."""
    marks = {
        "__op": op,
        "__deleted": deleted,
        "__table": "things",
        "__source_ts_ms": 1_700_000_000_000,
    }
    return (
        {"id": 1, "name": "a"}
        | columns
        | {name: mark for name, mark in marks.items() if mark is not None}
    )


A = upsert(name="a")
ENVELOPE = {"before": None, "after": {"id": 1}, "source": {"ts_ms": 1}, "op": "c", "ts_ms": 1}
NULL_PAIR = {"schema": {"type": "struct", "fields": [], "optional": True}, "payload": None}
MESSAGE = {
    "op": "m",
    "ts_ms": 1,
    "source": {"table": ""},
    "message": {"prefix": "shop", "content": "YQ=="},
}
SCHEMA_CHANGE = {
    "source": {},
    "databaseName": "shop",
    "ddl": "CREATE TABLE t (id INT)",
    "tableChanges": [],
}
BORDER = {"status": "BEGIN", "id": "1:2", "event_count": None, "data_collections": None, "ts_ms": 1}
DELETE = ("delete", "1")

CASES = [
    case("created", flat("c"), A),
    case("snapshot", flat("r"), A),
    case("updated", flat("u"), A),
    case("no-marks", {"id": 1, "name": "a"}, A),
    case("op-only", flat("u", None), A),
    case("mark-only", flat(None, "false"), A),
    case("boolean-mark", flat(None, deleted=False), A),
    case("D34-text", flat("d", "true"), DELETE),
    case("D34-boolean", flat("d", deleted=True), DELETE),
    case("D34-mark-only-text", flat(None, "true"), DELETE),
    case("D34-mark-only-boolean", flat(None, deleted=True), DELETE),
    case("op-d-only", flat("d", None), DELETE),
    case("mark-before-op", flat("u", "true"), DELETE),
    case("key-from-kafka", flat("d", "true", id=0, name=""), ("delete", "7"), key={"id": 7}),
    case("key-null", flat("c", id=None), "KEY_MISSING"),
    case("key-of-nothing", flat("d", "true", id=None), "KEY_MISSING"),
    case("ignored-delete", flat("d", "true"), "deletes", route={"deletes": "ignore"}),
    case("unwanted-delete", flat("d", "true"), "DELETE_UNWANTED", route={"deletes": "dead_letter"}),
    case("truncate", flat("t", None), "ENVELOPE_TRUNCATE"),
    case("message", flat("m", None), "message"),
    case("unknown-op", flat("x"), "ENVELOPE_OP"),
    case("op-no-text", flat("u") | {"__op": 7}, "ENVELOPE_OP"),
    case("mark-is-other-text", flat("u", "yes"), "ENVELOPE_SHAPE"),
    case("mark-is-number", flat("u", 1), "ENVELOPE_SHAPE"),
    case("mark-is-nested", flat("u", {}), "ENVELOPE_SHAPE"),
    case("whole-envelope", ENVELOPE, "ENVELOPE_SHAPE"),
    case("schema-change", SCHEMA_CHANGE, "schema_change"),
    case("transaction-border", BORDER, "transaction"),
    case("logical-message", MESSAGE, "message"),
    case(
        "row-with-columns-of-a-message",
        {"id": 1, "name": "a", "op": "m", "source": "x", "message": "y"},
        A,
    ),
    case("heartbeat", {"ts_ms": 1}, "heartbeat", topic="__debezium-heartbeat.shop"),
    case("column-named-like-a-statement", flat("u", ddl="x", databaseName="y"), A),
    case("placeholder", flat("u", name="__debezium_unavailable_value"), "ENVELOPE_UNAVAILABLE"),
    case("tombstone", None, ("delete", "1"), key={"id": 1}, route={"tombstones": "delete"}),
    case("tombstone-without-key", None, "KEY_MISSING", route={"tombstones": "delete"}),
    case(
        "tombstone-without-key-ignored",
        None,
        "deletes",
        route={"tombstones": "delete", "deletes": "ignore"},
    ),
    case(
        "tombstone-without-key-unwanted",
        None,
        "DELETE_UNWANTED",
        route={"tombstones": "delete", "deletes": "dead_letter"},
    ),
    case("tombstone-in-words", b"null", DELETE, key={"id": 1}, route={"tombstones": "delete"}),
    case("tombstone-in-a-pair", NULL_PAIR, DELETE, key={"id": 1}, route={"tombstones": "delete"}),
    case("tombstone-in-words-ignored", b"null", "tombstone", key={"id": 1}),
    case("not-a-pair", {"schema": 1, "payload": None}, "KEY_MISSING"),
    case("tombstone-ignored", None, "tombstone", key={"id": 1}),
    case(
        "prefix",
        {"id": 1, "name": "a", "_cdc_deleted": "true", "__deleted": "false"},
        DELETE,
        route={"flat_prefix": "_cdc_"},
    ),
    case(
        "prefix-op", {"id": 1, "name": "a", "_cdc_op": "d"}, DELETE, route={"flat_prefix": "_cdc_"}
    ),
    case("where-mark", flat("u"), "where", route={"where": {"__op": ("c",)}}),
    case(
        "where-mark-of-a-delete",
        flat("d", "true"),
        "where",
        route={"where": {"__table": ("others",)}},
    ),
    case("where-invented", flat("d", "true", name=""), DELETE, route={"where": {"name": ("a",)}}),
    case("where-envelope", flat("u"), A, route={"where": {"$envelope.__op": ("u",)}}),
    case("compound", flat("d", "true", a=1, b="x"), ("delete", "1/x"), route={"fields": PAIR}),
    case("not-an-object", b"[]", "DECODE_NOT_OBJECT"),
]


@pytest.mark.parametrize(("value", "expected", "rest"), CASES)
def test_record_becomes(value: object, expected: list[object], rest: dict[str, Any]) -> None:
    """One record, one outcome, and the same outcome for the same bytes again."""
    settings, facts = (
        rest.get("route", {}),
        {name: fact for name, fact in rest.items() if name != "route"},
    )
    route = Route(NAME, **settings)
    assert expected == route.outcomes(value, **facts)
    assert expected == route.outcomes(value, **facts)
    neighbours(
        lambda: Route(NAME, **settings | {"where": {}}),
        lambda n: flat("u", id=n, a=1, b=n),
        value,
        facts,
    )


def test_partial_row_leaves_out_what_was_not_sent() -> None:
    """A large value that did not change is left as it is."""
    value = flat("u", name="__debezium_unavailable_value", amount=1)
    assert Route(NAME, partial=True).row(value) == {"id": "1", "amount": 1}


def test_schema_around_the_row_types_its_columns() -> None:
    """The converter's pair is opened, and the schema gives the scale of a decimal."""
    decimal = {
        "type": "bytes",
        "name": "org.apache.kafka.connect.data.Decimal",
        "parameters": {"scale": "2"},
    }
    fields = [
        {"type": "int64", "field": "id"},
        decimal | {"field": "amount"},
        {"type": "string", "field": "__deleted"},
    ]
    wrapped = {
        "schema": {"type": "struct", "fields": fields},
        "payload": {"id": 1, "amount": "BNI=", "__deleted": "false"},
    }
    route = Route(NAME)
    assert [route.row(wrapped) for _ in range(3)] == [
        {"id": "1", "name": None, "amount": 12.34}
    ] * 3
    wrapped["payload"] = {"id": 1, "amount": "BNI=", "__deleted": "true"}
    assert route.outcomes(wrapped) == [DELETE]


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        pytest.param(
            {"__source_ts_ns": 1_700_000_000_001_999_999}, "2023-11-14T22:13:20.001Z", id="ns"
        ),
        pytest.param(
            {"__source_ts_us": 1_700_000_000_002_999}, "2023-11-14T22:13:20.002Z", id="us"
        ),
        pytest.param(
            {"__source_ts_ms": 1_700_000_000_003, "__ts_ms": 5}, "2023-11-14T22:13:20.003Z", id="ms"
        ),
        pytest.param({"__ts_ms": 1_700_000_000_004}, "2023-11-14T22:13:20.004Z", id="debezium"),
        pytest.param({"__source_ts_ms": None}, "1970-01-01T00:00:01.000Z", id="kafka"),
    ],
)
def test_version_is_the_finest_clock(marks: dict[str, object], expected: str) -> None:
    """The source's time, else Debezium's, else Kafka's."""
    assert expected == Route(NAME, version="at").version({"id": 1} | marks)


def test_marks_are_columns_for_rules() -> None:
    """A rule may use a mark like any other column."""
    assert Route(NAME, fields={"name": FieldRule(source="__op")}).row(flat("c"))["name"] == "c"


def test_custom_function_is_called_for_a_delete() -> None:
    """It gets the part of the row that was sent, and the time of the change."""

    def custom(row: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401 - as the mapping calls it
        return {"id": f"{row['id']} {context.operation} {context.source_ms}"}

    assert Route(NAME, custom=custom).outcomes(flat("d", "true")) == [
        ("delete", "1 delete 1700000000000")
    ]


def test_detail_of_a_whole_envelope_names_the_right_format() -> None:
    """The detail of the likeliest mistake says how to fix it."""
    assert "format: debezium" in Route(NAME).detail(ENVELOPE)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"id": 1, "name": "a", "op": "u", "deleted": "false"}, [upsert(name="a")]),
        ({"id": 1, "name": "a"}, [upsert(name="a")]),
        ({"id": 1, "op": "d", "deleted": "true"}, [("delete", "1")]),
        ({"id": 1, "op": "x"}, ["ENVELOPE_OP"]),
        (
            {"before": None, "after": {"id": 1}, "source": {}, "op": "c", "id": 1},
            ["ENVELOPE_SHAPE"],
        ),
    ],
)
def test_prefix_may_be_empty(value: object, expected: list[object]) -> None:
    """`add.fields.prefix` of the transformation may be empty; a whole envelope is still refused."""
    route = Route(NAME, flat_prefix="")

    assert [expected] * 2 == [route.outcomes(value) for _ in range(2)]


def test_time_without_a_prefix() -> None:
    """The clock columns have no prefix either."""
    row = {"id": 1, "op": "u", "source_ts_ms": 1_700_000_000_000}

    assert Route(NAME, flat_prefix="", version="changed").version(row) == "2023-11-14T22:13:20.000Z"


def test_invented_value_of_a_deleted_row_is_not_judged_without_a_prefix() -> None:
    """`where` does not judge a column that may be invented only because no prefix marks others."""
    route = Route(NAME, flat_prefix="", where={"name": ("a",)})

    assert [("delete", "1")] == route.outcomes({"id": 1, "name": "", "op": "d", "deleted": "true"})


def test_documents_of_mongodb_have_their_key_in_the_kafka_key() -> None:
    """`ExtractNewDocumentState` writes `_id` into the row and `id` into the key."""
    route = Route(NAME, fields={"id": FieldRule(source="$key.id")}, tombstones="delete")
    key = {"id": "64b7a1f0c2a4d95e1f0a77c1"}
    row = {"_id": key["id"], "name": "a", "__op": "c", "__deleted": False}

    assert [upsert(key["id"], name="a")] == route.outcomes(row, key=key)
    assert [("delete", key["id"])] == route.outcomes(None, key=key)
    assert [("delete", key["id"])] == route.outcomes({"__deleted": True, "__op": "d"}, key=key)
