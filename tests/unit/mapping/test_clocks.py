"""The time of a change: a clock that does not know it falls back to the one beside it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import pytest

from consumer.mapping.settings import (
    FieldRule,
    FieldType,
    ObjectSettings,
    RowSettings,
    TimeSettings,
)
from consumer.model import PlainRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.mapping.custom import CustomContext

ROW = {"id": 1}
DATED = ObjectSettings(
    name="things",
    fields={"id": FieldType.TEXT, "at": FieldType.DATE_TIME},
    primary_key="id",
    record_modified="at",
)
KAFKA, SOURCE = "2023-11-14T22:13:20.000Z", "2025-01-06T23:52:51.013Z"
KAFKA_MS, SOURCE_MS = 1_700_000_000_000, 1_736_207_571_013
SOURCE_S = "2025-01-06T23:52:51.000Z"


def debezium(source: dict[str, int], **more: int) -> dict[str, object]:
    return {"op": "c", "before": None, "after": ROW, "source": source, **more}


def cloud_event(**attributes: object) -> dict[str, object]:
    return {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data": ROW} | attributes


def dms(**clocks: object) -> dict[str, object]:
    return {
        "data": ROW,
        "metadata": {"record-type": "data", "operation": "insert", **clocks},
    }


def goldengate(op_ts: object) -> dict[str, object]:
    return {"op_type": "I", "op_ts": op_ts, "after": ROW}


def canal(**clocks: int) -> dict[str, object]:
    return {"type": "INSERT", "isDdl": False, "data": [ROW], "old": None} | clocks


def salesforce(commit: object) -> dict[str, object]:
    header = {"changeType": "CREATE", "recordIds": ["1"], "commitTimestamp": commit}
    return {"ChangeEventHeader": header}


EVENT = {"ts_ms": SOURCE_MS}
CASES = [
    ("debezium", debezium({"ts_ns": SOURCE_MS * 1_000_000, "ts_ms": 0}), SOURCE),
    ("debezium", debezium({"ts_ns": 0, "ts_us": 0, "ts_ms": SOURCE_MS}), SOURCE),
    ("debezium", debezium({"ts_ms": 0}, **EVENT), SOURCE),
    ("debezium", debezium({"ts_ms": -1}, **EVENT), SOURCE),
    ("debezium", debezium({"ts_ns": 0, "ts_us": 0, "ts_ms": 0}, ts_ms=0), KAFKA),
    ("debezium_flat", {**ROW, "__op": "c", "__source_ts_ms": 0, "__ts_ms": SOURCE_MS}, SOURCE),
    ("debezium_flat", {**ROW, "__op": "c", "__source_ts_ms": 0}, KAFKA),
    ("debezium_flat", {**ROW, "__op": "c", "__source_ts_ms": -1}, KAFKA),
    ("maxwell", {"type": "insert", "ts": 1_736_207_571, "data": ROW}, SOURCE_S),
    ("maxwell", {"type": "bootstrap-insert", "ts": 0, "data": ROW}, KAFKA),
    ("canal", canal(es=0, ts=SOURCE_MS), SOURCE),
    ("canal", canal(es=-1, ts=SOURCE_MS), SOURCE),
    ("canal", canal(es=0, ts=0), KAFKA),
    ("dms", dms(timestamp="1970-01-01T00:00:00.000000Z"), KAFKA),
    ("dms", dms(timestamp=None, **{"commit-timestamp": "2025-01-06T23:52:51.013Z"}), SOURCE),
    ("goldengate", goldengate("2025-01-06 23:52:51.013000"), SOURCE),
    ("goldengate", goldengate("1736207571013"), SOURCE),
    ("goldengate", goldengate("1736207571013000"), SOURCE),
    ("goldengate", goldengate(1_736_207_571), SOURCE_S),
    ("goldengate", goldengate("0"), KAFKA),
    ("goldengate", goldengate("1970-01-01 00:00:00.000000"), KAFKA),
    ("cloudevents", cloud_event(time="1970-01-01T00:00:00Z"), KAFKA),
    ("cloudevents", cloud_event(iodebeziumop="c", data=debezium({}), iodebeziumtsms="0"), KAFKA),
    (
        "cloudevents",
        cloud_event(
            iodebeziumop="c",
            data=debezium({}),
            iodebeziumtsms="0",
            time="2025-01-06T23:52:51.013Z",
        ),
        SOURCE,
    ),
    ("salesforce_cdc", salesforce(0), KAFKA),
    ("salesforce_cdc", salesforce("0"), KAFKA),
    ("json", {**ROW}, KAFKA),
]


def run_of(mapper: Any, record: PlainRecord) -> list[Any]:  # noqa: ANN401 - a compiled route
    """Map a record several times on the fast path, as far as that takes it."""
    rows: list[Any] = []
    mapper.map_run([record] * 3, 0, KAFKA_MS * 2, rows.append)
    return [msgspec.json.decode(one.encoded) for one in rows]


@pytest.mark.parametrize(("form", "value", "expected"), CASES)
def test_a_clock_without_a_time_falls_back_to_the_next(
    form: str, value: object, expected: str, mapping: Callable[..., Any]
) -> None:
    """On the slow path and on the fast path."""
    fields = {"id": FieldRule(source="Id")} if form == "salesforce_cdc" else {}
    made = mapping(format=form, target=DATED, fields=fields)
    assert expected == made.row(value, timestamp_ms=KAFKA_MS)["at"]
    other = mapping(format=form, target=DATED, fields=fields)
    record = PlainRecord(
        "shop.public.things", value=json.dumps(value).encode(), timestamp_ms=KAFKA_MS
    )
    other.mapper.map(record, KAFKA_MS * 2)
    # Each version of a key is later than the one before: the second is the millisecond after.
    assert {row["at"][:19] for row in run_of(other.mapper, record)} <= {expected[:19]}


@pytest.mark.parametrize("form", ["json", "debezium", "debezium_flat", "maxwell"])
def test_a_record_without_a_timestamp_has_no_time(form: str, mapping: Callable[..., Any]) -> None:
    """A create time of -1 is never the last millisecond of 1969."""
    values: dict[str, object] = {
        "json": ROW,
        "debezium": debezium({"ts_ms": 0}),
        "debezium_flat": {**ROW, "__op": "c"},
        "maxwell": {"type": "insert", "data": ROW},
    }
    made = mapping(format=form, target=DATED)
    assert "VERSION_MISSING" == made.outcome(values[form], timestamp_ms=-1)
    record = PlainRecord(
        "shop.public.things", value=json.dumps(values[form]).encode(), timestamp_ms=-1
    )
    assert [] == run_of(made.mapper, record)


def test_the_kafka_timestamp_is_null_without_one(mapping: Callable[..., Any]) -> None:
    """As a column, in a template, and with a default."""
    rules = {
        "name": FieldRule(template="{$kafka.timestamp_ms}-{id}"),
        "seen": FieldRule(source="$kafka.timestamp_ms", unit="ms"),
        "born": FieldRule(source="$kafka.timestamp_ms", unit="ms", default="2000-01-01"),
    }
    row = mapping(fields=rules).row(ROW, timestamp_ms=-1)
    assert (None, None, "2000-01-01") == (row["name"], row["seen"], row["born"])


def test_a_custom_function_gets_no_time_that_is_none(mapping: Callable[..., Any]) -> None:
    """Neither of Kafka nor of the source."""
    seen: list[CustomContext] = []

    def keep(row: dict[str, object], context: CustomContext) -> dict[str, object]:
        seen.append(context)
        return row

    mapping(format="debezium", custom=keep).row(debezium({"ts_ms": 0}), timestamp_ms=-1)
    assert (None, None) == (seen[0].timestamp_ms, seen[0].source_ms)


@pytest.mark.parametrize("time", [0, -1, "0", "-1"])
def test_the_time_of_a_configured_envelope_may_be_unknown(
    time: object, mapping: Callable[..., Any]
) -> None:
    """Then the Kafka timestamp is the time of the change."""
    made = mapping(
        target=DATED, time=TimeSettings(source="t", unit="ms"), row=RowSettings(source="data")
    )
    assert KAFKA == made.row({"t": time, "data": ROW}, timestamp_ms=KAFKA_MS)["at"]


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("1736207571013", "ms", SOURCE),
        ("1736207571", "s", SOURCE_S),
        ("1736207571.0135", "s", SOURCE),
        ("1736207571013000", "us", SOURCE),
        ("-1", "ms", "1969-12-31T23:59:59.999Z"),
        ("0", "ms", "1970-01-01T00:00:00.000Z"),
        ("99999999999999999", "ms", "TIME_RANGE"),
        ("-99999999999999999", "ms", "TIME_RANGE"),
        ("1e400", "ms", "NUMBER_RANGE"),
        ("soon", "ms", "TIME_FORMAT"),
        ("", "ms", "TIME_FORMAT"),
    ],
)
def test_a_unit_reads_digits_in_text(
    text: str,
    unit: Literal["s", "ms", "us"],
    expected: str,
    mapping: Callable[..., Any],
) -> None:
    """In a column, a header, extended JSON and Record Modified; first and later records alike."""
    value = {"id": 1, "t": text, "o": {"$numberLong": text}}
    for source in ("t", "o.$numberLong", "$header.t"):
        rules = {"seen": FieldRule(source=source, unit=unit)}
        made = mapping(fields=rules)
        for _ in range(3):
            found = made.outcome(value, headers=[("t", text.encode())])
            assert expected == (found if isinstance(found, str) else found[2]["seen"])
    dated = mapping(target=DATED, fields={"at": FieldRule(source="t", unit=unit)})
    found = dated.outcome(value)
    assert expected == (found if isinstance(found, str) else found[2]["at"])
