"""Format `goldengate`: operations of the JSON formatter, as its documentation shows them."""

from __future__ import annotations

from typing import Any

import pytest

from consumer.mapping.settings import FieldRule
from tests.unit.decoding.contract import PAIR, Route, case, neighbours, upsert

NAME = "goldengate"
ROW = {"id": "WILL", "name": "BG SOFTWARE CO.", "amount": 1.50}


def change(
    op: object = "I", after: object = None, before: object = None, **more: object
) -> dict[str, object]:
    """Return an operation. A missing image is left out, as the formatter does."""
    around = {
        "table": "SHOP.THINGS",
        "op_type": op,
        "op_ts": "2013-06-02 22:14:36.000000",
        "current_ts": "2015-09-18T10:17:49.570000",
        "pos": "00000000000000001444",
        "primary_keys": ["id"],
        "tokens": {"R": "AADPkvAAEAAEqL2AAA"},
    }
    images = {
        name: image for name, image in (("before", before), ("after", after)) if image is not None
    }
    return around | images | more


WILL = upsert("WILL", name="BG SOFTWARE CO.", amount=1.5)
SHORT = {"id": "WILL", "name": "BG"}
ROW_MODELLED = {
    "table": "T",
    "op_type": "I",
    "op_ts": "2013-06-02 22:14:36.000000",
    "pos": "1",
    "id": "WILL",
}

CASES = [
    case("insert", change("I", ROW), WILL),
    case("insert-with-null-before", change("I", ROW) | {"before": None}, WILL),
    case("insert-of-fewer-columns", change("I", SHORT), upsert("WILL", name="BG")),
    case("update", change("U", ROW, ROW), WILL),
    case("update-without-before", change("U", ROW), WILL),
    case("update-to-null", change("U", ROW | {"name": None}), upsert("WILL", amount=1.5)),
    case("delete", change("D", before=ROW), ("delete", "WILL")),
    case("delete-of-a-key", change("D", before={"id": "WILL"}), ("delete", "WILL")),
    case("delete-with-null-after", change("D", before=ROW) | {"after": None}, ("delete", "WILL")),
    case("compressed-update", change("U", SHORT, SHORT), "ENVELOPE_UNAVAILABLE"),
    case(
        "compressed-update-in-part",
        change("U", SHORT, SHORT),
        ("upsert", "WILL", {"id": "WILL", "name": "BG"}),
        route={"partial": True},
    ),
    case(
        "update-to-null-in-part",
        change("U", {"id": "WILL", "name": None}),
        ("upsert", "WILL", {"id": "WILL", "name": None}),
        route={"partial": True},
    ),
    case(
        "compressed-without-key",
        change("U", {"name": "BG"}),
        "ENVELOPE_UNAVAILABLE",
        route={"partial": True},
    ),
    case("key-changed", change("U", ROW, ROW | {"id": "OLD"}), ("delete", "OLD"), WILL),
    case(
        "key-changed-ignored",
        change("U", ROW, ROW | {"id": "OLD"}),
        "deletes",
        WILL,
        route={"deletes": "ignore"},
    ),
    case(
        "part-of-the-key-changed",
        change("U", {"a": 1, "b": "x"}, {"b": "y"}),
        ("delete", "1/y"),
        ("upsert", "1/x", {"id": "1/x"}),
        route={"fields": PAIR, "partial": True},
    ),
    case("before-without-the-key", change("U", ROW, {"name": "OLD"}), WILL),
    case("truncate", change("T"), "ENVELOPE_TRUNCATE"),
    case("truncate-with-nulls", change("T") | {"before": None, "after": None}, "ENVELOPE_TRUNCATE"),
    case("unknown-operation", change("P", ROW), "ENVELOPE_OP"),
    case("no-operation", {"table": "T", "after": ROW}, "ENVELOPE_SHAPE"),
    case("operation-no-text", change(1, ROW), "ENVELOPE_SHAPE"),
    case("row-modelled", ROW_MODELLED, "ENVELOPE_SHAPE"),
    case("row-modelled-delete", ROW_MODELLED | {"op_type": "D"}, "ENVELOPE_SHAPE"),
    case("update-without-after", change("U", before=ROW), "ENVELOPE_SHAPE"),
    case("delete-without-before", change("D", ROW), "ENVELOPE_SHAPE"),
    case("after-is-an-array", change("I", [ROW]), "ENVELOPE_SHAPE"),
    case("before-is-text", change("D", before="x"), "ENVELOPE_SHAPE"),
    case("plain-row", ROW, "ENVELOPE_SHAPE"),
    case("key-missing", change("I", {"name": "a"}), "KEY_MISSING"),
    case("key-missing-in-a-delete", change("D", before={"name": "a"}), "KEY_MISSING"),
    case("ignored-delete", change("D", before=ROW), "deletes", route={"deletes": "ignore"}),
    case(
        "unwanted-delete",
        change("D", before=ROW),
        "DELETE_UNWANTED",
        route={"deletes": "dead_letter"},
    ),
    case(
        "where-table",
        change("I", ROW),
        "where",
        route={"where": {"$envelope.table": ("SHOP.OTHERS",)}},
    ),
    case("where-operation", change("I", ROW), WILL, route={"where": {"$envelope.op_type": ("I",)}}),
    case(
        "where-not-sent",
        change("U", {"id": "WILL"}),
        "ENVELOPE_UNAVAILABLE",
        route={"where": {"name": ("BG",)}, "partial": True},
    ),
    case(
        "where-short-delete",
        change("D", before={"id": "WILL"}),
        ("delete", "WILL"),
        route={"where": {"name": ("BG",)}},
    ),
    case("tombstone", None, "tombstone"),
]


@pytest.mark.parametrize(("value", "expected", "rest"), CASES)
def test_record_becomes(value: object, expected: list[object], rest: dict[str, Any]) -> None:
    """One record, its outcomes, and neighbours that are not affected."""
    settings = rest.get("route", {})
    assert expected == Route(NAME, **settings).outcomes(value)
    neighbours(
        lambda: Route(NAME, **settings | {"where": {}}),
        lambda n: change("I", {"id": n, "a": n, "b": n}),
        value,
        {},
    )


@pytest.mark.parametrize(
    ("zone", "op_ts", "expected"),
    [
        pytest.param(None, "2013-06-02 22:14:36.000000", "2013-06-02T22:14:36.000Z", id="utc"),
        pytest.param(
            "Europe/Berlin",
            "2013-06-02 22:14:36.123456",
            "2013-06-02T20:14:36.123Z",
            id="zone-of-the-route",
        ),
        pytest.param(
            "Europe/Berlin", "2013-12-02T22:14:36.5", "2013-12-02T21:14:36.500Z", id="winter"
        ),
        pytest.param(
            "Europe/Berlin",
            "2013-06-02 22:14:36+00:00",
            "2013-06-02T22:14:36.000Z",
            id="its-own-zone",
        ),
        pytest.param(
            None, "2013-06-02 22:14:36.123456789", "2013-06-02T22:14:36.123Z", id="nanoseconds"
        ),
        pytest.param(None, None, "1970-01-01T00:00:01.000Z", id="kafka"),
        pytest.param(None, "soon", "1970-01-01T00:00:01.000Z", id="unreadable"),
    ],
)
def test_version_is_the_time_of_the_operation(
    zone: str | None, op_ts: object, expected: str
) -> None:
    """`op_ts` in its own zone, in the route's, in UTC; without it Kafka's time."""
    version = Route(NAME, version="at", zone=zone).version(change("I", ROW, op_ts=op_ts))
    assert expected == version


@pytest.mark.parametrize("op_ts", ["0001-01-01 00:00:00", "9999-12-31 23:59:59"])
def test_time_of_an_operation_at_the_end_of_time(op_ts: str) -> None:
    """A time that has no date in another zone is out of range."""
    assert Route(NAME, version="at", zone="Asia/Tokyo").outcomes(change("I", ROW, op_ts=op_ts)) == [
        "TIME_RANGE"
    ]


def test_version_that_an_update_does_not_have_is_the_time_of_the_operation() -> None:
    """A version column that was not sent is not older than the change."""
    route = Route(NAME, version="at", partial=True)
    assert route.version(change("U", {"id": "WILL"})) == "2013-06-02T22:14:36.000Z"


def test_default_does_not_replace_a_value_that_was_not_sent() -> None:
    """It would overwrite the good value."""
    rules = {"name": FieldRule(source="name", default="unknown")}
    value = change("U", {"id": "WILL", "amount": 2})
    assert Route(NAME, fields=rules).outcomes(value) == ["ENVELOPE_UNAVAILABLE"]
    assert Route(NAME, fields=rules, partial=True).row(value) == {"id": "WILL", "amount": 2}


def test_custom_function_gets_the_columns_that_were_sent() -> None:
    """In partial mode, a field that the function does not fill stays as it is."""

    def custom(row: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401 - as the mapping calls it
        return row | {"name": f"{sorted(row)} {context.source_ms}"}

    row = Route(NAME, custom=custom, partial=True).row(change("U", {"id": "WILL"}))
    assert row == {"id": "WILL", "name": "['id'] 1370211276000"}


def test_schema_around_the_operation_types_its_columns() -> None:
    """The Kafka Connect handler writes through the converter."""
    decimal = {
        "type": "bytes",
        "name": "org.apache.kafka.connect.data.Decimal",
        "parameters": {"scale": "2"},
    }
    after = {"type": "struct", "field": "after", "fields": [decimal | {"field": "amount"}]}
    value = {
        "schema": {"type": "struct", "fields": [after]},
        "payload": change("I", {"id": "WILL", "amount": "BNI="}),
    }
    route = Route(NAME)
    assert [route.outcomes(value) for _ in range(2)] == [[upsert("WILL", amount=12.34)]] * 2


def test_detail_of_the_row_modelled_variant_names_the_setting() -> None:
    """It is the likeliest mistake."""
    assert "json_row" in Route(NAME).detail(ROW_MODELLED)
