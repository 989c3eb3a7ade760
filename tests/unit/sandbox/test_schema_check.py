"""Rows that fit a schema, and the messages of the validation call for the others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from consumer.mapping.settings import FieldType, ObjectSettings
from consumer.sandbox.schema_check import SchemaCheck

if TYPE_CHECKING:
    from tests.unit.sandbox.conftest import Caller

FIELDS = {
    "t": FieldType.TEXT,
    "n": FieldType.NUMBER,
    "b": FieldType.BOOLEAN,
    "d": FieldType.DATE,
    "m": FieldType.DATE_TIME,
}
CHECK = SchemaCheck(ObjectSettings(name="all", fields=FIELDS, primary_key="t"))

GOOD: list[tuple[str, object]] = [
    ("t", ""),
    ("t", "\U0001f600"),
    ("n", 0),
    ("n", 1.5),
    ("n", 2**70),
    ("b", True),
    ("d", "2024-02-29"),
    ("m", "2020-04-27T02:48:33Z"),
    ("m", "2020-04-27T02:48:33.123Z"),
    ("m", "2020-04-27T02:48:33.816319Z"),
    *((name, None) for name in FIELDS),
    *((name, "") for name in FIELDS),
]
BAD: list[tuple[str, object, str]] = [
    ("t", 1, "expected type: String, found: Integer"),
    ("t", {"a": 1}, "expected type: String, found: JSONObject"),
    ("t", ["a"], "expected type: String, found: JSONArray"),
    ("n", "1", "expected type: Number, found: String"),
    ("n", True, "expected type: Number, found: Boolean"),
    ("b", "true", "expected type: Boolean, found: String"),
    ("b", 1, "expected type: Boolean, found: Integer"),
    ("d", 19_000, "expected type: String, found: Integer"),
    ("d", "2023-02-29", "[2023-02-29] is not a valid date. Expected [yyyy-MM-dd]"),
    ("d", "20240229", "[20240229] is not a valid date. Expected [yyyy-MM-dd]"),
    ("d", "2024-W09-4", "[2024-W09-4] is not a valid date. Expected [yyyy-MM-dd]"),
    (
        "d",
        "2024-02-29T00:00:00Z",
        "[2024-02-29T00:00:00Z] is not a valid date. Expected [yyyy-MM-dd]",
    ),
]
BAD_MOMENTS = [
    "2020-04-27",
    "2020-04-27T02:48Z",
    "2020-04-27T02:48:33",
    "2020-04-27 02:48:33Z",
    "2020-04-27T02:48:33+00:00",
    "2020-04-27T02:48:33.Z",
    "2020-04-27T24:00:00Z",
    "2020-04-27T02:48:60Z",
    "2023-02-29T02:48:33Z",
    "2020-W01-1T02:48:33Z",
    "1587955713000",
]


@pytest.mark.parametrize(("name", "value"), GOOD)
def test_a_value_that_fits(name: str, value: object) -> None:
    """A value of the right type, or a blank of any type."""
    assert (True, []) == (CHECK.fits({name: value}), CHECK.mismatches({name: value}))


@pytest.mark.parametrize(("name", "value", "words"), BAD)
def test_a_value_that_does_not_fit(name: str, value: object, words: str) -> None:
    """With the message of the validator of the service."""
    assert (False, [(name, words)]) == (CHECK.fits({name: value}), CHECK.mismatches({name: value}))


@pytest.mark.parametrize("value", BAD_MOMENTS)
def test_times_in_another_form_do_not_fit(value: str) -> None:
    """Only the documented form fits, and only times that exist."""
    [(name, words)] = CHECK.mismatches({"m": value})
    assert (False, "m") == (CHECK.fits({"m": value}), name)
    assert words.startswith(f"[{value}] is not a valid date-time. Expected [yyyy-MM-dd'T'HH:mm:ssZ")


def test_the_validation_call_requires_every_field_and_no_other(caller: Caller) -> None:
    """Unlike an upsert, which blanks missing fields and ignores unknown ones."""
    answer = caller.test("plain", {"id": "1", "nam": "Ann", "size": "", "at": None})
    [line] = json.loads(answer.body)["details"]["validationReport"]
    assert [
        "#: required key [name] not found",
        "#: extraneous key [nam] is not permitted",
        "#/size: expected type: Number, found: String",
    ] == line["causingExceptions"]


def test_a_partial_stream_requires_its_key_and_version_only(caller: Caller) -> None:
    """Other fields may be missing."""
    at = "2025-12-01T00:00:00.000Z"
    assert [202, 400] == [
        caller.test("partial", row).status for row in ({"id": "1", "at": at}, {"id": "1"})
    ]
