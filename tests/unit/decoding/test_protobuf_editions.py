"""Syntax and features mean what protoc makes of them: the same schema and bytes, the same row."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf import descriptor_pb2, json_format
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumer.decoding.protobuf_body import compile_protobuf
from consumer.decoding.protobuf_files import ProtobufFiles
from consumer.decoding.wire_form import Frame
from consumer.decoding.written_schema import WrittenSchema
from consumer.errors import RecordError
from tests.protoc import Protoc

if TYPE_CHECKING:
    from pathlib import Path

    from google.protobuf.descriptor import Descriptor, FieldDescriptor

INNER = "message Inner { int32 x = 1; }"
PROTO2 = """
package shop;
message Row {
  required int32 id = 1;
  optional string name = 2 [default = "x", deprecated = true];
  repeated int32 many = 3 [packed = true];
  repeated int32 loose = 4;
  optional group Result = 5 { optional string url = 1; repeated group Part = 2 { optional int32 n = 1; } }
  oneof way { string email = 6; group Post = 7 { optional int32 zip = 1; } }
  optional Mood mood = 8;
  repeated Mood moods = 9;
  map<string, Zero> by_name = 10;
  extensions 100 to 199, 500, 1000 to max [verification = UNVERIFIED];
  extend Row { optional int32 inner_more = 101; }
  enum Mood { GOOD = 1; BAD = 2; reserved 7; }
  enum Zero { NONE = 0; ONE = 1; }
}
extend Row { optional string more = 100; repeated Sub subs = 102; optional group Extra = 500 { optional int32 n = 1; } }
message Sub { optional int32 n = 1; }
"""  # noqa: E501 - as it is written
MESSAGE_SET = """
message Row { option message_set_wire_format = true; extensions 4 to max; }
message Sub { extend Row { optional Sub sub = 1000; } optional int32 n = 1; }
"""
FEATURES = """
edition = "2023";
package shop;
import "google/protobuf/cpp_features.proto";
option features = {
  field_presence: IMPLICIT, enum_type: CLOSED; message_encoding: DELIMITED
  repeated_field_encoding: EXPANDED [pb.cpp] { string_type: VIEW }
};
option java_package = "com.example";
message Row {
  option features.json_format = LEGACY_BEST_EFFORT;
  int32 id = 1;
  int32 seen = 2 [features.field_presence = EXPLICIT, deprecated = true];
  int32 must = 3 [features = { field_presence: LEGACY_REQUIRED }];
  Inner part = 4;
  Inner sized = 5 [features.message_encoding = LENGTH_PREFIXED];
  repeated Inner parts = 6;
  repeated int32 many = 7;
  repeated int32 packed = 8 [features.repeated_field_encoding = PACKED];
  map<string, Inner> by_name = 9;
  map<int32, Open> by_number = 10;
  Open open = 11;
  Closed closed = 12 [features.field_presence = EXPLICIT];
  repeated Closed closeds = 13;
  oneof way { string email = 14; Inner other = 15; }
  string text = 16 [features.(pb.cpp).string_type = VIEW];
  enum Open { option features.enum_type = OPEN; A = 0; B = 1 [deprecated = true]; }
  enum Closed { C = 1; D = 2; }
  message Inner { int32 x = 1; string s = 2 [features.field_presence = EXPLICIT]; }
  extensions 100 to 200;
}
extend Row { int32 more = 100; }
"""
NEWEST = """
edition = "2024";
package shop;
import option "google/protobuf/cpp_features.proto";
option features.default_symbol_visibility = EXPORT_ALL;
option features.field_presence = EXPLICIT;
option features.repeated_field_encoding = EXPANDED;
export message Row {
  option features.enforce_naming_style = STYLE_LEGACY;
  int32 id = 1;
  Inner part = 2 [features.message_encoding = DELIMITED, features.(pb.cpp).string_type = VIEW];
  repeated int32 many = 4;
  local enum Mood { MOOD_GOOD = 0; MOOD_BAD = 1; }
  Mood mood = 3 [features.field_presence = IMPLICIT];
}
local message Inner { int32 x = 1; }
"""
PLAIN = 'edition = "2023"; package shop; message Row { int32 id = 1; Inner part = 2; } ' + INNER
PROTO3 = """
syntax = "proto3";
package shop;
message Row { int32 id = 1; optional int32 seen = 2; repeated int32 many = 3; Mood mood = 4; Inner part = 5; }
enum Mood { GOOD = 0; BAD = 1; }
message Inner { int32 x = 1; }
"""  # noqa: E501 - as it is written

SCHEMAS = {
    "proto2": PROTO2,
    "message-set": MESSAGE_SET,
    "features": FEATURES,
    "edition-2024": NEWEST,
    "edition-2023": PLAIN,
    "proto3": PROTO3,
}
CASES = [
    pytest.param("proto2", "id: 0", id="only-required"),
    pytest.param(
        "proto2",
        'id: 7 name: "" many: [1, 2] loose: [3, 4] Result { url: "u" Part { n: 1 } Part {} }'
        ' Post { zip: 9 } mood: BAD moods: [GOOD, BAD] by_name { key: "k" value: ONE }',
        id="groups",
    ),
    pytest.param(
        "proto2",
        'id: 1 [shop.more]: "" [shop.Row.inner_more]: 5 [shop.subs] { n: 1 } [shop.subs] {}'
        " [shop.extra] { n: 3 }",
        id="extensions",
    ),
    pytest.param("message-set", "[Sub.sub] { n: 3 }", id="message-set"),
    pytest.param("features", "must: 0", id="nothing-but-required"),
    pytest.param(
        "features",
        'id: 1 seen: 0 must: 1 part { x: 1 s: "" } sized { x: 2 } parts { x: 3 } parts {}'
        ' many: [1, 2] packed: [3, 4] by_name { key: "k" value { x: 5 s: "s" } }'
        ' by_number { key: 1 value: B } open: B closed: D closeds: [C, D] email: "" text: "t"'
        " [shop.more]: 6",
        id="every-feature",
    ),
    pytest.param("features", "must: 1 other { x: 1 } part {}", id="delimited-in-a-oneof"),
    pytest.param(
        "edition-2024", "id: 1 part { x: 1 } mood: MOOD_BAD many: [1, 2]", id="edition-2024"
    ),
    pytest.param("edition-2024", "", id="edition-2024-unset"),
    pytest.param("edition-2023", "id: 0 part {}", id="explicit-zero"),
    pytest.param("edition-2023", "", id="edition-2023-unset"),
    pytest.param("proto3", "seen: 0 many: [1, 2] mood: BAD part {}", id="proto3"),
    pytest.param("proto3", "", id="proto3-unset"),
]


def row(text: str) -> str:
    return "shop.Row" if "package shop;" in text else "Row"


def written(text: str) -> WrittenSchema:
    return WrittenSchema("PROTOBUF", text)


def opened(text: str, body: bytes) -> Any:  # noqa: ANN401 - JSON
    return json.loads(compile_protobuf(written(text))(Frame(1, b"\0" + body, None)))


def without_unset(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Remove what Protobuf's own JSON leaves out: unset fields, extensions without a value."""
    if isinstance(value, dict):
        return {
            name: without_unset(one)
            for name, one in value.items()
            if one is not None and not (name.startswith("[") and one == [])
        }
    return [without_unset(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("schema", "text"), CASES)
def test_a_body_of_protoc_is_the_same_row(schema: str, text: str, tmp_path: Path) -> None:
    """What protoc encodes is read like Protobuf's own JSON, apart from nulls for unset fields."""
    source = SCHEMAS[schema]
    oracle = Protoc(tmp_path, source)
    body = oracle.encode(row(source), text)
    message = GetMessageClass(oracle.message(row(source))).FromString(body)
    expected = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    assert expected == without_unset(opened(source, body))


@pytest.mark.parametrize("schema", SCHEMAS)
def test_fields_have_the_properties_that_protoc_gives_them(schema: str, tmp_path: Path) -> None:
    """Type, presence, packing, and whether an enum is closed, in all messages."""
    source = SCHEMAS[schema]
    expected = Protoc(tmp_path, source).message(row(source))
    assert described(expected) == described(ProtobufFiles(written(source)).message((0,)))


def described(message: Descriptor, seen: frozenset[str] = frozenset()) -> Any:  # noqa: ANN401
    if message.full_name in seen:
        return message.full_name
    return {
        field.name: (*_properties(field), _inner(field, seen | {message.full_name}))
        for field in message.fields
    }


def _properties(field: FieldDescriptor) -> tuple[object, ...]:
    return (
        field.number,
        field.type,
        field.has_presence,
        field.is_required,
        field.is_repeated,
        field.is_packed,
    )


def _inner(field: FieldDescriptor, seen: frozenset[str]) -> object:
    if field.message_type is not None:
        return described(field.message_type, seen)
    if field.enum_type is not None:
        return field.enum_type.is_closed, [one.name for one in field.enum_type.values]
    return None


def test_unset_fields_are_null_only_with_presence() -> None:
    """Without presence an unset field has its zero value."""
    found = opened(FEATURES, b"\x18\x01")
    unset = {name: found[name] for name in ("id", "seen", "part", "open", "text", "[shop.more]")}
    assert {
        "id": 0,
        "seen": None,
        "part": None,
        "open": "A",
        "text": "",
        "[shop.more]": None,
    } == unset


@pytest.mark.parametrize("text", [PROTO2, FEATURES])
def test_a_body_without_a_required_field_is_refused(text: str) -> None:
    """No serializer of its schema writes it; the fields are named."""
    name = "id" if text is PROTO2 else "must"
    with pytest.raises(RecordError) as caught:
        opened(text, b"")
    assert (
        "DECODE_SYNTAX: expected every required field in the Protobuf body, got none for"
        f" {name}" == str(caught.value)
    )


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('syntax = "proto3"; message Row { string s = 1; }', id="proto3"),
        pytest.param("message Row { optional string s = 1; }", id="proto2"),
        pytest.param("message Row { repeated string s = 1; }", id="proto2-repeated"),
        pytest.param(
            'edition = "2023"; option features.utf8_validation = NONE; message Row { string s = 1;'
            " }",
            id="none",
        ),
        pytest.param(
            'edition = "2023"; message Row { string s = 1 [features.utf8_validation = NONE]; }',
            id="none-on-the-field",
        ),
        pytest.param(
            'edition = "2023"; message Row { string s = 1 [features.utf8_validation = VERIFY]; }',
            id="verify",
        ),
    ],
)
def test_text_that_is_not_utf8_is_refused(text: str) -> None:
    """Whether the library validates it or not; it is never made base64."""
    with pytest.raises(RecordError, match=r"^DECODE_(SYNTAX|ENCODING): "):
        opened(text, b"\x0a\x01\xff")
    assert {"s"} == set(opened(text, b"\x0a\x01a"))


@pytest.mark.parametrize("part", [b"\x0a\x01\xff", b"\x12\x01\xff"])
def test_text_in_a_map_that_is_not_utf8_is_refused(part: bytes) -> None:
    """Keys and values."""
    text = "message Row { map<string, string> m = 1; }"
    with pytest.raises(RecordError, match=r"^DECODE_ENCODING: expected UTF-8"):
        opened(text, b"\x0a" + bytes([len(part)]) + part)


def test_an_unknown_number_of_a_closed_enum_is_not_set() -> None:
    """Of an open one it is the number: so says Protobuf's own JSON."""
    found = opened(FEATURES, b"\x18\x01\x58\x09\x60\x09\x68\x09\x68\x02")
    assert (9, None, ["D"]) == (found["open"], found["closed"], found["closeds"])


NOT_READ = "DECODE_SCHEMA: not a Protobuf file that can be read: "


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        pytest.param(
            'edition = "2026"; message Row {}',
            "expected edition 2023 or 2024, got 2026",
            id="a-newer-edition",
        ),
        pytest.param(
            'edition = "2024-x y"; message Row {}',
            "expected edition 2023 or 2024, got another",
            id="no-edition",
        ),
        pytest.param(
            'edition = "2023"; option features.wire_order = SORTED; message Row {}',
            "expected a feature of edition 2023 or 2024, got features.wire_order",
            id="a-feature-of-the-file",
        ),
        pytest.param(
            'edition = "2024"; message Row { int32 a = 1 [features = { enforce_proto_limits: X }];'
            " }",
            "expected a feature of edition 2023 or 2024, got features.enforce_proto_limits",
            id="a-feature-of-a-field",
        ),
        pytest.param(
            'edition = "2023"; message Row { oneof o { option features.later = X; int32 a = 1; } }',
            "expected a feature of edition 2023 or 2024, got features.later",
            id="a-feature-of-a-oneof",
        ),
        pytest.param(
            'edition = "2023"; enum E { A = 0 [features.later = X]; } message Row {}',
            "expected a feature of edition 2023 or 2024, got features.later",
            id="a-feature-of-a-value",
        ),
        pytest.param(
            'edition = "2023"; option features.field_presence = SOMETIMES; message Row {}',
            "expected EXPLICIT or IMPLICIT or LEGACY_REQUIRED for features.field_presence, got"
            " another value",
            id="an-unknown-value",
        ),
        pytest.param(
            'syntax = "proto3"; option features.field_presence = EXPLICIT; message Row {}',
            "features need an edition, got syntax proto3",
            id="features-without-edition",
        ),
        pytest.param(
            'edition = "2023"; message Row { repeated group A = 1 {} }',
            "groups are only allowed in proto2, got one in editions",
            id="a-group-of-an-edition",
        ),
    ],
)
def test_what_could_change_a_body_unseen_is_refused(text: str, detail: str) -> None:
    """By its name, as a fault of the schema."""
    with pytest.raises(RecordError) as caught:
        compile_protobuf(WrittenSchema("PROTOBUF", text))
    assert NOT_READ + detail == str(caught.value)


def test_a_descriptor_of_a_newer_edition_is_refused() -> None:
    """A registry may have descriptors instead of text."""
    file = descriptor_pb2.FileDescriptorProto(name="a.proto", syntax="editions")
    file.edition = descriptor_pb2.Edition.EDITION_99999_TEST_ONLY
    packed = base64.b64encode(file.SerializeToString()).decode()
    with pytest.raises(RecordError) as caught:
        compile_protobuf(WrittenSchema("PROTOBUF", packed))
    assert f"{NOT_READ}expected edition 2023 or 2024, got 99999_TEST_ONLY" == str(caught.value)


def test_a_descriptor_of_protoc_keeps_its_features(tmp_path: Path) -> None:
    """In base64 it is read like its text."""
    oracle = Protoc(tmp_path, NEWEST)
    body = oracle.encode("shop.Row", "part { x: 1 }")
    file = descriptor_pb2.FileDescriptorProto()
    oracle.message("shop.Row").file.CopyToProto(file)
    packed = base64.b64encode(file.SerializeToString()).decode()
    assert opened(NEWEST, body) == opened(packed, body)
    assert {"id": None, "part": {"x": 1}, "many": [], "mood": "MOOD_GOOD"} == opened(packed, body)


@pytest.fixture(scope="module")
def oracles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Descriptor]:
    """Return the message type of each schema as protoc compiles it."""
    return {
        name: Protoc(tmp_path_factory.mktemp("oracle"), SCHEMAS[name]).message(row(SCHEMAS[name]))
        for name in ("proto2", "features")
    }


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    name=st.sampled_from(["proto2", "features"]),
    parts=st.lists(
        st.binary(max_size=6)
        | st.builds(
            lambda number, kind, rest: bytes([number << 3 | kind]) + rest,
            st.integers(1, 15),
            st.integers(0, 5),
            st.binary(max_size=4),
        ),
        max_size=5,
    ),
)
def test_any_bytes_have_the_outcome_of_the_oracle(
    name: str, parts: list[bytes], oracles: dict[str, Descriptor]
) -> None:
    """The same row, or both refuse the body."""
    body = b"\x08\x01\x18\x01" + b"".join(parts)
    try:
        message = GetMessageClass(oracles[name]).FromString(body)
        expected = json_format.MessageToDict(
            message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )
    except (DecodeError, UnicodeDecodeError, TypeError):
        expected = None
    try:
        found = without_unset(opened(SCHEMAS[name], body))
    except RecordError:
        found = None
    if expected is None or found is None or not message.IsInitialized():
        assert found is None
    else:
        assert expected == found
