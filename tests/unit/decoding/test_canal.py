"""Format `canal`: Canal's flat messages, as its documentation shows them."""

from __future__ import annotations

from typing import Any

import pytest

from consumer.mapping.settings import FieldRule
from tests.unit.decoding.contract import NUMBER_TEXT, PAIR, Route, case, neighbours, upsert

NAME = "canal"
ROW = {"id": "1", "name": "a", "amount": "5.18"}


def change(
    kind: str = "INSERT", rows: object = None, old: object = None, **more: object
) -> dict[str, object]:
    """Return a flat message."""
    return {
        "data": [ROW] if rows is None else rows,
        "database": "shop",
        "es": 1_589_373_560_000,
        "id": 9,
        "isDdl": False,
        "mysqlType": {"id": "INTEGER", "name": "VARCHAR(255)", "amount": "FLOAT"},
        "old": old,
        "pkNames": ["id"],
        "sql": "",
        "sqlType": {"id": 4, "name": 12, "amount": 7},
        "table": "things",
        "ts": 1_589_373_560_798,
        "type": kind,
    } | more


def rows(*ids: object) -> list[dict[str, object]]:
    """Return rows with these keys."""
    return [{"id": one, "name": "a"} for one in ids]


def without(name: str, value: dict[str, object]) -> dict[str, object]:
    """Return the value without a member."""
    return {key: one for key, one in value.items() if key != name}


A = upsert(name="a", amount=5.18)
TWO = (upsert("1", name="a"), upsert("2", name="a"))

CASES = [
    case("insert", change(), A),
    case("update", change("UPDATE", old=[{"name": "b"}]), A),
    case("update-without-old", change("UPDATE"), A),
    case("init", change("INIT"), A),
    case("delete", change("DELETE"), ("delete", "1")),
    case("several-rows", change(rows=rows("1", "2")), *TWO),
    case("several-deletes", change("DELETE", rows("1", "2")), ("delete", "1"), ("delete", "2")),
    case("several-updates", change("UPDATE", rows("1", "2"), [{"name": "x"}, None]), *TWO),
    case("same-key-twice", change(rows=rows("1", "1")), TWO[0], TWO[0]),
    case("key-changed", change("UPDATE", old=[{"id": "9"}]), ("delete", "9"), A),
    case(
        "keys-moved-up",
        change("UPDATE", rows("3", "2"), [{"id": "2"}, {"id": "1"}]),
        ("delete", "2"),
        upsert("3", name="a"),
        ("delete", "1"),
        upsert("2", name="a"),
    ),
    case(
        "key-changed-ignored",
        change("UPDATE", old=[{"id": "9"}]),
        "deletes",
        A,
        route={"deletes": "ignore"},
    ),
    case(
        "key-changed-unwanted",
        change("UPDATE", old=[{"id": "9"}]),
        "DELETE_UNWANTED",
        route={"deletes": "dead_letter"},
    ),
    case(
        "part-of-the-key-changed",
        change("UPDATE", [{"a": "1", "b": "x"}], [{"b": "y"}]),
        ("delete", "1/y"),
        upsert("1/x"),
        route={"fields": PAIR},
    ),
    case("one-row-at-fault", change(rows=[*rows("1"), {"name": "no key"}]), "KEY_MISSING"),
    case(
        "where-one-row",
        change(rows=rows("1", "2")),
        "where",
        TWO[1],
        route={"where": {"id": ("2",)}},
    ),
    case("where-type", change(), "where", route={"where": {"$envelope.type": ("DELETE",)}}),
    case(
        "where-table",
        change(rows=rows("1", "2")),
        *TWO,
        route={"where": {"$envelope.table": ("things",)}},
    ),
    case(
        "where-short-delete",
        change("DELETE", [{"id": "1"}]),
        ("delete", "1"),
        route={"where": {"name": ("b",)}},
    ),
    case(
        "ignored-deletes",
        change("DELETE", rows("1", "2")),
        "deletes",
        "deletes",
        route={"deletes": "ignore"},
    ),
    case("truncate", change("TRUNCATE", isDdl=True) | {"data": None}, "ENVELOPE_TRUNCATE"),
    case("truncate-unmarked", change("TRUNCATE"), "ENVELOPE_TRUNCATE"),
    case("ddl", change("ALTER", isDdl=True) | {"data": None}, "ddl"),
    case("ddl-of-a-new-kind", change("GRANT", isDdl=True), "ddl"),
    case("ddl-unmarked", change("CREATE") | {"data": None}, "ddl"),
    case("ddl-without-type", without("type", change(isDdl=True)), "ddl"),
    case("unknown-type", change("TIDB_BOOTSTRAP"), "ENVELOPE_OP"),
    case("lower-case", change("insert"), "ENVELOPE_OP"),
    case("no-type", without("type", change()), "ENVELOPE_SHAPE"),
    case("null-type", change(type=None), "ENVELOPE_SHAPE"),
    case("no-rows", change() | {"data": []}, "ENVELOPE_SHAPE"),
    case("null-rows", change() | {"data": None}, "ENVELOPE_SHAPE"),
    case("rows-are-an-object", change(rows=ROW), "ENVELOPE_SHAPE"),
    case("null-row", change(rows=[None]), "ENVELOPE_SHAPE"),
    case("row-is-text", change(rows=["x"]), "ENVELOPE_SHAPE"),
    case("old-is-an-object", change("UPDATE", old={}), "ENVELOPE_SHAPE"),
    case("old-of-other-length", change("UPDATE", old=[{}, {}]), "ENVELOPE_SHAPE"),
    case("old-of-a-delete", change("DELETE", old=7), ("delete", "1")),
    case("plain-row", ROW, "ENVELOPE_SHAPE"),
    case("number-without-a-rule", change(), "FIELD_TYPE", route={"fields": {}}),
    case("number-in-other-grammar", change(rows=[ROW | {"amount": "1,2"}]), "FIELD_FORMAT"),
    case("tombstone", None, "tombstone"),
]


@pytest.mark.parametrize(("value", "expected", "rest"), CASES)
def test_record_becomes(value: object, expected: list[object], rest: dict[str, Any]) -> None:
    """One record, its outcomes in order, and neighbours that are not affected."""
    settings = {"fields": NUMBER_TEXT} | rest.get("route", {})
    assert expected == Route(NAME, **settings).outcomes(value)
    neighbours(
        lambda: Route(NAME, **settings | {"where": {}}),
        lambda n: change(rows=[{"id": str(n), "a": n, "b": n}, {"id": f"{n}b", "a": n, "b": "b"}]),
        value,
        {},
    )


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        pytest.param({}, "2020-05-13T12:39:20.000Z", id="es"),
        pytest.param({"es": None}, "2020-05-13T12:39:20.798Z", id="ts"),
        pytest.param({"es": None, "ts": "x"}, "1970-01-01T00:00:01.000Z", id="kafka"),
    ],
)
def test_version_is_the_source_s_time(more: dict[str, Any], expected: str) -> None:
    """`es` is the time in MySQL, `ts` the time in Canal, both in milliseconds."""
    assert expected == Route(NAME, fields=NUMBER_TEXT, version="at").version(change(**more))


def test_versions_of_one_record_rise_per_key() -> None:
    """The second row of a key is one millisecond later than the first."""
    outcomes = Route(NAME, version="at").outcomes(change(rows=rows("1", "2", "1")))
    assert [row["at"][-4:] for _, _, row in outcomes] == ["000Z", "000Z", "001Z"]


def test_a_rule_converts_text() -> None:
    """All values are text: booleans need `values`, numbers need `number: true`."""
    rules = {"name": FieldRule(source="flag", values={"1": "yes", "0": "no"})} | NUMBER_TEXT
    value = change(rows=[{"id": "1", "flag": "0", "amount": "12.50"}])
    assert Route(NAME, fields=rules).outcomes(value) == [upsert(name="no", amount=12.5)]


def test_custom_function_gets_each_row() -> None:
    """Once per row, in order."""

    def custom(row: dict[str, Any], context: Any) -> dict[str, Any] | None:  # noqa: ANN401 - as the mapping calls it
        return row | {"name": context.operation} if row["id"] != "2" else None

    outcomes = Route(NAME, custom=custom).outcomes(change(rows=rows("1", "2", "3")))
    assert outcomes == [upsert("1", name="upsert"), "custom", upsert("3", name="upsert")]


FLINK = {"database": None, "table": "things", "pkNames": ["id"], "ts": 0}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"data": [ROW], "type": "INSERT"}, [A]),
        ({"data": [ROW], "type": "DELETE"}, [("delete", "1")]),
        (FLINK | {"old": [ROW], "data": None, "type": "DELETE"}, [("delete", "1")]),
        (FLINK | {"old": [ROW], "type": "DELETE"}, [("delete", "1")]),
        (
            FLINK | {"old": rows("1", "2"), "data": None, "type": "DELETE"},
            [("delete", "1"), ("delete", "2")],
        ),
        (FLINK | {"old": rows("9"), "data": [ROW], "type": "UPDATE"}, [("delete", "9"), A]),
        (FLINK | {"old": None, "data": None, "type": "DELETE"}, ["ENVELOPE_SHAPE"]),
        (FLINK | {"old": [None], "data": None, "type": "DELETE"}, ["ENVELOPE_SHAPE"]),
        (FLINK | {"old": [ROW], "data": None, "type": "UPDATE"}, ["ENVELOPE_SHAPE"]),
    ],
)
def test_messages_of_flink(value: object, expected: list[object]) -> None:
    """Flink writes fewer members, and a deleted row only into `old`."""
    assert expected == Route(NAME, fields=NUMBER_TEXT).outcomes(value)


@pytest.mark.parametrize(
    ("clocks", "expected"),
    [
        ({"es": 0, "ts": 1_700_000_000_000}, "2023-11-14T22:13:20.000Z"),
        ({"es": None, "ts": 0}, "1970-01-01T00:00:01.000Z"),
    ],
)
def test_clock_of_zero_is_not_a_time(clocks: dict[str, object], expected: str) -> None:
    """Zero means that the time is not known: the next clock counts, the last is Kafka's."""
    route = Route(NAME, fields=NUMBER_TEXT, version="changed")

    assert expected == route.version(change() | clocks)


@pytest.mark.parametrize(
    ("mysql_type", "written", "expected"),
    [
        ("blob", "PNG\x00\x01", "UE5HAAE="),
        ("LONGBLOB", "\xff\xd8\xff", "/9j/"),
        ("varbinary(16)", "abc", "YWJj"),
        ("BINARY(2)", "\x00\x80", "AIA="),
        ("blob", None, None),
        ("blob", "", ""),
        ("blob", "\u20ac", "\u20ac"),
        ("varchar(10)", "blob", "blob"),
        ("text", "abc", "abc"),
        (None, "abc", "abc"),
    ],
)
def test_binary_column_is_base64(
    mysql_type: str | None, written: str | None, expected: str | None
) -> None:
    """Canal writes bytes as characters; other formats, and this one, send them as base64."""
    types = {"id": "int", "name": mysql_type}
    value = change(rows=[{"id": "1", "name": written}], mysqlType=types)

    assert expected == Route(NAME).row(value)["name"]


def test_binary_key_is_base64_in_every_change() -> None:
    """A changed key deletes the row that was sent under the old one."""
    value = change("UPDATE", [{"id": "\x02"}], [{"id": "\x01"}], mysqlType={"id": "binary(1)"})
    outcomes = Route(NAME).outcomes(value)

    assert [("delete", "AQ=="), "Ag=="] == [outcomes[0], outcomes[1][1]]
    inserted = change(rows=[{"id": "\x01"}], mysqlType={"id": "binary(1)"})
    assert Route(NAME).outcomes(inserted)[0][1] == "AQ=="
