"""Protobuf bodies become JSON documents, with files as a registry returns them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from google.protobuf.message_factory import GetMessageClass

from consumer.decoding.proto_text import read_proto_text
from consumer.decoding.protobuf_body import compile_protobuf
from consumer.decoding.protobuf_files import ProtobufFiles
from consumer.decoding.protobuf_indexes import message_indexes
from consumer.decoding.wire_form import Frame
from consumer.decoding.written_schema import Reference, WrittenSchema
from consumer.errors import RecordError

FILE = """
syntax = "proto3"; // the newest
package shop.v1;
/* the
   imports */
import public "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/duration.proto";
import "google/type/date.proto";
import "google/type/timeofday.proto";
import "confluent/meta.proto";
import 'confluent/type/decimal.proto';
import "shop/money.proto";
option java_package = "com.example";
option (shop.more) = { one: 1, two: [{ three: "}" }] };
message First { int64 id = 1; }
message Customer {
  option deprecated = false;
  reserved 30, 40 to max;
  reserved "old", 'older';
  extensions 20 to 29 [verification = UNVERIFIED];
  int64 id = 1 [
    (confluent.field_meta) = { params: [{ key: "connect.type", value: "int64" }] },
    deprecated = true
  ];
  uint64 many = 0x2;
  optional string name = 3;
  string plain = 4;
  Mood mood = 5;
  repeated Mood moods = 6 [packed = false];
  repeated Inner inners = 7;
  map<string, Inner> by_name = 8;
  map<bool, double> by_flag = 9;
  oneof way { string email = 10; .shop.v1.Customer.Inner other = 11; }
  google.protobuf.Timestamp at = 12;
  google.protobuf.Int64Value maybe = 13;
  google.protobuf.Struct extras = 14;
  google.type.Date born = 15;
  confluent.type.Decimal balance = 16;
  shop.Money money = 17;
  float single = 18;
  double twice = 19;
  bytes raw = 41;
  google.type.TimeOfDay opens = 42;
  google.protobuf.Duration lasts = 43;
  message Inner { double x = 1; Customer parent = 2; message Deep { bool b = 1; } }
  enum Mood {
    option allow_alias = true;
    GOOD = 0; FINE = 0; BAD = -1 [deprecated = true]; reserved 9;
  }
}
extend First { optional string more = 126; }
service Shop { rpc Get(First) returns (stream Customer) { option (http) = { get: "/" }; } }
"""
MONEY = 'syntax = "proto3"; package shop; message Money { int64 cents = 1; }'
WRITTEN = WrittenSchema("PROTOBUF", FILE, (Reference("shop/money.proto", MONEY),))
CUSTOMER = b"\x02\x02"
"""One index: the second message of the file."""


def message(indexes: tuple[int, ...] = (1,), written: WrittenSchema = WRITTEN) -> Any:  # noqa: ANN401 - a message
    return GetMessageClass(ProtobufFiles(written).message(indexes))()


def opened(body: bytes, indexes: bytes = CUSTOMER, written: WrittenSchema = WRITTEN) -> Any:  # noqa: ANN401 - JSON
    return json.loads(compile_protobuf(written)(Frame(1, indexes + body, None)), parse_float=str)


def test_a_field_that_was_not_set_is_null_if_it_has_presence() -> None:
    """Without presence it is its zero value."""
    assert {
        "id": 0,
        "many": 0,
        "name": None,
        "plain": "",
        "mood": "GOOD",
        "moods": [],
        "inners": [],
        "by_name": {},
        "by_flag": {},
        "email": None,
        "other": None,
        "at": None,
        "maybe": None,
        "extras": None,
        "born": None,
        "balance": None,
        "money": None,
        "single": "0.0",
        "twice": "0.0",
        "raw": "",
        "opens": None,
        "lasts": None,
    } == opened(b"")


def test_values_are_exact() -> None:
    """Integers of 64 bits, decimals and floats keep all their digits."""
    made = message()
    made.id, made.many = -(2**63), 2**64 - 1
    made.balance.value, made.balance.scale = b"\xfb\x2e", 2
    made.single, made.twice = 0.1, 0.1
    made.raw = b"\0\xff"
    row = opened(made.SerializeToString())
    assert (-(2**63), 2**64 - 1, "-12.34", "0.1", "0.1", "AP8=") == tuple(
        row[name] for name in ("id", "many", "balance", "single", "twice", "raw")
    )


def test_well_known_types_become_values_that_rules_read() -> None:
    """Times and dates become text, wrappers become their value."""
    made = message()
    made.at.seconds, made.at.nanos = -1, 5
    made.maybe.value = 0
    made.born.year, made.born.month, made.born.day = 1999, 12, 31
    made.opens.hours, made.opens.minutes = 8, 30
    made.lasts.seconds, made.lasts.nanos = -1, -500_000_000
    made.extras["a"] = [1, 1.5, None, True, {"b": "c"}]
    row = opened(made.SerializeToString())
    assert "1969-12-31T23:59:59.000000005Z" == row["at"]
    assert 0 == row["maybe"]
    assert ("1999-12-31", "08:30:00.000000000", "-1.500000000s") == (
        row["born"],
        row["opens"],
        row["lasts"],
    )
    assert {"a": [1, "1.5", None, True, {"b": "c"}]} == row["extras"]


def test_messages_may_be_nested() -> None:
    """In lists, maps and oneofs; a type may be recursive."""
    made = message()
    made.inners.add().x = 1.5
    made.by_name["a"].parent.id = 7
    made.by_flag[True] = float("inf")
    made.other.x = float("nan")
    made.moods.extend([-1, 0, 99])
    row = opened(made.SerializeToString())
    assert [{"x": "1.5", "parent": None}] == row["inners"]
    assert 7 == row["by_name"]["a"]["parent"]["id"]
    assert {"true": "Infinity"} == row["by_flag"]
    assert ("NaN", None) == (row["other"]["x"], row["email"])
    assert ["BAD", "GOOD", 99] == row["moods"]


@pytest.mark.parametrize(
    ("indexes", "after_id", "written"),
    [
        pytest.param(b"\0", None, {"id": 1}, id="the-first-in-its-short-form"),
        pytest.param(b"\x02\0", None, {"id": 1}, id="the-first-in-full"),
        pytest.param(b"\x06\x02\0\0", None, {"b": True}, id="nested-twice"),
        pytest.param(b"", b"\0", {"id": 1}, id="after-the-id-in-a-header"),
    ],
)
def test_the_message_is_found_by_its_indexes(
    indexes: bytes, after_id: bytes | None, written: dict[str, Any]
) -> None:
    """A list of zigzag numbers; a single zero has a short form."""
    document = compile_protobuf(WRITTEN)(Frame(1, indexes + b"\x08\x01", after_id))
    assert written == json.loads(document)


def test_a_registry_may_have_descriptors_instead_of_text() -> None:
    """In base64, as the serializer for Python registers them."""
    text = 'syntax = "proto3"; message Row { int64 id = 1; }'
    packed = base64.b64encode(read_proto_text(text, "a/row.proto").SerializeToString()).decode()
    assert {"id": 1} == opened(b"\x08\x01", b"\0", WrittenSchema("PROTOBUF", packed))


@pytest.mark.parametrize(
    ("text", "unset"),
    [
        (
            (
                'syntax = "proto2"; message Row { required int64 id = 1; optional int64 n = 2'
                " [default = 7]; }"
            ),
            None,
        ),
        ('edition = "2023"; message Row { int64 id = 1; int64 n = 2; }', None),
        ("message Row { optional int64 id = 1; optional int64 n = 2; }", None),
        ('syntax = "proto3"; message Row { int64 id = 1; int64 n = 2; }', 0),
    ],
)
def test_presence_depends_on_the_syntax(text: str, unset: int | None) -> None:
    """A declared default is not a value that was written."""
    assert {"id": 1, "n": unset} == opened(b"\x08\x01", b"\0", WrittenSchema("PROTOBUF", text))


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        pytest.param(b"", "DECODE_FRAMED: expected Protobuf message indexes", id="no-indexes"),
        pytest.param(b"\x02\x80", "DECODE_FRAMED: expected Protobuf message indexes", id="cut"),
        pytest.param(
            b"\x01", "DECODE_FRAMED: expected Protobuf message indexes", id="negative-count"
        ),
        pytest.param(b"\xff" * 9, "DECODE_FRAMED: expected Protobuf message indexes", id="endless"),
        pytest.param(
            b"\x02\x01", "DECODE_FRAMED: expected Protobuf message indexes", id="negative-index"
        ),
        pytest.param(
            b"\x02\x08",
            "DECODE_SYNTAX: expected message indexes of this schema",
            id="no-such-message",
        ),
        pytest.param(
            CUSTOMER + b"\x08",
            "DECODE_SYNTAX: expected a body of this Protobuf message",
            id="cut-body",
        ),
        pytest.param(CUSTOMER + b"\x22\x01\xff", "DECODE_", id="latin-1"),
        pytest.param(
            CUSTOMER + b"\x62\x02\x10\x7f\x62\x06\x08\xff\xff\xff\xff\x7f", "", id="a-time"
        ),
    ],
)
def test_a_body_that_cannot_be_read_is_a_fault_of_the_record(content: bytes, detail: str) -> None:
    """No bytes raise another error."""
    if not detail:
        assert isinstance(opened(content, b""), dict)
        return
    with pytest.raises(RecordError) as caught:
        opened(content, b"")
    assert str(caught.value).startswith(detail)


def test_a_time_beyond_the_calendar_is_out_of_range() -> None:
    """It is a fault of the record."""
    made = message()
    made.at.seconds = 10**12
    with pytest.raises(
        RecordError, match="TIME_RANGE: expected a timestamp in the years 0001 to 9999"
    ):
        opened(made.SerializeToString())


def test_a_decimal_of_a_million_digits_is_refused() -> None:
    """A few bytes can claim so many digits."""
    made = message()
    made.balance.value, made.balance.scale = b"\x01", -1_000_000
    with pytest.raises(
        RecordError, match="NUMBER_RANGE: expected a decimal of at most 1000 digits"
    ):
        opened(made.SerializeToString())


NOT_READ = "not a Protobuf file that can be read: "


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        pytest.param("message", f"{NOT_READ}expected more, got the end of the file", id="cut"),
        pytest.param("{}", f"{NOT_READ}expected a declaration, got something else", id="json"),
        pytest.param(
            "message A { int64 id 1; }",
            f"{NOT_READ}expected `=`, got something else",
            id="no-number",
        ),
        pytest.param(
            "message A { int64 id = one; }",
            f"{NOT_READ}expected a number, got something else",
            id="a-word",
        ),
        pytest.param(
            'syntax = "proto4";',
            f"{NOT_READ}expected syntax proto2 or proto3, got another",
            id="syntax",
        ),
        pytest.param(
            'edition = "1066";',
            f"{NOT_READ}expected edition 2023 or 2024, got 1066",
            id="edition",
        ),
        pytest.param(
            "§",
            f"{NOT_READ}expected Protobuf's language, got a character that it does not have",
            id="signs",
        ),
        pytest.param(
            'syntax = "proto3"; message A { optional group B = 1 {} }',
            f"{NOT_READ}groups are only allowed in proto2, got one in proto3",
            id="group",
        ),
        pytest.param(
            "message A {" * 70,
            f"{NOT_READ}expected at most 64 levels of nested messages, got more",
            id="deep",
        ),
        pytest.param(
            'import "gone.proto";',
            "it imports a file that is not among its references in the registry",
            id="import",
        ),
        pytest.param(
            "message A { B b = 1; }",
            "its types cannot be resolved (TypeError); check its imports in the registry",
            id="unknown-type",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(text: str, detail: str) -> None:
    """It is a fault of the records that name it."""
    with pytest.raises(RecordError) as caught:
        compile_protobuf(WrittenSchema("PROTOBUF", text))
    assert f"DECODE_SCHEMA: {detail}" == str(caught.value)


def test_indexes_are_read_with_the_start_of_the_body() -> None:
    """The body follows the indexes directly."""
    assert ((0,), 1) == message_indexes(b"\0body")
    assert ((1, 0), 3) == message_indexes(b"\x04\x02\0body")
