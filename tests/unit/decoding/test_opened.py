"""JSON values and Python values open to the same kinds."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest

from consumer.decoding.opened import (
    Days,
    Digits,
    EpochMillis,
    ExactFloat,
    Nested,
    TimeOfDay,
    kind_of,
    open_value,
)
from consumer.errors import RecordError


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(msgspec.Raw(b"null"), None, id="json-null"),
        pytest.param(msgspec.Raw(b"true"), True, id="json-true"),
        pytest.param(msgspec.Raw(b'"a\\u00e9"'), "a\u00e9", id="json-text"),
        pytest.param(msgspec.Raw(b"-0.10"), Digits("-0.10"), id="json-number"),
        pytest.param(msgspec.Raw(b'{"a": 1}'), Nested('{"a": 1}'), id="json-object"),
        pytest.param(msgspec.Raw(b"[ ]"), Nested("[ ]"), id="json-array"),
        pytest.param(None, None, id="none"),
        pytest.param(False, False, id="boolean"),
        pytest.param(2**70, Digits(2**70), id="integer"),
        pytest.param(1.5, Digits("1.5"), id="float"),
        pytest.param(ExactFloat("1.50"), Digits("1.50"), id="float-with-its-digits"),
        pytest.param(float("nan"), "NaN", id="not-a-number"),
        pytest.param(float("-inf"), "-Infinity", id="infinity"),
        pytest.param(Decimal("1.50"), Digits("1.50"), id="decimal"),
        pytest.param(b"\x01\xf4", "AfQ=", id="bytes"),
        pytest.param(UUID(int=1), "00000000-0000-0000-0000-000000000001", id="uuid"),
        pytest.param(date(2024, 2, 29), Days(19782), id="date"),
        pytest.param(datetime(1970, 1, 1, 0, 0, 0, 1999, UTC), EpochMillis(1), id="moment"),
        pytest.param(
            datetime(1969, 12, 31, 23, 59, 59, 999999, UTC),
            EpochMillis(-1),
            id="moment-before-1970",
        ),
        pytest.param(
            datetime(1970, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
            EpochMillis(0),
            id="moment-elsewhere",
        ),
        pytest.param(datetime(2024, 1, 1), "2024-01-01T00:00:00", id="local-time"),  # noqa: DTZ001 - what is tested
        pytest.param(time(0, 0, 1, 1), TimeOfDay(1_000_001_000), id="time-of-day"),
        pytest.param(
            {"a": [Decimal("1.50"), ExactFloat("2.50")]}, Nested('{"a":[1.50,2.50]}'), id="nested"
        ),
    ],
)
def test_value_opens_to_its_kind(value: object, expected: object) -> None:
    """The same value and the same kind, from JSON and from Python."""
    opened = open_value(value)

    assert (type(expected), expected) == (type(opened), opened)


@pytest.mark.parametrize("value", [object(), {"a": object()}, {1.5, object()}, [float("nan")]])
def test_value_of_another_type_is_refused(value: object) -> None:
    """A Python value that JSON cannot express is a fault of the record."""
    with pytest.raises(RecordError, match="FIELD_TYPE"):
        open_value(value)


@pytest.mark.parametrize(
    ("opened", "kind"),
    [
        (None, "null"),
        (True, "boolean"),
        ("secret", "text"),
        (Digits("1"), "number"),
        (Nested("{}"), "object"),
        (Nested("[]"), "array"),
        (Days(1), "date"),
        (EpochMillis(1), "date-time"),
        (TimeOfDay(1), "time of day"),
    ],
)
def test_kind_has_a_name_for_messages(opened: Any, kind: str) -> None:  # noqa: ANN401 - of every kind
    """Messages name the kind and never the value."""
    assert kind == kind_of(opened)
