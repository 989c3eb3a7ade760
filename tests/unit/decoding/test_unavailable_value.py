"""A connector's own `unavailable.value.placeholder`: a value that was not sent, in all forms."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from consumer.decoding.placeholders import PLACEHOLDER
from consumer.mapping.settings import FieldRule, FieldType, ObjectSettings, RouteSettings
from tests.properties.journeys import TOPIC
from tests.properties.test_mapping import difference
from tests.unit.decoding.contract import Route, record

OWN = "__UNCHANGED__"
SCHEMA = {"id": FieldType.TEXT, "doc": FieldType.TEXT}
JSON = {"doc": FieldRule(source="doc", json=True)}


def forms(text: str) -> list[object]:
    """Return the values that Debezium writes for a placeholder, by the type of the column."""
    content = text.encode()
    return [
        text,
        base64.b64encode(content).decode(),
        base64.urlsafe_b64encode(content).decode(),
        content.hex(),
        [text],
        ["a", text],
        [content.hex()],
        list(content),
        {text: text},
    ]


def values(name: str, doc: object) -> dict[str, Any]:
    """Return a record of a format with this value in `doc`."""
    row = {"id": 1, "doc": doc}
    if name == "debezium":
        return {"before": None, "after": row, "op": "u"}
    if name == "cloudevents":
        return {"specversion": "1.0", "id": "e", "source": "s", "type": "t", "data": row}
    return row


@pytest.mark.parametrize("name", ["debezium", "debezium_flat", "cloudevents"])
@pytest.mark.parametrize("doc", [*forms(OWN), *forms(PLACEHOLDER)])
def test_placeholder_is_never_a_value(name: str, doc: object) -> None:
    """It is left out in partial mode; in upsert mode the record is refused."""
    settings: dict[str, Any] = {"schema": SCHEMA, "fields": JSON, "unavailable_value": OWN}
    value = values(name, doc)

    partial = Route(name, partial=True, **settings)
    assert [("upsert", "1", {"id": "1"})] * 2 == partial.outcomes(value) + partial.outcomes(value)
    assert ["ENVELOPE_UNAVAILABLE"] == Route(name, **settings).outcomes(value)


@pytest.mark.parametrize("doc", ["UNCHANGED", OWN + "x", ["x" + OWN], [[OWN]], {"a": OWN}])
def test_other_text_is_a_value(doc: object) -> None:
    """Only the whole text means a value that was not sent."""
    route = Route("debezium", schema=SCHEMA, fields=JSON, unavailable_value=OWN)

    assert route.row(values("debezium", doc))["doc"] is not None


def test_without_the_setting_it_is_a_value() -> None:
    """Nothing but Debezium's default is known."""
    assert OWN == Route("debezium", schema=SCHEMA).row(values("debezium", OWN))["doc"]


def test_placeholder_in_hex() -> None:
    """After `hex:` the connector takes bytes: their text, base64 and hex are placeholders."""
    route = Route("debezium", schema=SCHEMA, partial=True, unavailable_value="hex:5f5f4e4f")

    for doc in ("__NO", "X19OTw==", "5f5f4e4f"):
        assert {"id": "1"} == route.row(values("debezium", doc))


def test_placeholder_is_not_a_key() -> None:
    """A key that was not sent does not name a row."""
    route = Route("debezium", schema=SCHEMA, unavailable_value=OWN)
    delete = {"op": "d", "before": {"id": OWN, "doc": "a"}}

    assert ["ENVELOPE_UNAVAILABLE"] == route.outcomes(delete)


@pytest.mark.parametrize("own", [OWN, 'quote"\\', "é€", "1", "a", "hex:ff00"])
@pytest.mark.parametrize("name", ["debezium", "debezium_flat"])
@pytest.mark.parametrize("mode", ["upsert", "partial"])
def test_both_paths_agree_on_placeholders(own: str, name: str, mode: Any) -> None:  # noqa: ANN401 - a literal
    """Texts, escapes, arrays and numbers, after rows that made the fast path."""
    target = ObjectSettings(
        name="things",
        fields={
            "id": FieldType.TEXT,
            "doc": FieldType.TEXT,
            "low": FieldType.TEXT,
            "kind": FieldType.TEXT,
            "n": FieldType.NUMBER,
        },
        primary_key="id",
        refresh_mode=mode,
    )
    rules = JSON | {
        "low": FieldRule(source="doc", lower=True, json=True),
        "kind": FieldRule(source="doc", json=True, values={own: "k", "x": "y"}, default="other"),
    }
    for fields in ({}, JSON, rules):
        route = RouteSettings(
            topics=(TOPIC,),
            object="things",
            format=name,  # type: ignore[arg-type]
            fields=fields,
            unavailable_value=own,
        )
        text = own if not own.startswith("hex:") else "\ufffd\0"
        docs = ["x", 7, [1], *forms(text), *forms(PLACEHOLDER), own, own.upper(), [own], 49, 97]
        records = [record(values(name, doc), topic=TOPIC) for doc in docs + docs]
        escaped = json.dumps(values(name, [text])).replace(text[0], f"\\u{ord(text[0]):04x}", 1)
        records.append(record(escaped.encode(), topic=TOPIC))

        assert difference(route, target, records) is None
