"""The outcomes of a record, as `map` and the mapping tests show them."""

from __future__ import annotations

import msgspec

from consumer.config.crm import PLACE_RULE
from consumer.mapping.routing import RouteTable
from consumer.mapping.settings import (
    PLACE_KEY,
    CrmTarget,
    FieldRule,
    FieldType,
    ObjectSettings,
    RouteSettings,
)
from consumer.model import PlainRecord
from consumer.operations.mapped_lines import outcomes


def test_the_key_of_a_row_without_a_key_field_is_its_place() -> None:
    """The place is not shown as a field; CSV rows are not limited by the size of a request."""
    described = ObjectSettings(
        name="Contact",
        fields={PLACE_KEY: FieldType.TEXT, "LastName": FieldType.TEXT},
        primary_key=PLACE_KEY,
        refresh_mode="partial",
    )
    route = RouteSettings(
        topics=("people",),
        object="Contact",
        destination="crm_bulk",
        crm=CrmTarget(described=described, operation="insert"),
        fields={PLACE_KEY: PLACE_RULE, "LastName": FieldRule(source="name")},
    )
    record = PlainRecord("people", 2, 17, value=b'{"name":"Lace"}')
    (outcome,) = outcomes(RouteTable((route,), "", {}), record, 0, batch_bytes=10)
    assert {
        "topic": "people",
        "partition": 2,
        "offset": 17,
        "outcome": "upsert",
        "object": "Contact",
        "key": "people[2]@17",
        "record": {"LastName": "Lace"},
    } == msgspec.json.decode(msgspec.json.encode(outcome))
    assert isinstance(outcome["record"], msgspec.Raw)
