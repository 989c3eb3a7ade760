"""Watermarks: records of TiCDC and CockroachDB that mark a point in time and have no row."""

from __future__ import annotations

from typing import Any

import pytest

from consumer.mapping.settings import FieldRule, FieldType, ObjectSettings, RouteSettings
from tests.properties.journeys import TOPIC
from tests.properties.test_mapping import difference
from tests.unit.decoding.contract import Route, record

CANAL = {
    "id": 0,
    "database": "",
    "table": "",
    "pkNames": None,
    "isDdl": False,
    "type": "TIDB_WATERMARK",
    "es": 1_640_007_049_196,
    "ts": 1_640_007_050_284,
    "data": None,
    "old": None,
    "_tidb": {"watermarkTs": 429_918_007_904_436_226},
}
TICDC = {
    "source": {"connector": "TiCDC", "db": "", "table": "", "commit_ts": 1, "ts_ms": 1},
    "ts_ms": 2,
    "transaction": None,
    "op": "m",
}
RESOLVED = {"resolved": "1536242855577149065.0000000000"}
CASES = [
    ("canal", CANAL),
    ("debezium", TICDC),
    ("debezium", {"payload": TICDC}),
    ("debezium", {"payload": TICDC, "schema": {"type": "struct", "fields": []}}),
    ("debezium_flat", TICDC),
    *[
        (name, value)
        for name in ("json", "debezium", "debezium_flat")
        for value in (
            RESOLVED,
            {"__crdb__": RESOLVED},
            {"payload": RESOLVED},
            {"schema": None, "payload": RESOLVED},
        )
    ],
]


@pytest.mark.parametrize(("name", "value"), CASES)
def test_watermark_is_filtered(name: str, value: dict[str, Any]) -> None:
    """An idle table sends only watermarks: none of them is at fault."""
    route = Route(name)

    assert [["watermark"]] * 30 == [route.outcomes(value) for _ in range(30)]


def test_message_of_debezium_is_not_a_watermark() -> None:
    """A logical decoding message keeps its own rule."""
    message = {"op": "m", "source": {"connector": "postgresql"}, "message": {"prefix": "p"}}

    assert ["message"] == Route("debezium").outcomes(message)


@pytest.mark.parametrize("name", ["json", "debezium_flat"])
@pytest.mark.parametrize(
    "value",
    [
        {"resolved": "yes"},
        {"resolved": 1},
        RESOLVED | {"id": 1},
        {"__crdb__": {"resolved": "yes"}},
        {"__crdb__": RESOLVED | {"updated": "1"}},
    ],
)
def test_row_is_not_a_watermark(name: str, value: dict[str, Any]) -> None:
    """Other values, and columns beside it, make a row."""
    fields = {"id": FieldRule(source="$kafka.offset")}

    ((outcome, *_),) = Route(name, fields=fields).outcomes(value)
    assert outcome == "upsert"


@pytest.mark.parametrize("value", [{"ts_ms": 1}, {"payload": {"ts_ms": 1}}])
def test_heartbeat_is_known_by_its_shape(value: dict[str, Any]) -> None:
    """Its topic has another name if the connector sets `topic.heartbeat.prefix`."""
    assert ["heartbeat"] == Route("debezium").outcomes(value, key={"serverName": "shop"})
    assert ["ENVELOPE_SHAPE"] == Route("debezium").outcomes(value | {"id": 1})


@pytest.mark.parametrize("name", ["json", "debezium_flat"])
def test_column_that_the_route_reads_is_a_row(name: str) -> None:
    """A table of one column may be called `resolved`."""
    schema = {"resolved": FieldType.TEXT}
    key = RESOLVED["resolved"]

    assert [("upsert", key, {"resolved": key})] == Route(name, schema=schema).outcomes(RESOLVED)


@pytest.mark.parametrize("name", ["json", "debezium_flat", "debezium"])
@pytest.mark.parametrize(
    "settings",
    [
        {"fields": {"id": FieldRule(source="$kafka.offset")}},
        {"fields": {"id": FieldRule(source="id", default="x")}},
        {"where": {"name": ("a",)}},
        {"where": {"$kafka.offset": (7,)}},
        {},
    ],
    ids=["key-of-kafka", "default-key", "where-row", "where-record", "plain"],
)
def test_both_paths_agree_on_watermarks(name: str, settings: dict[str, Any]) -> None:
    """The fast path never sends a watermark as a row without values, nor filters it otherwise."""
    target = ObjectSettings(
        name="things", fields={"id": FieldType.TEXT, "name": FieldType.TEXT}, primary_key="id"
    )
    route = RouteSettings(topics=(TOPIC,), object="things", format=name, **settings)  # type: ignore[arg-type]
    plain = {"id": 1, "name": "a"}
    change = {"op": "c", "after": plain}
    wrapped = {"schema": None, "payload": plain}
    escaped = b'{"\\u0072esolved":"1536242855577149065.0000000000"}'
    values = [plain, change, wrapped, *(value for _, value in CASES), escaped, plain, RESOLVED]

    assert difference(route, target, [record(one, topic=TOPIC) for one in values * 2]) is None
