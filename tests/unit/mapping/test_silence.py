"""No message about a record contains a value of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from consumer.errors import RecordError
from consumer.mapping.settings import FieldRule
from consumer.model import PlainRecord

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "hunter2"


def leaky(row: dict[str, Any], context: object) -> None:
    """Raise an exception that contains the row."""
    del context
    raise ValueError(row)


@pytest.mark.parametrize(
    ("value", "fields", "settings"),
    [
        pytest.param({"id": [SECRET]}, {}, {}, id="key"),
        pytest.param({"id": SECRET + "\0"}, {}, {}, id="key-with-control-characters"),
        pytest.param({"id": 1, "name": {"x": SECRET}}, {}, {}, id="text"),
        pytest.param({"id": 1, "name": SECRET + "\0"}, {}, {}, id="text-with-NUL"),
        pytest.param({"id": 1, "amount": SECRET}, {}, {}, id="number"),
        pytest.param(
            {"id": 1, "amount": SECRET},
            {"amount": FieldRule(source="amount", number=True)},
            {},
            id="format",
        ),
        pytest.param(
            {"id": 1, "amount": SECRET},
            {"amount": FieldRule(source="amount", scale=2)},
            {},
            id="decimal",
        ),
        pytest.param({"id": 1, "active": SECRET}, {}, {}, id="boolean"),
        pytest.param({"id": 1, "born": SECRET}, {}, {}, id="date"),
        pytest.param({"id": 1, "seen": SECRET}, {}, {}, id="date-time"),
        pytest.param(
            {"id": 1, "name": SECRET},
            {"name": FieldRule(source="name", values={"a": "b"})},
            {},
            id="values",
        ),
        pytest.param(
            {"id": 1, "name": SECRET}, {"name": FieldRule(source="name.x")}, {}, id="path"
        ),
        pytest.param(
            {"id": 1, "op": SECRET, "after": {"id": 1}}, {}, {"format": "debezium"}, id="operation"
        ),
        pytest.param({"id": 1, "name": SECRET}, {}, {"custom": leaky}, id="custom"),
        pytest.param(b'{"id":"' + SECRET.encode() + b"\xff", {}, {}, id="encoding"),
        pytest.param(b'{"id":' + SECRET.encode(), {}, {}, id="syntax"),
    ],
)
def test_detail_never_holds_the_value(
    value: object,
    fields: dict[str, FieldRule],
    settings: dict[str, Any],
    mapping: Callable[..., Any],
) -> None:
    """Reason, field and detail go into logs, headers and pages; a value must not."""
    content = value if isinstance(value, bytes) else msgspec.json.encode(value)
    mapper = mapping(fields=fields, **settings).mapper
    with pytest.raises(RecordError) as raised:
        mapper.map(PlainRecord("shop.public.things", value=content), 0)

    assert SECRET not in f"{raised.value} {raised.value.detail} {raised.value.field}"
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__ or raised.value.__context__ is None
