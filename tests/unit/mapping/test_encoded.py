"""Records in the registry's wire format map like the JSON of the same change."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from consumer.decoding.schema_cache import SchemaCache
from consumer.decoding.schema_ids import KEY_HEADER, VALUE_HEADER
from consumer.decoding.written_schema import WrittenSchema
from consumer.errors import RecordError
from consumer.mapping.routing import RouteTable
from consumer.mapping.settings import FieldRule, FieldType, ObjectSettings, RouteSettings
from consumer.model import Delete, Filtered, FilterRule, PlainRecord, Upsert
from tests.framed import avro_body, framed

if TYPE_CHECKING:
    from consumer.mapping.port import RouteMapper
    from consumer.model import Change, Headers, Record

WALL_MS = 1_800_000_000_000
TARGET = ObjectSettings(
    name="customers",
    fields={
        "id": FieldType.TEXT,
        "name": FieldType.TEXT,
        "balance": FieldType.NUMBER,
        "at": FieldType.DATE_TIME,
    },
    primary_key="id",
    record_modified="at",
)
DECIMAL = {
    "type": "bytes",
    "connect.name": "org.apache.kafka.connect.data.Decimal",
    "connect.parameters": {"scale": "2"},
}
ROW = {
    "type": "record",
    "name": "Value",
    "namespace": "shop.public.customers",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "name", "type": ["null", "string"]},
        {"name": "balance", "type": ["null", DECIMAL]},
        {"name": "at", "type": {"type": "long", "connect.name": "io.debezium.time.MicroTimestamp"}},
    ],
}
ENVELOPE = {
    "type": "record",
    "name": "Envelope",
    "namespace": "shop.public.customers",
    "fields": [
        {"name": "before", "type": ["null", ROW]},
        {"name": "after", "type": ["null", "Value"]},
        {
            "name": "source",
            "type": {
                "type": "record",
                "name": "Source",
                "fields": [{"name": "ts_ms", "type": "long"}],
            },
        },
        {"name": "op", "type": "string"},
    ],
}
KEY = {"type": "record", "name": "Key", "fields": [{"name": "id", "type": "long"}]}
CUSTOMER = {"id": 42, "name": "Ann", "balance": b"\x04\xd2", "at": 1_700_000_000_123_456}
SENT = b'{"id":"42","name":"Ann","balance":12.34,"at":"2023-11-14T22:13:20.123Z"}'
GUID = bytes(range(16))

VALUES, KEYS, ROWS, TEXTS, BROKEN, JSON = 1, 2, 3, 4, 5, 6


def schemas() -> SchemaCache:
    made = SchemaCache()
    for number, schema in ((VALUES, ENVELOPE), (KEYS, KEY), (ROWS, ROW), (TEXTS, "string")):
        made.put(number, WrittenSchema("AVRO", json.dumps(schema)), 0.0)
    made.put(GUID, WrittenSchema("AVRO", json.dumps(ENVELOPE)), 0.0)
    made.put(BROKEN, WrittenSchema("AVRO", "{"), 0.0)
    made.put(JSON, WrittenSchema("JSON", "{}"), 0.0)
    return made


def mapper(**route: Any) -> RouteMapper:  # noqa: ANN401 - settings of the route
    settings = RouteSettings(
        **{"topics": ("t",), "object": "customers", "format": "debezium", "encoding": "avro"}
        | route
    )
    (made,) = RouteTable([settings], "shop", {"customers": TARGET}, schemas()).mappers("t")
    return made


def change(op: str, **images: Any) -> bytes:  # noqa: ANN401 - rows
    value = {"before": None, "after": None, "source": {"ts_ms": 5}, "op": op} | images
    return avro_body(ENVELOPE, value)


def record(value: bytes | None, *, key: bytes | None = None, headers: Headers = ()) -> PlainRecord:
    return PlainRecord("t", 0, 7, key=key, value=value, headers=headers, timestamp_ms=WALL_MS)


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        pytest.param(framed(VALUES, change("c", after=CUSTOMER)), (), id="id"),
        pytest.param(b"\1" + GUID + change("c", after=CUSTOMER), (), id="guid"),
        pytest.param(change("c", after=CUSTOMER), [(VALUE_HEADER, b"\1" + GUID)], id="header"),
    ],
)
def test_a_change_is_decoded_from_every_kind_of_frame(value: bytes, headers: Headers) -> None:
    """The schema gives the types of its columns: a decimal, a time in microseconds."""
    came = record(value, headers=headers)
    mapped = mapper().map(came, WALL_MS)
    assert isinstance(mapped, Upsert)
    assert (SENT, "42", came) == (mapped.encoded, mapped.key, mapped.record)


def test_a_run_has_the_outcomes_of_its_records_one_by_one() -> None:
    """The run has several schemas, and one faulty record in its place."""
    route = mapper()
    good = record(framed(VALUES, change("c", after=CUSTOMER)))
    later = record(b"\1" + GUID + change("u", after=CUSTOMER | {"at": 1_700_000_001_000_000}))
    bad = record(b"{}")
    records: list[Record] = [good, good, later, later, bad, good]
    route.map(good, WALL_MS)
    route.map(later, WALL_MS)
    changes: list[Change] = []
    at = 0
    while (at := route.map_run(records, at, WALL_MS, changes.append)) < len(records):
        try:
            mapped = route.map(records[at], WALL_MS)
        except RecordError as error:
            assert "DECODE_FRAMED" == str(error.reason)  # noqa: PT017 - one of several, at its place
        else:
            assert isinstance(mapped, Upsert)
            changes.append(mapped)
        at += 1
    assert [good, good, later, later, good] == [one.record for one in changes]
    assert 5 * ["42"] == [one.key for one in changes]


def test_a_delete_and_its_tombstone_need_no_value() -> None:
    """The key has its own schema."""
    key = framed(KEYS, avro_body(KEY, {"id": 42}))
    deleted = mapper().map(record(framed(VALUES, change("d", before=CUSTOMER)), key=key), WALL_MS)
    buried = mapper(tombstones="delete").map(record(None, key=key), WALL_MS)
    assert isinstance(deleted, Delete)
    assert isinstance(buried, Delete)
    assert ("42", "42") == (deleted.key, buried.key)
    assert isinstance(mapper().map(record(None, key=key), WALL_MS), Filtered)


@pytest.mark.parametrize(
    ("key", "headers", "text"),
    [
        pytest.param(framed(TEXTS, b"\x04k7"), (), "k7", id="avro-text"),
        pytest.param(b"k7", (), "k7", id="plain-text"),
        pytest.param(b"\x04k7", [(KEY_HEADER, b"\0\0\0\0\4")], "k7", id="avro-text-by-header"),
    ],
)
def test_a_key_may_be_framed_or_plain_text(key: bytes, headers: Headers, text: str) -> None:
    """Keys are often written by another serializer than values."""
    route = mapper(format="json", fields={"name": FieldRule(source="$key")})
    mapped = route.map(
        record(framed(ROWS, avro_body(ROW, CUSTOMER)), key=key, headers=headers), WALL_MS
    )
    assert isinstance(mapped, Upsert)
    assert text == json.loads(mapped.encoded)["name"]


def test_a_key_that_cannot_be_decoded_is_a_fault_only_where_it_is_used() -> None:
    """Here the eight bytes of an integer serializer."""
    key = (7).to_bytes(8)
    mapped = mapper().map(record(framed(VALUES, change("c", after=CUSTOMER)), key=key), WALL_MS)
    assert isinstance(mapped, Upsert)
    with pytest.raises(RecordError, match=r"DECODE_ENCODING in \$key: .* a binary number"):
        mapper(tombstones="delete").map(record(None, key=key), WALL_MS)


WATERMARK = b"\2" + (446_266_400_629_063_682).to_bytes(8)
DDL = b'\1{"query":"alter table t add c int","type":5,"schema":"s","table":"t","commitTs":447}'


@pytest.mark.parametrize(("value", "rule"), [(WATERMARK, "watermark"), (DDL, "ddl")])
def test_control_records_of_ticdc_are_filtered(value: bytes, rule: str) -> None:
    """They have a frame of their kind, no schema and no key."""
    assert Filtered(FilterRule(rule)) == mapper().map(record(value), WALL_MS)


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (WATERMARK, b"k"),
        (WATERMARK + b"x", None),
        (DDL[:-1], None),
        (b'\1{"id":1,"name":"Ann"}', None),
        (b"\1{" + GUID, None),
    ],
)
def test_other_records_in_these_frames_are_faults(value: bytes, key: bytes | None) -> None:
    """Only the whole form is a control record."""
    with pytest.raises(RecordError, match="DECODE"):
        mapper().map(record(value, key=key), WALL_MS)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        pytest.param(
            b'{"op":"c"}',
            "DECODE_FRAMED: expected the schema registry's wire format",
            id="no-frame",
        ),
        pytest.param(b"", "DECODE_EMPTY: expected the schema registry's wire format", id="empty"),
        pytest.param(framed(99, b"x"), "DECODE_SCHEMA: schema 99: not loaded from", id="unknown"),
        pytest.param(
            framed(BROKEN, b"x"),
            r"DECODE_SCHEMA: schema 5: not a valid Avro schema \(JSONDecodeError\)",
            id="broken-schema",
        ),
        pytest.param(
            framed(JSON, b"{}"),
            (
                "DECODE_SCHEMA: schema 6: expected schema type AVRO for encoding avro, got JSON;"
                " correct the route's `encoding`"
            ),
            id="another-kind",
        ),
        pytest.param(
            framed(VALUES, b"x"), "DECODE_SYNTAX: expected a body of this Avro schema", id="garbage"
        ),
    ],
)
def test_a_record_that_cannot_be_decoded_is_a_fault(value: bytes, said: str) -> None:
    """The second record has the same fault: the cached schema does not change it."""
    route = mapper()
    for _ in range(2):
        with pytest.raises(RecordError, match=f"^{said}"):
            route.map(record(value), WALL_MS)


def test_a_value_that_json_cannot_express_is_a_fault_of_the_field() -> None:
    """NaN is text, as in the JSON that Connect writes."""
    kind = {
        "type": "record",
        "name": "r",
        "fields": [{"name": "id", "type": "long"}, {"name": "balance", "type": "double"}],
    }
    known = schemas()
    known.put(9, WrittenSchema("AVRO", json.dumps(kind)), 0.0)
    route = RouteSettings(topics=("t",), object="customers", format="json", encoding="avro")
    (made,) = RouteTable([route], "shop", {"customers": TARGET}, known).mappers("t")
    with pytest.raises(RecordError, match="FIELD_TYPE in balance"):
        made.map(record(framed(9, avro_body(kind, {"id": 1, "balance": float("nan")}))), WALL_MS)


def test_bodies_of_json_schema_are_json() -> None:
    """Annotations of the schema type its columns; without them values are used as they are."""
    typed = {
        "type": "object",
        "properties": {
            "at": {
                "oneOf": [
                    {"type": "null"},
                    {"type": "integer", "title": "io.debezium.time.MicroTimestamp"},
                ]
            }
        },
    }
    known = schemas()
    known.put(9, WrittenSchema("JSON", json.dumps(typed)), 0.0)
    route = RouteSettings(topics=("t",), object="customers", format="json", encoding="json_schema")
    (made,) = RouteTable([route], "shop", {"customers": TARGET}, known).mappers("t")
    body = b'{"id":42,"name":"Ann","balance":12.34,"at":1700000000123456}'
    mapped = made.map(record(framed(9, body)), WALL_MS)
    bare = made.map(
        record(framed(JSON, body.replace(b"1700000000123456", b'"2023-11-14T22:13:20.123456Z"'))),
        WALL_MS,
    )
    assert isinstance(mapped, Upsert)
    assert isinstance(bare, Upsert)
    assert (SENT, SENT.replace(b".123Z", b".124Z")) == (mapped.encoded, bare.encoded)
    for broken in (b'{"id":42', b'1},"x":{', b"[]"):
        with pytest.raises(RecordError, match=r"^DECODE_(SYNTAX|NOT_OBJECT)"):
            made.map(record(framed(9, broken)), WALL_MS)


def test_a_custom_function_gets_the_decoded_key() -> None:
    """The function does not get the bytes of the frame."""
    seen: list[bytes | None] = []

    def custom(row: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401 - the user's function
        seen.append(context.key)
        return row

    route = mapper(custom=custom)
    route.map(
        record(framed(VALUES, change("c", after=CUSTOMER)), key=framed(TEXTS, b"\x04k7")), WALL_MS
    )
    assert [b"k7"] == seen
