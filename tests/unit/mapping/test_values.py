"""Values by field type: which ones each type accepts, sends and refuses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from consumer.mapping.settings import FieldRule, FieldType, ObjectSettings

if TYPE_CHECKING:
    from collections.abc import Callable


def of_type(kind: FieldType) -> ObjectSettings:
    """Return an object with a key and one field of this type."""
    return ObjectSettings(name="o", fields={"id": FieldType.TEXT, "x": kind}, primary_key="id")


def sent(
    mapping: Callable[..., Any],
    kind: FieldType,
    written: str,
    rule: FieldRule | None = None,
    **route: str,
) -> Any:  # noqa: ANN401 - of many kinds
    """Map the JSON `written` to a field of this type; return the value sent, or the reason."""
    fields = {} if rule is None else {"x": rule}
    outcome = mapping(of_type(kind), fields, **route).outcome(
        b'{"id":"k","x":' + written.encode() + b"}"
    )
    return outcome if isinstance(outcome, str) else outcome[2]["x"]


def rule(**settings: Any) -> FieldRule:  # noqa: ANN401 - of the rule
    """Return a rule that reads the column `x`."""
    return FieldRule(source="x", **settings)


TEXT, NUMBER, BOOLEAN = FieldType.TEXT, FieldType.NUMBER, FieldType.BOOLEAN
DATE, MOMENT = FieldType.DATE, FieldType.DATE_TIME


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param('"abc"', "abc", id="text"),
        pytest.param('""', "", id="empty-text"),
        pytest.param("12.50", "12.50", id="number-as-its-json-text"),
        pytest.param("1E5", "1E5", id="exponent-as-it-stands"),
        pytest.param("true", "true", id="boolean"),
        pytest.param("null", None, id="null"),
        pytest.param(
            '"2024-02-29T10:00:00Z"', "2024-02-29T10:00:00Z", id="untyped-time-as-it-stands"
        ),
        pytest.param('{"a":1}', "FIELD_TYPE", id="object"),
        pytest.param("[1]", "FIELD_TYPE", id="array"),
        pytest.param('"a\\u0000"', "FIELD_CHARS", id="NUL"),
        pytest.param("1e400", "NUMBER_RANGE", id="number-beyond-a-double"),
    ],
)
def test_text_field(written: str, expected: object, mapping: Callable[..., Any]) -> None:
    """A text field takes scalars as their exact JSON text."""
    assert expected == sent(mapping, TEXT, written)


@pytest.mark.parametrize(
    ("written", "settings", "expected"),
    [
        pytest.param(
            '" Ann@X.io "', {"lower": True, "trim": True}, "ann@x.io", id="lower-and-trim"
        ),
        pytest.param("1E5", {"lower": True}, "1E5", id="lower-leaves-digits"),
        pytest.param(
            '{"a": [1.10, null]}', {"json": True}, '{"a": [1.10, null]}', id="json-as-it-stands"
        ),
        pytest.param('"text"', {"json": True}, "text", id="json-of-text-is-the-text"),
        pytest.param("19782", {"unit": "days"}, "2024-02-29", id="days"),
        pytest.param(
            "1709208000123", {"unit": "ms"}, "2024-02-29T12:00:00.123Z", id="milliseconds"
        ),
        pytest.param('"BNI="', {"scale": 2}, "12.34", id="decimal"),
        pytest.param('"AA=="', {"scale": 3}, "0.000", id="decimal-zero-keeps-its-scale"),
        pytest.param('"/w=="', {"scale": 2}, "-0.01", id="decimal-negative"),
        pytest.param('"AQ=="', {"scale": -2}, "100", id="decimal-negative-scale"),
        pytest.param('"a b"', {"scale": 2}, "FIELD_FORMAT", id="decimal-not-base64"),
        pytest.param('""', {"scale": 2}, "FIELD_FORMAT", id="decimal-empty"),
        pytest.param("12.3", {"scale": 2}, "12.3", id="decimal-that-is-a-number"),
    ],
)
def test_text_field_with_a_rule(
    written: str, settings: dict[str, Any], expected: object, mapping: Callable[..., Any]
) -> None:
    """A rule says how to read a value; its canonical text is sent."""
    assert expected == sent(mapping, TEXT, written, rule(**settings))


@pytest.mark.parametrize(
    ("written", "settings", "expected"),
    [
        pytest.param("7", {}, "7", id="integer"),
        pytest.param("1.10", {}, "1.10", id="digits-kept"),
        pytest.param("1.0E300", {}, "1.0E300", id="exponent-kept"),
        pytest.param(
            "123456789012345678901234567890",
            {},
            "123456789012345678901234567890",
            id="beyond-64-bits",
        ),
        pytest.param('"12"', {}, "FIELD_TYPE", id="text"),
        pytest.param('"NaN"', {}, "FIELD_TYPE", id="NaN"),
        pytest.param("true", {}, "FIELD_TYPE", id="boolean"),
        pytest.param("[1]", {}, "FIELD_TYPE", id="array"),
        pytest.param('"12.50"', {"number": True}, "12.50", id="text-allowed"),
        pytest.param('"-1e-7"', {"number": True}, "-1e-7", id="text-in-json-grammar"),
        pytest.param('"1,234"', {"number": True}, "FIELD_FORMAT", id="thousands"),
        pytest.param('"NaN"', {"number": True}, "FIELD_FORMAT", id="NaN-allowed-as-text"),
        pytest.param('"007"', {"number": True}, "FIELD_FORMAT", id="leading-zero"),
        pytest.param('" 1"', {"number": True}, "FIELD_FORMAT", id="space"),
        pytest.param('" 1"', {"number": True, "trim": True}, "1", id="space-trimmed"),
        pytest.param('"1e400"', {"number": True}, "NUMBER_RANGE", id="text-beyond-a-double"),
        pytest.param('"\\u0661"', {"number": True}, "FIELD_FORMAT", id="other-digits"),
        pytest.param('"HL6ZGoM="', {"scale": 3}, "123456789.123", id="decimal"),
        pytest.param(
            '{"scale":0,"value":"DJ8snNBGdO3qQAAAAA=="}', {}, "1" + "0" * 30, id="variable-scale"
        ),
        pytest.param(
            '{"scale":1000000000,"value":"AQ=="}', {}, "NUMBER_RANGE", id="variable-scale-bomb"
        ),
        pytest.param('{"scale":2,"value":"AQ==","more":1}', {}, "FIELD_TYPE", id="another-object"),
    ],
)
def test_number_field(
    written: str, settings: dict[str, Any], expected: object, mapping: Callable[..., Any]
) -> None:
    """Numbers keep their digits; text is accepted only with `number: true`."""
    assert expected == sent(mapping, NUMBER, written, rule(**settings))


@pytest.mark.parametrize(
    ("written", "settings", "expected"),
    [
        pytest.param("true", {}, True, id="true"),
        pytest.param("false", {}, False, id="false"),
        pytest.param("null", {}, None, id="null"),
        pytest.param("1", {}, "FIELD_TYPE", id="one"),
        pytest.param('"true"', {}, "FIELD_TYPE", id="text"),
        pytest.param("1", {"values": {"1": True, "0": False}}, True, id="mapped-number"),
        pytest.param('"yes"', {"values": {"yes": True}}, True, id="mapped-text"),
        pytest.param(
            '"no"', {"values": {"yes": True}, "default": False}, False, id="default-of-the-map"
        ),
        pytest.param("2", {"values": {"1": True}}, "FIELD_ENUM", id="not-in-the-map"),
        pytest.param("null", {"values": {"1": True}}, None, id="null-is-not-mapped"),
        pytest.param('{"a":1}', {"values": {"1": True}}, "FIELD_TYPE", id="object-is-not-mapped"),
    ],
)
def test_boolean_field(
    written: str, settings: dict[str, Any], expected: object, mapping: Callable[..., Any]
) -> None:
    """A boolean field takes booleans; other values only through `values`."""
    assert expected == sent(mapping, BOOLEAN, written, rule(**settings))


@pytest.mark.parametrize(
    ("written", "settings", "expected"),
    [
        pytest.param('"2024-02-29"', {}, "2024-02-29", id="date"),
        pytest.param('"2024-02-29Z"', {}, "2024-02-29", id="trailing-Z"),
        pytest.param('"2023-02-29"', {}, "TIME_RANGE", id="impossible"),
        pytest.param('"2024-13-01"', {}, "TIME_RANGE", id="month-13"),
        pytest.param('"0000-01-01"', {}, "TIME_RANGE", id="year-0"),
        pytest.param('"12024-01-01"', {}, "TIME_RANGE", id="year-of-five-digits"),
        pytest.param('"0044-03-15 BC"', {}, "TIME_RANGE", id="before-our-era"),
        pytest.param('"2024-02-29T10:00:00Z"', {}, "FIELD_TYPE", id="date-time"),
        pytest.param('"29.02.2024"', {}, "TIME_FORMAT", id="other-shape"),
        pytest.param('"2024-2-9"', {}, "TIME_FORMAT", id="short"),
        pytest.param("19782", {}, "TIME_FORMAT", id="bare-number"),
        pytest.param("19782", {"unit": "days"}, "2024-02-29", id="days"),
        pytest.param("-719162", {"unit": "days"}, "0001-01-01", id="first-day"),
        pytest.param("-719163", {"unit": "days"}, "TIME_RANGE", id="before-the-first-day"),
        pytest.param("2932896", {"unit": "days"}, "9999-12-31", id="last-day"),
        pytest.param("2932897", {"unit": "days"}, "TIME_RANGE", id="after-the-last-day"),
        pytest.param("1.5", {"unit": "days"}, "TIME_FORMAT", id="half-a-day"),
        pytest.param("true", {}, "FIELD_TYPE", id="boolean"),
    ],
)
def test_date_field(
    written: str, settings: dict[str, Any], expected: object, mapping: Callable[..., Any]
) -> None:
    """A date field takes calendar dates, and days with `unit: days`."""
    assert expected == sent(mapping, DATE, written, rule(**settings))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param('"2024-02-29T10:00:00Z"', "2024-02-29T10:00:00.000Z", id="no-fraction"),
        pytest.param('"2024-02-29 10:00:00Z"', "2024-02-29T10:00:00.000Z", id="space"),
        pytest.param('"2024-02-29T10:00Z"', "2024-02-29T10:00:00.000Z", id="no-seconds"),
        pytest.param('"2024-02-29T10:00:00.1Z"', "2024-02-29T10:00:00.100Z", id="tenths"),
        pytest.param('"2024-02-29T10:00:00.12Z"', "2024-02-29T10:00:00.120Z", id="hundredths"),
        pytest.param(
            '"2024-02-29T10:00:00.999999Z"', "2024-02-29T10:00:00.999Z", id="cut-to-the-past"
        ),
        pytest.param(
            '"1969-12-31T23:59:59.9999Z"', "1969-12-31T23:59:59.999Z", id="cut-before-1970"
        ),
        pytest.param(
            '"2024-02-29T10:00:00-0330"', "2024-02-29T13:30:00.000Z", id="offset-without-colon"
        ),
        pytest.param('"2024-02-29 10:00:00+02"', "2024-02-29T08:00:00.000Z", id="offset-of-hours"),
        pytest.param('"2024-02-29T10:00:00"', "TIME_ZONE", id="no-zone"),
        pytest.param('"2024-02-29T24:00:00Z"', "TIME_RANGE", id="24:00"),
        pytest.param('"2024-02-29T10:00:60Z"', "TIME_RANGE", id="second-60"),
        pytest.param('"2023-02-29T10:00:00Z"', "TIME_RANGE", id="impossible-date"),
        pytest.param('"0001-01-01T00:00:00+01:00"', "TIME_RANGE", id="before-year-1-in-UTC"),
        pytest.param('"2024-02-29T10:00:00+19:00"', "TIME_RANGE", id="offset-too-far"),
        pytest.param('"20240229T100000Z"', "TIME_FORMAT", id="basic-form"),
        pytest.param('"2024-W09-4T10:00:00Z"', "TIME_FORMAT", id="week-date"),
        pytest.param('"yesterday"', "TIME_FORMAT", id="a-word"),
        pytest.param('""', "TIME_FORMAT", id="empty"),
        pytest.param("1709208000123", "TIME_FORMAT", id="bare-number"),
        pytest.param("false", "FIELD_TYPE", id="boolean"),
    ],
)
def test_date_time_field(written: str, expected: object, mapping: Callable[..., Any]) -> None:
    """A date-time field takes ISO 8601 with a zone and sends UTC with milliseconds."""
    assert expected == sent(mapping, MOMENT, written)


@pytest.mark.parametrize(
    ("written", "unit", "expected"),
    [
        pytest.param("1709208000", "s", "2024-02-29T12:00:00.000Z", id="seconds"),
        pytest.param(
            "1709208000.1239", "s", "2024-02-29T12:00:00.123Z", id="seconds-with-fraction"
        ),
        pytest.param("1709208000123", "ms", "2024-02-29T12:00:00.123Z", id="milliseconds"),
        pytest.param("1709208000123999", "us", "2024-02-29T12:00:00.123Z", id="microseconds"),
        pytest.param("1709208000123999999", "ns", "2024-02-29T12:00:00.123Z", id="nanoseconds"),
        pytest.param("-1", "us", "1969-12-31T23:59:59.999Z", id="towards-the-past"),
        pytest.param("-0.5", "ms", "1969-12-31T23:59:59.999Z", id="fraction-towards-the-past"),
        pytest.param("1.7092080001e9", "s", "2024-02-29T12:00:00.100Z", id="exponent"),
        pytest.param("9223372036825200000", "us", "TIME_RANGE", id="infinity"),
        pytest.param("9223372036854775807", "ns", "TIME_RANGE", id="infinity-in-nanoseconds"),
        pytest.param(
            "-9223372036854775808", "ns", "TIME_RANGE", id="before-infinity-in-nanoseconds"
        ),
        pytest.param(
            "9223372036854775806", "ns", "2262-04-11T23:47:16.854Z", id="the-last-nanosecond"
        ),
        pytest.param("1e300", "s", "TIME_RANGE", id="far-away"),
        pytest.param("1e400", "s", "NUMBER_RANGE", id="beyond-a-double"),
        pytest.param(
            '"2024-02-29T12:00:00Z"', "us", "2024-02-29T12:00:00.000Z", id="text-is-still-read"
        ),
    ],
)
def test_epoch_numbers(
    written: str,
    unit: Any,  # noqa: ANN401 - one of the units
    expected: object,
    mapping: Callable[..., Any],
) -> None:
    """The rule's `unit` says how to read a bare number.

    Digits finer than a millisecond are cut towards the past.
    """
    assert expected == sent(mapping, MOMENT, written, rule(unit=unit))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param('"2024-07-01T12:00:00"', "2024-07-01T10:00:00.000Z", id="summer"),
        pytest.param('"2024-01-01 12:00:00.5"', "2024-01-01T11:00:00.500Z", id="winter"),
        pytest.param('"2024-01-01"', "2023-12-31T23:00:00.000Z", id="date"),
        pytest.param('"2024-07-01T12:00:00Z"', "2024-07-01T12:00:00.000Z", id="own-zone-wins"),
        pytest.param('"2024-03-31T02:30:00"', "TIME_ZONE", id="skipped-hour"),
        pytest.param('"2024-10-27T02:30:00"', "TIME_ZONE", id="doubled-hour"),
    ],
)
def test_zone_of_the_route(written: str, expected: object, mapping: Callable[..., Any]) -> None:
    """A time without a zone is read in the route's zone, if it occurs once there."""
    assert expected == sent(mapping, MOMENT, written, zone="Europe/Berlin")


def test_zone_does_not_change_epoch_numbers(mapping: Callable[..., Any]) -> None:
    """An epoch number is UTC in every route zone."""
    outcome = sent(mapping, MOMENT, "1709208000", rule(unit="s"), zone="Europe/Berlin")

    assert outcome == "2024-02-29T12:00:00.000Z"


CONNECT_TIME = "io.debezium.time."
CONNECT_KIND = "org.apache.kafka.connect.data."


@pytest.mark.parametrize(
    ("column", "written", "kind", "expected"),
    [
        pytest.param(
            {"type": "int32", "name": CONNECT_TIME + "Date"}, "19782", DATE, "2024-02-29", id="Date"
        ),
        pytest.param(
            {"type": "int32", "name": CONNECT_TIME + "Date"},
            "19782",
            TEXT,
            "2024-02-29",
            id="Date-text",
        ),
        pytest.param(
            {"type": "int32", "name": CONNECT_TIME + "Date"},
            "19782",
            MOMENT,
            "TIME_ZONE",
            id="Date-F30",
        ),
        pytest.param(
            {"type": "int32", "name": CONNECT_KIND + "Date"},
            "19782",
            DATE,
            "2024-02-29",
            id="Connect-Date",
        ),
        pytest.param(
            {"type": "int32", "name": CONNECT_TIME + "Time"}, "1000", TEXT, "00:00:01", id="Time"
        ),
        pytest.param(
            {"type": "int32", "name": CONNECT_KIND + "Time"},
            "1",
            TEXT,
            "00:00:00.001",
            id="Connect-Time",
        ),
        pytest.param(
            {"type": "int64", "name": CONNECT_TIME + "MicroTime"},
            "1",
            TEXT,
            "00:00:00.000001",
            id="MicroTime",
        ),
        pytest.param(
            {"type": "int64", "name": CONNECT_TIME + "NanoTime"},
            "1",
            TEXT,
            "00:00:00.000000001",
            id="NanoTime",
        ),
        pytest.param(
            {"type": "int64", "name": CONNECT_TIME + "MicroTime"},
            "86400000000",
            TEXT,
            "TIME_RANGE",
            id="24:00",
        ),
        pytest.param(
            {"type": "int64", "name": CONNECT_TIME + "Timestamp"},
            "1",
            MOMENT,
            "1970-01-01T00:00:00.001Z",
            id="Timestamp",
        ),
        pytest.param(
            {"type": "int64", "name": CONNECT_KIND + "Timestamp"},
            "1",
            TEXT,
            "1970-01-01T00:00:00.001Z",
            id="Connect",
        ),
        pytest.param(
            {"type": "int64", "name": CONNECT_TIME + "MicroTimestamp"},
            "1",
            MOMENT,
            "1970-01-01T00:00:00.000Z",
            id="Micro",
        ),
        pytest.param(
            {"type": "int64", "name": CONNECT_TIME + "NanoTimestamp"},
            "1000000",
            MOMENT,
            "1970-01-01T00:00:00.001Z",
            id="Nano",
        ),
        pytest.param(
            {"type": "int64", "name": CONNECT_TIME + "Timestamp"},
            "1",
            DATE,
            "FIELD_TYPE",
            id="into-date",
        ),
        pytest.param(
            {"type": "int64", "name": CONNECT_TIME + "Timestamp"},
            "1",
            NUMBER,
            "1",
            id="into-number",
        ),
        pytest.param(
            {"type": "string", "name": CONNECT_TIME + "ZonedTimestamp"},
            '"2024-02-29T10:00:00.5+01:00"',
            TEXT,
            "2024-02-29T09:00:00.500Z",
            id="ZonedTimestamp-text",
        ),
        pytest.param(
            {"type": "string", "name": CONNECT_TIME + "ZonedTimestamp"},
            '"infinity"',
            MOMENT,
            "TIME_RANGE",
            id="infinity",
        ),
        pytest.param(
            {"type": "string", "name": CONNECT_TIME + "ZonedTime"},
            '"10:00:00+02:00"',
            TEXT,
            "10:00:00+02:00",
            id="ZonedTime",
        ),
        pytest.param(
            {"type": "string", "name": CONNECT_TIME + "IsoDate"},
            '"2024-02-29Z"',
            TEXT,
            "2024-02-29",
            id="IsoDate",
        ),
        pytest.param(
            {"type": "string", "name": CONNECT_TIME + "IsoTime"},
            '"10:00:00.50Z"',
            TEXT,
            "10:00:00.500",
            id="IsoTime",
        ),
        pytest.param(
            {"type": "string", "name": CONNECT_TIME + "IsoTimestamp"},
            '"2024-02-29T10:00:00Z"',
            MOMENT,
            "2024-02-29T10:00:00.000Z",
            id="IsoTimestamp",
        ),
        pytest.param(
            {"type": "int32", "name": CONNECT_TIME + "Year"}, "2024", NUMBER, "2024", id="Year"
        ),
        pytest.param(
            {"type": "int64", "name": CONNECT_TIME + "MicroDuration"},
            "37",
            TEXT,
            "37",
            id="MicroDuration",
        ),
        pytest.param(
            {"type": "string", "name": CONNECT_TIME + "Interval"},
            '"P1Y"',
            TEXT,
            "P1Y",
            id="Interval",
        ),
        pytest.param(
            {"type": "bytes", "name": CONNECT_KIND + "Decimal", "parameters": {"scale": "2"}},
            '"BNI="',
            NUMBER,
            "12.34",
            id="Decimal",
        ),
        pytest.param(
            {"type": "bytes", "name": CONNECT_KIND + "Decimal", "parameters": {"scale": "2"}},
            '"BNI="',
            TEXT,
            "12.34",
            id="Decimal-text",
        ),
        pytest.param(
            {"type": "bytes", "name": CONNECT_KIND + "Decimal"},
            '"BNI="',
            NUMBER,
            "FIELD_TYPE",
            id="no-scale",
        ),
        pytest.param(
            {"type": "struct", "name": "io.debezium.data.VariableScaleDecimal"},
            '{"scale":1,"value":"AQ=="}',
            NUMBER,
            "0.1",
            id="VariableScaleDecimal",
        ),
        pytest.param(
            {"type": "string", "name": "io.debezium.data.Json"}, '"{}"', TEXT, "{}", id="Json"
        ),
        pytest.param(
            {"type": "bytes", "name": "io.debezium.data.Bits"}, '"qgI="', TEXT, "qgI=", id="Bits"
        ),
        pytest.param({"type": "double"}, "1.10", TEXT, "1.10", id="double-text"),
        pytest.param({"type": "double"}, '"NaN"', NUMBER, "FIELD_TYPE", id="double-NaN"),
    ],
)
@pytest.mark.parametrize("times", [1, 3], ids=["first-record", "cached-schema"])
def test_column_of_an_embedded_schema(
    *,
    column: dict[str, Any],
    written: str,
    kind: FieldType,
    expected: object,
    times: int,
    mapping: Callable[..., Any],
) -> None:
    """The source's schema gives the type of the column.

    The first record of a schema and later ones have the same result.
    """
    fields = [{"type": "string", "field": "id"}, column | {"field": "x"}]
    row = {"type": "struct", "fields": fields, "field": "after"}
    schema = json.dumps({"type": "struct", "fields": [row]})
    good = f'{{"schema":{schema},"payload":{{"op":"c","after":{{"id":"g","x":null}}}}}}'
    value = f'{{"schema":{schema},"payload":{{"op":"c","after":{{"id":"k","x":{written}}}}}}}'
    route = mapping(of_type(kind), format="debezium")
    for _ in range(times - 1):
        assert route.row(good) == {"id": "g", "x": None}
    outcome = route.outcome(value)

    assert expected == (outcome if isinstance(outcome, str) else outcome[2]["x"])
