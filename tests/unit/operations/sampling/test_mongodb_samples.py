"""`config init` on samples of Debezium's MongoDB connector."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from consumer.mapping.settings import FieldType
from tests.unit.operations.sampling.test_first_look import (
    MS,
    Value,
    debezium,
    looked,
    sample,
    tried,
)

if TYPE_CHECKING:
    from pathlib import Path

OIDS = ("64b7a1f0c2a4d95e1f0a77c1", "64b7a1f0c2a4d95e1f0a77c2")


def key(oid: str) -> object:
    """Return the Kafka key of a document."""
    return {"id": json.dumps({"$oid": oid})}


def change(op: str, document: Value | None, collection: str = "orders", **more: object) -> Value:
    """Return a change of a document."""
    after = None if document is None else json.dumps(document)
    source = {"connector": "mongodb", "ts_ms": MS, "db": "shop", "collection": collection}
    return {"before": None, "after": after, "source": source, "op": op, "ts_ms": MS} | more


def document(oid: str, **fields: object) -> Value:
    """Return a document with values of several types."""
    return {
        "_id": {"$oid": oid},
        "id": 7,
        "total": {"$numberDecimal": "12.50"},
        "visits": {"$numberLong": "5"},
        "placed": {"$date": MS},
        "gift": True,
        "address": {"city": "Bern"},
    } | fields


CREATES = [change("c", document(one)) for one in OIDS]
KEYS = [key(one) for one in OIDS]


def test_documents_are_recognised_with_their_types(tmp_path: Path) -> None:
    """By extended JSON, with `_id` as key even if there is a field `id`."""
    found = sample(*CREATES, change("d", None), None, keys=[*KEYS, KEYS[0], KEYS[0]])
    look = looked(found)
    ((route, remarks),) = look.routes
    types = {field.column: field.guess.type for field in route.fields}

    assert "format debezium_mongodb (all values have `op` and documents" in remarks[1]
    assert {
        "_id": FieldType.TEXT,
        "id": FieldType.NUMBER,
        "total": FieldType.NUMBER,
        "visits": FieldType.NUMBER,
        "placed": FieldType.DATE_TIME,
        "gift": FieldType.BOOLEAN,
        "address": FieldType.TEXT,
    }.items() <= types.items()
    rules = {field.column: field.rule for field in route.fields}
    assert "_id" == route.primary_key.value
    assert {"from": "address", "json": True} == rules["address"]
    assert not route.partial
    (trial,) = tried(found, tmp_path, look)
    assert {"upsert": 2, "delete": 1, "filtered tombstone": 1} == +trial.outcomes
    assert {*OIDS} == trial.keys


def test_a_date_may_be_the_id(tmp_path: Path) -> None:
    """As may a number with a fraction and an object."""
    ids: list[tuple[object, object]] = [
        ({"$date": MS}, {"$date": "2023-11-14T22:13:20Z"}),
        (12.5, 12.5),
        ({"a": 1}, {"a": 1}),
    ]
    created = [change("c", {"_id": one, "name": "a"}) for one, _ in ids]
    deleted = [change("d", None) for _ in ids]
    keys: list[object] = [{"id": json.dumps(one)} for _, one in ids]
    (trial,) = tried(sample(*created, *deleted, keys=[*keys, *keys]), tmp_path)

    assert {"upsert": 3, "delete": 3} == +trial.outcomes
    assert {"2023-11-14T22:13:20.000Z", "12.5", '{"a":1}'} == trial.keys


@pytest.mark.parametrize("keys", [KEYS, [None, None]], ids=["kafka-key", "no-key"])
def test_the_id_of_a_document_is_its_key(keys: list[object]) -> None:
    """With and without a Kafka key."""
    ((route, _),) = looked(sample(*CREATES, keys=keys)).routes
    assert "_id" == next(one.column for one in route.fields if one.name == route.primary_key.value)


def test_updates_without_the_document_need_a_partial_object(tmp_path: Path) -> None:
    """A part of a field has no column."""
    description = {"updatedFields": '{"address.city": "Basel", "visits": 6}', "removedFields": []}
    update = change("u", None, updateDescription=description)
    found = sample(*CREATES, update, keys=[*KEYS, KEYS[0]])
    look = looked(found)
    ((route, _),) = look.routes

    assert route.partial
    assert "address.city" not in {field.column for field in route.fields}
    (trial,) = tried(found, tmp_path, look)
    assert {"upsert": 3} == +trial.outcomes


def test_removed_parts_are_no_columns() -> None:
    """Beside a whole document."""
    update = change("u", document(OIDS[0]), updateDescription={"removedFields": ["address.zip"]})
    ((route, _),) = looked(sample(update, keys=[KEYS[0]])).routes
    assert "address.zip" not in {field.column for field in route.fields}


def test_each_collection_has_a_route(tmp_path: Path) -> None:
    """If a transformation routes several into one topic."""
    values = [change("c", document(OIDS[0])), change("c", {"_id": 1, "name": "a"}, "people")]
    found = sample(*values, keys=[KEYS[0], {"id": "1"}])
    look = looked(found)

    assert ["orders", "people"] == sorted(route.object for route, _ in look.routes)
    assert [0, 0] == [one.outcomes["dead_letter"] for one in tried(found, tmp_path, look)]


def test_rows_of_another_connector_stay_debezium() -> None:
    """The rows are objects."""
    ((route, _),) = looked(sample(debezium("c", {"id": 1}), keys=[{"id": 1}])).routes
    assert "debezium" == route.format
