"""MongoDB's extended JSON: one value in every spelling of it, and what has no plain value."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from consumer.decoding.extended_json import DocumentId, ExtendedJson, checked_json
from consumer.decoding.opened import Digits, EpochMillis, Nested, Opened
from consumer.errors import Reason, RecordError

UUID_TEXT = "00112233-4455-6677-8899-aabbccddeeff"
UUID_BYTES = "ABEiM0RVZneImaq7zN3u/w=="
MS = 1_700_000_000_123


def raw(value: object) -> msgspec.Raw:
    """Return a value as the JSON of Debezium; text is JSON already."""
    return msgspec.Raw((value if isinstance(value, str) else json.dumps(value)).encode())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"$oid": "596e275826f08b2730779e1f"}, "596e275826f08b2730779e1f"),
        ({"$symbol": "a"}, "a"),
        ({"$code": "f()"}, "f()"),
        ({"$undefined": True}, None),
        ({"$uuid": UUID_TEXT.upper()}, UUID_TEXT),
        ({"$binary": UUID_BYTES, "$type": "04"}, UUID_TEXT),
        ({"$binary": UUID_BYTES, "$type": 4}, UUID_TEXT),
        ({"$binary": {"base64": UUID_BYTES, "subType": "04"}}, UUID_TEXT),
        ({"$binary": UUID_BYTES, "$type": "03"}, UUID_BYTES),
        ({"$binary": {"base64": "AAE=", "subType": "00"}}, "AAE="),
        ({"$binary": "AAE=", "$type": "00"}, "AAE="),
        ({"$binary": {"base64": "AAE=", "subType": "04"}}, "AAE="),
        ({"$binary": "AAE="}, "AAE="),
        ({"$numberDouble": "NaN"}, "NaN"),
        ({"$numberDouble": "-Infinity"}, "-Infinity"),
        ({"$numberDecimal": "NaN"}, "NaN"),
        ("text", "text"),
        ({"$date": "2023-11-14T22:13:20.123"}, "2023-11-14T22:13:20.123"),
        ({"$date": "yesterday"}, "yesterday"),
        ({"$date": "2023-02-30T00:00:00Z"}, "2023-02-30T00:00:00Z"),
    ],
    ids=str,
)
def test_text_and_null(value: object, expected: Opened) -> None:
    """Ids, binary data and what cannot be a number or a time."""
    opened = ExtendedJson(raw(json.dumps(value))).open()
    assert (expected, type(expected)) == (opened, type(opened))


@pytest.mark.parametrize(
    ("value", "digits"),
    [
        ({"$numberLong": "9007199254740993"}, "9007199254740993"),
        ({"$numberLong": 7}, "7"),
        ({"$numberInt": "-5"}, "-5"),
        ({"$numberDouble": "1.50"}, "1.50"),
        ({"$numberDouble": "-0.0"}, "-0.0"),
        ({"$numberDecimal": "0.1234567890123456789012345678901234"}, None),
        ({"$numberDecimal": "1E+3"}, "1E+3"),
        ("12.50", "12.50"),
    ],
    ids=str,
)
def test_numbers_keep_their_digits(value: Any, digits: str | None) -> None:  # noqa: ANN401 - JSON
    """Exactly, however they are written."""
    opened = ExtendedJson(raw(value)).open()
    assert isinstance(opened, Digits)
    assert opened == (digits or value["$numberDecimal"])


@pytest.mark.parametrize(
    ("value", "ms"),
    [
        ({"$date": MS}, MS),
        ({"$date": {"$numberLong": str(MS)}}, MS),
        ({"$date": "2023-11-14T22:13:20.123Z"}, MS),
        ({"$date": "2023-11-14T23:13:20.123456+01:00"}, MS),
        ({"$date": "2023-11-14T23:13:20.123+0100"}, MS),
        ({"$date": "2023-11-14T22:13Z"}, MS - 20_123),
        ({"$date": "1969-12-31T23:59:59.9999Z"}, -1),
        ({"$date": -1}, -1),
        ({"$date": 253_402_300_800_000}, 253_402_300_800_000),
    ],
    ids=str,
)
def test_dates(value: object, ms: int) -> None:
    """As number, text and long; a time outside of the calendar is refused where it is written."""
    opened = ExtendedJson(raw(value)).open()
    assert isinstance(opened, EpochMillis)
    assert opened == ms


@pytest.mark.parametrize(
    "value",
    [
        {"$timestamp": {"t": 1, "i": 2}},
        {"$regularExpression": {"pattern": "a", "options": ""}},
        {"$regex": "a", "$options": "i"},
        {"$minKey": 1},
        {"$maxKey": 1},
        {"$code": "f()", "$scope": {}},
        {"$dbPointer": {"$ref": "c", "$id": {"a": 1}}},
        {"$ref": "c", "$id": "1"},
        {"$oid": 5},
        {"$uuid": "x"},
        {"$numberLong": "x"},
        {"$numberLong": "0x1"},
        {"$date": None},
        {"$date": {"a": 1}},
        {"$binary": {"base64": 1, "subType": "00"}},
        {"$binary": {}},
        {"$unknown": 1},
        {"$oid": "a", "b": 1},
        {},
        [],
        [1, {"a": None}],
    ],
    ids=json.dumps,
)
def test_other_objects_stay_as_they_are(value: object) -> None:
    """A type without a plain value, a spelling that is wrong, a document, an array."""
    opened = ExtendedJson(raw(value)).open()
    assert isinstance(opened, Nested)
    assert value == json.loads(opened)


def test_plain_json_of_a_document() -> None:
    """Compact; each value inside as its field of text, number or date-time has it."""
    written = (
        '{ "at" : {"$date": 1700000000123}, "n": {"$numberLong": "9007199254740993"},'
        ' "d": {"$numberDecimal": "1.10"}, "f": 1.50, "id": {"$oid": "ab"}, "no": null,'
        ' "x": [{"$date": "2023-11-14T22:13:20Z"}, {"$undefined": true}, true, "q\\u0022"],'
        ' "far": {"$date": 253402300800000}, "r": {"$minKey": 1} }'
    )
    expected = (
        '{"at":"2023-11-14T22:13:20.123Z","n":9007199254740993,"d":1.10,"f":1.50,"id":"ab",'
        '"no":null,"x":["2023-11-14T22:13:20.000Z",null,true,"q\\""],'
        '"far":{"$date":{"$numberLong":"253402300800000"}},"r":{"$minKey":1}}'
    )
    assert expected == ExtendedJson(raw(written)).open()
    assert expected.encode() == bytes(ExtendedJson(raw(written)).json())


@pytest.mark.parametrize(
    ("value", "steps", "expected"),
    [
        ({"a": {"b": 1}}, ("a", "b"), "1"),
        ({"a": [{"b": 1}]}, ("a", 0, "b"), "1"),
        ({"0": 7}, (0,), "7"),
        ([5], (1,), None),
        ({"a": 1}, ("b",), None),
        ({"a": {"$numberLong": "5"}}, ("a", "$numberLong"), "5"),
        ({"a": 5}, ("a", "$numberLong"), "5"),
        ({"$oid": "ab"}, ("$oid",), "ab"),
        ({"$timestamp": {"t": 1, "i": 2}}, ("$timestamp", "t"), "1"),
        ({"$ref": "c", "$id": {"$oid": "ab"}}, ("$id",), "ab"),
        ({"a": {"$undefined": True}}, ("a", "b"), None),
        ({"a": None}, ("a", "b"), None),
    ],
    ids=str,
)
def test_steps(value: object, steps: tuple[str | int, ...], expected: object) -> None:
    """Members, elements, and the name of a type, which is the value in each spelling."""
    found: object = ExtendedJson(raw(value))
    for step in steps:
        found = found.step(step) if isinstance(found, ExtendedJson) else found
    assert expected == (found.open() if isinstance(found, ExtendedJson) else found)


@pytest.mark.parametrize(
    ("value", "got"),
    [
        ({"$date": 1}, "a date-time"),
        ({"$oid": "a"}, "text"),
        (5, "a number"),
        ([1], "an array"),
    ],
    ids=str,
)
def test_step_into_a_value(value: object, got: str) -> None:
    """There is nothing inside."""
    with pytest.raises(RecordError, match=f"got {got}$") as caught:
        ExtendedJson(raw(value)).step("a")
    assert Reason.FIELD_TYPE is caught.value.reason


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": NaN, "b": "NaN and Infinity"}', '{"a":"NaN","b":"NaN and Infinity"}'),
        ('{"a": [-Infinity, Infinity]}', '{"a":["-Infinity","Infinity"]}'),
    ],
    ids=["nan", "infinity"],
)
def test_bare_words_of_doubles(text: str, expected: str) -> None:
    """MongoDB's driver writes them so in the mode that Debezium has for documents."""
    assert expected == ExtendedJson(checked_json(text)).open()


@pytest.mark.parametrize("text", ["{", "NaN}", "[" * 129 + "]" * 129, '{"a": nan}', ""])
def test_text_that_is_not_json(text: str) -> None:
    """Also nesting beyond what MongoDB stores."""
    with pytest.raises(RecordError) as caught:
        checked_json(text)
    assert Reason.FIELD_FORMAT is caught.value.reason


def test_deepest_document_is_read() -> None:
    """Nesting up to the limit does not exhaust the stack."""
    text = '{"a":' * 127 + "[]" + "}" * 127
    assert text == ExtendedJson(checked_json(text)).open()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, "1"),
        ("1.0", "1"),
        ({"$numberDecimal": "1E+3"}, "1000"),
        ({"$numberDecimal": "0E-7"}, "0"),
        ("-0.0", "0"),
        (12.34, "12.34"),
        ("12.3400", "12.34"),
        ("1.0E-7", "0.0000001"),
        ("1e999", "1e999"),
        ("1e99999999999999999999", "1e99999999999999999999"),
        (True, "true"),
        ({"a": 1, "b": {"$numberLong": "2"}}, '{"a":1,"b":2}'),
        ({"a": 1.0}, '{"a":1}'),
        ({"$minKey": 1}, '{"$minKey":1}'),
        ([1], "[1]"),
    ],
    ids=str,
)
def test_ids_have_one_text(value: object, expected: str) -> None:
    """Whole numbers are integers; objects, booleans and other numbers are text."""
    assert expected == DocumentId(raw(value)).open()
