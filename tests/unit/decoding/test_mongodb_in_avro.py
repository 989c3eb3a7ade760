"""Format `debezium_mongodb` in Avro: the same outcomes as in JSON, for the value and the key."""

from __future__ import annotations

import json
from typing import Any

import pytest

from consumer.decoding.schema_cache import SchemaCache
from consumer.decoding.written_schema import WrittenSchema
from consumer.mapping.routing import RouteTable
from consumer.mapping.settings import FieldRule, FieldType, ObjectSettings, RouteSettings
from consumer.model import PlainRecord
from consumer.operations.mapped_lines import outcomes
from tests.framed import avro_body, framed

WALL_MS = 1_800_000_000_000
OID = "64b7a1f0c2a4d95e1f0a77c1"
KEY = {"id": f'{{"$oid": "{OID}"}}'}


def record_type(name: str, *fields: tuple[str, Any], **more: str) -> dict[str, Any]:
    """Return an Avro record of fields that may be null."""
    return {
        "type": "record",
        "name": name,
        "fields": [{"name": one, "type": ["null", kind], "default": None} for one, kind in fields],
    } | more


JSON_TEXT = {"type": "string", "connect.name": "io.debezium.data.Json"}
CUT = record_type("Cut", ("field", "string"), ("size", "int"))
DESCRIPTION = record_type(
    "Description",
    ("removedFields", {"type": "array", "items": "string"}),
    ("updatedFields", JSON_TEXT),
    ("truncatedArrays", {"type": "array", "items": CUT}),
)
SOURCE = record_type("Source", ("connector", "string"), ("ts_ms", "long"), ("wallTime", "long"))
ENVELOPE = record_type(
    "Envelope",
    ("before", JSON_TEXT),
    ("after", JSON_TEXT),
    ("updateDescription", DESCRIPTION),
    ("source", SOURCE),
    ("op", "string"),
)
KEY_TYPE = record_type("Key", ("id", "string"))

SOURCE_OF_ALL = {"connector": "mongodb", "ts_ms": 1_700_000_000_000, "wallTime": 1_700_000_000_250}
DOCUMENT = f'{{"_id": {{"$oid": "{OID}"}}, "at": {{"$date": 5}}, "n": {{"$numberLong": "7"}}}}'
CHANGES: dict[str, dict[str, Any]] = {
    "create": {"op": "c", "after": DOCUMENT},
    "update": {
        "op": "u",
        "updateDescription": {
            "removedFields": ["at"],
            "updatedFields": '{"n": 8}',
            "truncatedArrays": [{"field": "tags", "size": 1}],
        },
    },
    "delete": {"op": "d"},
}
FIELDS = {
    "id": FieldType.TEXT,
    "n": FieldType.NUMBER,
    "at": FieldType.DATE_TIME,
    "changed": FieldType.DATE_TIME,
}
TARGET = ObjectSettings(
    name="things",
    fields=FIELDS,
    primary_key="id",
    record_modified="changed",
    refresh_mode="partial",
)


def mapped(encoding: str, key: bytes, value: bytes) -> list[dict[str, object]]:
    """Map a record whose key has the schema 1 and whose value has the schema 2."""
    schemas = SchemaCache()
    schemas.put(1, WrittenSchema("AVRO", json.dumps(KEY_TYPE)), 0.0)
    schemas.put(2, WrittenSchema("AVRO", json.dumps(ENVELOPE)), 0.0)
    route = RouteSettings(
        topics=("t",),
        object="things",
        format="debezium_mongodb",
        encoding=encoding,  # type: ignore[arg-type]  # as a test writes it
        fields={"id": FieldRule(source="_id")},
    )
    table = RouteTable([route], "shop", {"things": TARGET}, schemas)
    return list(outcomes(table, PlainRecord("t", key=key, value=value), WALL_MS, 200_000))


@pytest.mark.parametrize("name", CHANGES)
def test_avro_maps_like_json(name: str) -> None:
    """Inserts, updates without the document, and deletes by the key."""
    empty = dict.fromkeys(("before", "after", "updateDescription"))
    change = empty | {"source": SOURCE_OF_ALL} | CHANGES[name]
    in_json = mapped("json", json.dumps(KEY).encode(), json.dumps(change).encode())
    in_avro = mapped(
        "avro", framed(1, avro_body(KEY_TYPE, KEY)), framed(2, avro_body(ENVELOPE, change))
    )

    assert in_json == in_avro
    assert OID == in_json[0]["key"]
