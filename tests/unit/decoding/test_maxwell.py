"""Format `maxwell`: the records of Maxwell's daemon, as its documentation shows them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.decoding.contract import PAIR, Route, case, neighbours, upsert

NAME = "maxwell"


def change(
    kind: str = "insert", row: object = None, old: object = None, **more: object
) -> dict[str, object]:
    """Return a record of Maxwell."""
    around = {
        "database": "shop",
        "table": "things",
        "type": kind,
        "ts": 1_700_000_000,
        "xid": 23396,
        "commit": True,
    }
    body = {"data": {"id": 1, "name": "a", "amount": 4.50} if row is None else row}
    return around | body | ({"old": old} if old is not None else {}) | more


def without(name: str, value: dict[str, object]) -> dict[str, object]:
    """Return the value without a member."""
    return {key: one for key, one in value.items() if key != name}


A = upsert(name="a", amount=4.5)
BOOTSTRAP = {"database": "shop", "table": "things", "ts": 1_450_557_598, "data": {}}
CREATE = {
    "type": "table-create",
    "database": "shop",
    "table": "e",
    "def": {"columns": []},
    "ts": 1_477_053_126_000,
}

CASES = [
    case("insert", change(), A),
    case("update", change("update", old={"name": "b"}), A),
    case("update-without-old", change("update"), A),
    case("bootstrap-insert", change("bootstrap-insert"), A),
    case("delete", change("delete"), ("delete", "1")),
    case("bootstrap-start", BOOTSTRAP | {"type": "bootstrap-start"}, "bootstrap"),
    case("bootstrap-complete", BOOTSTRAP | {"type": "bootstrap-complete"}, "bootstrap"),
    *[
        case(kind, CREATE | {"type": kind}, "ddl")
        for kind in (
            "table-create",
            "table-alter",
            "table-drop",
            "database-create",
            "database-alter",
            "database-drop",
        )
    ],
    case("key-changed", change("update", old={"id": 9}), ("delete", "9"), A),
    case(
        "key-changed-ignored",
        change("update", old={"id": 9}),
        "deletes",
        A,
        route={"deletes": "ignore"},
    ),
    case(
        "key-changed-unwanted",
        change("update", old={"id": 9}),
        "DELETE_UNWANTED",
        route={"deletes": "dead_letter"},
    ),
    case(
        "part-of-the-key-changed",
        change("update", {"a": 1, "b": "x"}, {"b": "y"}),
        ("delete", "1/y"),
        upsert("1/x"),
        route={"fields": PAIR},
    ),
    case("old-of-an-insert", change("insert", old={"id": 9}), A),
    case("ignored-delete", change("delete"), "deletes", route={"deletes": "ignore"}),
    case("absent-column-is-null", change(row={"id": 1}), upsert()),
    case("key-missing", change(row={"name": "a"}), "KEY_MISSING"),
    case("key-missing-in-a-delete", change("delete", {"name": "a"}), "KEY_MISSING"),
    case("unknown-type", change("replace"), "ENVELOPE_OP"),
    case("no-type", without("type", change()), "ENVELOPE_SHAPE"),
    case("type-no-text", change() | {"type": 1}, "ENVELOPE_SHAPE"),
    case("no-row", without("data", change()), "ENVELOPE_SHAPE"),
    case("null-row", change() | {"data": None}, "ENVELOPE_SHAPE"),
    case("row-is-an-array", change(row=[{"id": 1}]), "ENVELOPE_SHAPE"),
    case("old-is-an-array", change("update", old=[]), "ENVELOPE_SHAPE"),
    case("plain-row", {"id": 1, "name": "a"}, "ENVELOPE_SHAPE"),
    case("where-type", change(), "where", route={"where": {"$envelope.type": ("update",)}}),
    case("where-table", change(), A, route={"where": {"$envelope.table": ("things",)}}),
    case("where-row", change(), "where", route={"where": {"name": ("b",)}}),
    case("where-row-of-a-delete", change("delete"), "where", route={"where": {"name": ("b",)}}),
    case(
        "where-short-delete",
        change("delete", {"id": 1}),
        ("delete", "1"),
        route={"where": {"name": ("b",)}},
    ),
    case("tombstone", None, "tombstone"),
    case("tombstone-deletes", None, ("delete", "7"), key={"id": 7}, route={"tombstones": "delete"}),
    case("not-json", b"{", "DECODE_SYNTAX"),
]


@pytest.mark.parametrize(("value", "expected", "rest"), CASES)
def test_record_becomes(value: object, expected: list[object], rest: dict[str, Any]) -> None:
    """One record, its outcomes, and neighbours that are not affected."""
    settings, facts = (
        rest.get("route", {}),
        {name: fact for name, fact in rest.items() if name != "route"},
    )
    assert expected == Route(NAME, **settings).outcomes(value, **facts)
    neighbours(
        lambda: Route(NAME, **settings | {"where": {}}),
        lambda n: change(row={"id": n, "a": 1, "b": n}),
        value,
        facts,
    )


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        pytest.param({"ts": 1_477_053_217}, "2016-10-21T12:33:37.000Z", id="seconds"),
        pytest.param({"ts": None}, "1970-01-01T00:00:01.000Z", id="kafka"),
        pytest.param({"ts": "soon"}, "1970-01-01T00:00:01.000Z", id="unreadable"),
    ],
)
def test_version_is_read_in_seconds(more: dict[str, Any], expected: str) -> None:
    """Maxwell's `ts` is in seconds; without one it is Kafka's time."""
    assert expected == Route(NAME, version="at").version(change(**more))


def test_row_created_again_is_later_than_its_delete() -> None:
    """Within one second of `ts`, the order of the log decides."""
    route = Route(NAME, version="at")
    assert route.outcomes(change("delete")) == [("delete", "1")]
    assert route.version(change()) == "2023-11-14T22:13:20.001Z"


def test_custom_function_gets_the_row() -> None:
    """The row, the operation and the time in milliseconds."""

    def custom(row: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401 - as the mapping calls it
        return row | {"name": f"{context.operation} {context.source_ms}"}

    assert Route(NAME, custom=custom).row(change())["name"] == "upsert 1700000000000"


def test_time_without_zone_takes_the_zone_of_the_route() -> None:
    """MySQL's `datetime` has no zone."""
    value = change(row={"id": 1, "at": "2016-10-21 05:33:37.523000"})
    assert Route(NAME, version="at").outcomes(value) == ["TIME_ZONE"]
    assert (
        Route(NAME, version="at", zone="Europe/Berlin").version(value) == "2016-10-21T03:33:37.523Z"
    )
