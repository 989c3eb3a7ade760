"""Format `dms`: rows and control records of AWS DMS, as its documentation shows them."""

from __future__ import annotations

from typing import Any

import pytest

from consumer.mapping.settings import BeforeSettings, FieldRule
from tests.unit.decoding.contract import PAIR, Route, case, neighbours, upsert

NAME = "dms"


def change(
    operation: object = "insert", row: object = None, **metadata: object
) -> dict[str, object]:
    """Return a record of DMS. An underscore in a name becomes a hyphen."""
    all_metadata = {
        "timestamp": "2021-02-18T23:57:11.970360Z",
        "record-type": "data",
        "operation": operation,
        "partition-key-type": "primary-key",
        "schema-name": "shop",
        "table-name": "things",
        "transaction-id": 87_978_110_091_475,
    }
    all_metadata |= {name.replace("_", "-"): one for name, one in metadata.items()}
    return {
        "data": {"id": 1, "name": "a", "amount": 1.50} if row is None else row,
        "metadata": all_metadata,
    }


def without(name: str) -> dict[str, object]:
    """Return a record without one member of its metadata."""
    value = change()
    metadata = value["metadata"]
    assert isinstance(metadata, dict)
    del metadata[name]
    return value


A = upsert(name="a", amount=1.5)
PAIR_CHANGED = change("update", {"a": 1, "b": "x"}) | {"before-image": {"b": "y"}}
CONTROL = {
    "metadata": {
        "timestamp": "2021-02-18T23:09:09.509179Z",
        "record-type": "control",
        "operation": "create-table",
        "partition-key-type": "task-id",
        "schema-name": "",
        "table-name": "awsdms_apply_exceptions",
    }
}

CASES = [
    case("load", change("load"), A),
    case("insert", change(), A),
    case("update", change("update"), A),
    case(
        "update-with-a-before-image", change("update") | {"before-image": {"id": 1, "name": "b"}}, A
    ),
    case("changed-key", change("update") | {"before-image": {"id": 7}}, ("delete", "7"), A),
    case(
        "changed-key-with-all-columns",
        change("update") | {"before-image": {"id": 7, "name": "b"}},
        ("delete", "7"),
        A,
    ),
    case(
        "changed-key-in-part",
        PAIR_CHANGED,
        ("delete", "1/y"),
        upsert("1/x"),
        route={"fields": PAIR},
    ),
    case(
        "changed-key-ignored-delete",
        change("update") | {"before-image": {"id": 7}},
        "deletes",
        A,
        route={"deletes": "ignore"},
    ),
    case(
        "changed-key-unwanted-delete",
        change("update") | {"before-image": {"id": 7}},
        "DELETE_UNWANTED",
        route={"deletes": "dead_letter"},
    ),
    case("before-image-null", change("update") | {"before-image": None}, A),
    case("before-image-empty", change("update") | {"before-image": {}}, A),
    case("before-image-is-text", change("update") | {"before-image": "x"}, "ENVELOPE_SHAPE"),
    case(
        "before-image-of-a-delete", change("delete") | {"before-image": {"id": 7}}, ("delete", "1")
    ),
    case("delete", change("delete"), ("delete", "1")),
    case("delete-of-a-key", change("delete", {"id": 1}), ("delete", "1")),
    case("control", CONTROL, "control"),
    case(
        "control-drop", {"metadata": CONTROL["metadata"] | {"operation": "drop-table"}}, "control"
    ),
    case(
        "truncate",
        {"metadata": CONTROL["metadata"] | {"operation": "truncate-table"}},
        "ENVELOPE_TRUNCATE",
    ),
    case(
        "where-truncate",
        {"metadata": CONTROL["metadata"] | {"operation": "truncate-table"}},
        "where",
        route={"where": {"$envelope.metadata.record-type": ("data",)}},
    ),
    case("absent-column-is-null", change(row={"id": 1}), upsert()),
    case(
        "compound", change("delete", {"a": 1, "b": "x"}), ("delete", "1/x"), route={"fields": PAIR}
    ),
    case("ignored-delete", change("delete"), "deletes", route={"deletes": "ignore"}),
    case("unwanted-delete", change("delete"), "DELETE_UNWANTED", route={"deletes": "dead_letter"}),
    case("key-missing", change(row={"name": "a"}), "KEY_MISSING"),
    case("key-missing-in-a-delete", change("delete", {"name": "a"}), "KEY_MISSING"),
    case("unknown-operation", change("upsert"), "ENVELOPE_OP"),
    case("no-operation", without("operation"), "ENVELOPE_SHAPE"),
    case("operation-no-text", change(7), "ENVELOPE_SHAPE"),
    case("no-type", without("record-type"), "ENVELOPE_SHAPE"),
    case("unknown-type", change(record_type="table"), "ENVELOPE_SHAPE"),
    case("no-metadata", {"data": {"id": 1}}, "ENVELOPE_SHAPE"),
    case("metadata-is-text", change() | {"metadata": "x"}, "ENVELOPE_SHAPE"),
    case("no-row", change() | {"data": None}, "ENVELOPE_SHAPE"),
    case("row-is-an-array", change(row=[]), "ENVELOPE_SHAPE"),
    case("plain-row", {"id": 1, "name": "a"}, "ENVELOPE_SHAPE"),
    case(
        "where-table",
        change(),
        "where",
        route={"where": {"$envelope.metadata.table-name": ("others",)}},
    ),
    case(
        "where-operation",
        change(),
        A,
        route={"where": {"$envelope.metadata.operation": ("insert",)}},
    ),
    case("where-row", change(), "where", route={"where": {"name": ("b",)}}),
    case(
        "where-short-delete",
        change("delete", {"id": 1}),
        ("delete", "1"),
        route={"where": {"name": ("b",)}},
    ),
    case("tombstone", None, "tombstone"),
    case("not-json", b"\x00", "DECODE_SYNTAX"),
]


@pytest.mark.parametrize(("value", "expected", "rest"), CASES)
def test_record_becomes(value: object, expected: list[object], rest: dict[str, Any]) -> None:
    """One record, its outcome, and neighbours that are not affected."""
    settings = rest.get("route", {})
    assert expected == Route(NAME, **settings).outcomes(value)
    neighbours(
        lambda: Route(NAME, **settings | {"where": {}}),
        lambda n: change(row={"id": n, "a": n, "b": n}),
        value,
        {},
    )


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        pytest.param("2021-02-18T23:57:11.970360Z", "2021-02-18T23:57:11.970Z", id="micros"),
        pytest.param("2021-02-18T23:57:11", "2021-02-18T23:57:11.000Z", id="utc-without-zone"),
        pytest.param(
            "1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999Z", id="cut-towards-the-past"
        ),
        pytest.param(None, "1970-01-01T00:00:01.000Z", id="kafka"),
        pytest.param(7, "1970-01-01T00:00:01.000Z", id="no-text"),
    ],
)
def test_version_is_the_timestamp_of_the_metadata(timestamp: object, expected: str) -> None:
    """DMS writes the time in ISO 8601; without one it is Kafka's."""
    assert expected == Route(NAME, version="at").version(change(timestamp=timestamp))


def test_custom_function_gets_the_row() -> None:
    """The row, the operation and the time."""

    def custom(row: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401 - as the mapping calls it
        return row | {"name": f"{context.operation} {context.source_ms}"}

    assert Route(NAME, custom=custom).row(change())["name"] == "upsert 1613692631970"


PREFIX: dict[str, Any] = {"before": BeforeSettings(prefix="BI_")}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            change("update", {"id": 2, "name": "b", "BI_id": 1, "BI_name": "a"}),
            [("delete", "1"), upsert("2", name="b")],
        ),
        (change("update", {"id": 1, "name": "b", "BI_id": 1}), [upsert(name="b")]),
        (change("insert", {"id": 1, "BI_id": None}), [upsert()]),
        (change("delete", {"id": 1, "BI_id": 1}), [("delete", "1")]),
        (change("delete", {"id": None, "BI_id": 1}), [("delete", "1")]),
        (change("delete", {"BI_id": 1}), [("delete", "1")]),
        (change("load", {"id": 1, "name": "a"}), [upsert(name="a")]),
        (
            change("update", {"id": 2, "BI_id": 1}) | {"before-image": "x"},
            [("delete", "1"), upsert("2")],
        ),
        (change("update", {"id": 2}) | {"before-image": "x"}, ["ENVELOPE_SHAPE"]),
    ],
    ids=[
        "key-changed",
        "same-key",
        "insert",
        "delete",
        "delete-null",
        "delete-without",
        "load",
        "member-that-is-not-needed",
        "member-that-is-needed",
    ],
)
def test_before_image_in_prefixed_columns(value: object, expected: list[object]) -> None:
    """Columns with the prefix are the row before, and no columns of the row."""
    assert expected == Route(NAME, **PREFIX).outcomes(value)


def test_prefixed_column_is_not_a_column_of_the_row() -> None:
    """A rule does not reach an earlier value as if it were the value."""
    route = Route(NAME, fields={"name": FieldRule(source="BI_name")}, **PREFIX)

    assert route.row(change("update", {"id": 1, "BI_name": "old"}))["name"] is None


def test_without_the_prefix_setting_all_are_columns() -> None:
    """A table may have columns of such names."""
    route = Route(NAME, fields={"name": FieldRule(source="BI_name")})

    assert [upsert(name="x")] == route.outcomes(change("update", {"id": 1, "BI_name": "x"}))
