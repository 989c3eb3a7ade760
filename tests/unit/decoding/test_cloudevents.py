"""Format `cloudevents`: events in structured and in binary mode, and Debezium's events."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from consumer.mapping.settings import FieldRule
from tests.unit.decoding.contract import Route, case, neighbours, upsert

NAME = "cloudevents"
ROW = {"id": 1, "name": "a"}
A = upsert(name="a")
UNSENT = {"id": 1, "name": "__debezium_unavailable_value"}


def event(row: object = None, **more: object) -> dict[str, object]:
    """Return an event in structured mode."""
    attributes = {
        "specversion": "1.0",
        "id": "e-1",
        "source": "/shop",
        "type": "shop.thing.changed",
        "time": "2026-01-13T13:55:39.738123456Z",
        "datacontenttype": "application/json",
    }
    return attributes | {"data": ROW if row is None else row} | more


def in_base64(content: bytes) -> dict[str, object]:
    """Return an event with `data_base64`."""
    return {name: one for name, one in event().items() if name != "data"} | {
        "data_base64": base64.b64encode(content).decode()
    }


def headers(**attributes: bytes | None) -> list[tuple[str, bytes | None]]:
    """Return the headers of an event in binary mode."""
    all_attributes = {
        "specversion": b"1.0",
        "id": b"e-1",
        "source": b"/shop",
        "type": b"t",
    } | attributes
    return [
        ("content-type", b"application/json"),
        *((f"ce_{name}", one) for name, one in all_attributes.items()),
    ]


def debezium(
    op: object, after: object = None, before: object = None, **more: object
) -> dict[str, object]:
    """Return an event of Debezium's converter."""
    return event(
        {"before": before, "after": after},
        **{
            "id": "name:test_server;lsn:29274832;txId:565",
            "type": "io.debezium.postgresql.datachangeevent",
            "iodebeziumop": op,
            "iodebeziumversion": "3.6.0.Final",
            "iodebeziumtsms": "1578923739738",
            "iodebeziumtable": "things",
        }
        | more,
    )


CASES = [
    case("structured", event(), A),
    case(
        "structured-with-headers",
        event(),
        A,
        headers=[("content-type", b"application/cloudevents+json")],
    ),
    case(
        "structured-by-its-type",
        event(),
        A,
        headers=[
            ("ce_specversion", b"1.0"),
            ("content-type", b"application/cloudevents+json; charset=UTF-8"),
        ],
    ),
    case("binary", ROW, A, headers=headers()),
    case("binary-without-type-of-content", ROW, A, headers=headers()[1:]),
    case("binary-in-capitals", ROW, A, headers=[("CE_SpecVersion", b"1.0")]),
    case("binary-with-spaces", b' {"id":1,"name":"a"}\n', A, headers=headers()),
    case("binary-row-with-a-version", ROW | {"specversion": "x"}, A, headers=headers()),
    case("base64", in_base64(b'{"id":1,"name":"a"}'), A),
    case("base64-of-no-json", in_base64(b"\x01"), "DECODE_SYNTAX"),
    case("base64-of-an-array", in_base64(b"[]"), "DECODE_NOT_OBJECT"),
    case("base64-of-nothing", in_base64(b""), "DECODE_EMPTY"),
    case("no-base64", event() | {"data_base64": "!"}, "ENVELOPE_SHAPE"),
    case("base64-is-a-number", event() | {"data_base64": 1}, "ENVELOPE_SHAPE"),
    case("no-version", {"id": "e-1", "data": ROW}, "ENVELOPE_SHAPE"),
    case("plain-row", ROW, "ENVELOPE_SHAPE"),
    case("no-data", {"specversion": "1.0", "id": "e-1"}, "ENVELOPE_SHAPE"),
    case("null-data", event() | {"data": None}, "ENVELOPE_SHAPE"),
    case("text-data", event("x"), "ENVELOPE_SHAPE"),
    case("array-data", event([ROW]), "ENVELOPE_SHAPE"),
    case("several-events", b"[]", "DECODE_NOT_OBJECT"),
    case("binary-no-json", b"<row/>", "DECODE_SYNTAX", headers=headers()),
    case("binary-no-text-in-a-header", ROW, "DECODE_ENCODING", headers=headers(subject=b"\xff")),
    case("key-missing", event({"name": "a"}), "KEY_MISSING"),
    case("where-type", event(), "where", route={"where": {"$envelope.type": ("other",)}}),
    case(
        "where-type-binary", ROW, A, headers=headers(), route={"where": {"$envelope.type": ("t",)}}
    ),
    case("where-data", event(), A, route={"where": {"$envelope.data.name": ("a",)}}),
    case(
        "where-data-binary",
        ROW,
        "where",
        headers=headers(),
        route={"where": {"$envelope.data.name": ("b",)}},
    ),
    case("tombstone", None, "tombstone", key={"id": 1}),
    case("tombstone-deletes", None, ("delete", "1"), key={"id": 1}, route={"tombstones": "delete"}),
    case("debezium-c", debezium("c", ROW), A),
    case("debezium-r", debezium("r", ROW), A),
    case("debezium-u", debezium("u", ROW, ROW), A),
    case("debezium-key-changed", debezium("u", ROW, {"id": 9}), ("delete", "9"), A),
    case("debezium-d", debezium("d", None, ROW), ("delete", "1")),
    case("debezium-d-by-key", debezium("d"), ("delete", "7"), key={"id": 7}),
    case("debezium-d-invented", debezium("d", None, {"id": 0}), ("delete", "7"), key={"id": 7}),
    case("debezium-d-without-key", debezium("d"), "KEY_MISSING"),
    case("debezium-t", debezium("t"), "ENVELOPE_TRUNCATE"),
    case("debezium-m", debezium("m"), "message"),
    case("debezium-x", debezium("x", ROW), "ENVELOPE_OP"),
    case("debezium-null-op", debezium(None, ROW), "ENVELOPE_OP"),
    case("debezium-no-after", debezium("u"), "ENVELOPE_SHAPE"),
    case("debezium-after-is-text", debezium("u", "x"), "ENVELOPE_SHAPE"),
    case("debezium-binary", {"before": None, "after": ROW}, A, headers=headers(iodebeziumop=b"c")),
    case("debezium-placeholder", debezium("u", UNSENT), "ENVELOPE_UNAVAILABLE"),
    case(
        "debezium-where",
        debezium("d", None, ROW),
        "where",
        route={"where": {"$envelope.iodebeziumop": ("c",)}},
    ),
    case(
        "debezium-ignored-delete", debezium("d", None, ROW), "deletes", route={"deletes": "ignore"}
    ),
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
        lambda: Route(NAME, **settings | {"where": {}}), lambda n: event({"id": n}), value, facts
    )


@pytest.mark.parametrize(
    ("value", "facts", "expected"),
    [
        pytest.param(event(), {}, "2026-01-13T13:55:39.738Z", id="time"),
        pytest.param(
            event(time="2026-01-13T13:55:39+05:30"), {}, "2026-01-13T08:25:39.000Z", id="offset"
        ),
        pytest.param(event(time=None), {}, "1970-01-01T00:00:01.000Z", id="kafka"),
        pytest.param(event(time="soon"), {}, "1970-01-01T00:00:01.000Z", id="unreadable"),
        pytest.param(
            ROW,
            {"headers": headers(time=b"2026-01-13T13:55:39.5Z")},
            "2026-01-13T13:55:39.500Z",
            id="binary",
        ),
        pytest.param(debezium("c", ROW), {}, "2020-01-13T13:55:39.738Z", id="debezium"),
        pytest.param(
            debezium("c", ROW, iodebeziumtsns="1578923739739999999"),
            {},
            "2020-01-13T13:55:39.739Z",
            id="ns",
        ),
        pytest.param(
            debezium("c", ROW, iodebeziumtsms=None),
            {},
            "2026-01-13T13:55:39.738Z",
            id="debezium-time",
        ),
    ],
)
def test_version_is_the_event_s_time(value: object, facts: dict[str, Any], expected: str) -> None:
    """Debezium's source time, else the event's `time`, else Kafka's."""
    assert expected == Route(NAME, version="at").version(value, **facts)


def test_schema_of_debezium_s_data_types_its_columns() -> None:
    """With schemas enabled, the converter writes the pair into `data`."""
    decimal = {
        "type": "bytes",
        "name": "org.apache.kafka.connect.data.Decimal",
        "parameters": {"scale": "2"},
    }
    after = {"type": "struct", "field": "after", "fields": [decimal | {"field": "amount"}]}
    wrapped = {
        "schema": {"type": "struct", "fields": [after]},
        "payload": {"before": None, "after": {"id": 1, "amount": "BNI="}},
    }
    assert Route(NAME).outcomes(debezium("u") | {"data": wrapped}) == [upsert(amount=12.34)]


def test_schema_around_the_event_is_opened() -> None:
    """The pair may also be around the whole event."""
    wrapped = {"schema": {"type": "struct", "fields": []}, "payload": event()}
    assert Route(NAME).outcomes(wrapped) == [A]


def test_schema_of_a_plain_row_types_its_columns() -> None:
    """A row in the pair is opened as in format `json`."""
    days = {"type": "int32", "name": "io.debezium.time.Date", "field": "name"}
    content = json.dumps(
        {"schema": {"type": "struct", "fields": [days]}, "payload": {"id": 1, "name": 19782}}
    )
    assert Route(NAME).outcomes(content.encode(), headers=headers()) == [upsert(name="2024-02-29")]
    assert Route(NAME).outcomes(in_base64(content.encode())) == [upsert(name="2024-02-29")]


def test_attributes_are_values_for_rules() -> None:
    """The identity of an event is its source together with its id."""
    rules = {"id": FieldRule(template="{$envelope.source}#{$envelope.id}")}
    assert Route(NAME, fields=rules).outcomes(event()) == [upsert("/shop#e-1", name="a")]
    assert Route(NAME, fields=rules).outcomes(ROW, headers=headers()) == [
        upsert("/shop#e-1", name="a")
    ]
