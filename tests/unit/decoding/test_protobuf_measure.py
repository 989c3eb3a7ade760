"""No Protobuf body takes more than its budget."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given
from hypothesis import strategies as st

from consumer.decoding.memory_budget import BUDGET
from consumer.decoding.protobuf_body import compile_protobuf
from consumer.decoding.protobuf_files import ProtobufFiles
from consumer.decoding.protobuf_measure import compile_measure
from consumer.decoding.wire_form import Frame
from consumer.decoding.written_schema import WrittenSchema
from consumer.errors import RecordError
from tests.framed import varint

WIDE = "\n".join(f"optional int32 a_field_with_a_name_{n} = {n};" for n in range(1, 101))
FILE = f"""
syntax = "proto2";
message Row {{
  repeated Wide wides = 1;
  optional Row row = 2;
  repeated int64 numbers = 3 [packed = true];
  repeated double doubles = 4 [packed = true];
  optional string text = 5;
  map<int32, Wide> by_id = 6;
  repeated group Part = 7 {{ optional Wide wide = 1; }}
  repeated int32 loose = 8;
  extensions 100 to 200;
}}
extend Row {{ repeated Wide more = 100; }}
message Wide {{ {WIDE} }}
"""
WRITTEN = WrittenSchema("PROTOBUF", FILE)
TRANSCODE = compile_protobuf(WRITTEN)
ROW: Any = GetMessageClass(ProtobufFiles(WRITTEN).message((0,)))
TOO_LARGE = (
    f"RECORD_SIZE: expected a Protobuf body that takes at most {BUDGET >> 20} MiB when decoded,"
    " got a larger one"
)
OTHER_BYTES = "DECODE_SYNTAX: expected a body of this Protobuf message, got other bytes"


def payload(body: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(TRANSCODE(Frame(1, b"\0" + body, None)))
    return found


def fault(body: bytes) -> str:
    with pytest.raises(RecordError) as caught:
        payload(body)
    return str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\x0a\0" * 50_000, id="empty-messages"),
        pytest.param(b"\x32\x02\x12\0" * 50_000, id="messages-in-a-map"),
        pytest.param(b"\x3b\x0a\0\x3c" * 50_000, id="messages-in-groups"),
        pytest.param(b"\x1a\xc0\x84\x3d" + b"\1" * 1_000_000, id="packed-numbers"),
        pytest.param(b"\x40\1" * 500_000, id="loose-numbers"),
        pytest.param(b"\xa2\x06\0" * 50_000, id="messages-in-an-extension"),
        pytest.param(b"\x78\1" * 500_000, id="unknown-numbers"),
    ],
)
def test_many_small_values_are_a_fault_of_the_record(body: bytes) -> None:
    """Two bytes could become an object of a hundred members."""
    assert TOO_LARGE == fault(body)


def test_an_ordinary_large_body_is_read() -> None:
    """Numbers, texts and a few hundred messages are within the budget."""
    row = ROW(
        numbers=range(50_000), doubles=[0.5] * 50_000, text="x" * 3_000_000, loose=range(20_000)
    )
    row.wides.add(a_field_with_a_name_7=7)
    for number in range(200):
        row.by_id[number].a_field_with_a_name_1 = number
    found = payload(row.SerializeToString())
    assert (50_000, 50_000, 3_000_000, 200, 7) == (
        len(found["numbers"]),
        len(found["doubles"]),
        len(found["text"]),
        len(found["by_id"]),
        found["wides"][0]["a_field_with_a_name_7"],
    )


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(b"\x0a\x05\x08", id="cut-message"),
        pytest.param(b"\x2a\x05ab", id="cut-text"),
        pytest.param(b"\x21\1\2", id="cut-double"),
        pytest.param(b"\x3b", id="open-group"),
        pytest.param(b"\x3b\x44", id="end-of-another-group"),
        pytest.param(b"\x3c", id="end-without-group"),
        pytest.param(b"\x0e", id="unknown-wire-type"),
        pytest.param(b"\x08" + b"\xff" * 11, id="long-number"),
        pytest.param(b"\xff", id="cut-tag"),
    ],
)
def test_a_large_body_of_another_message_is_a_fault_of_the_record(end: bytes) -> None:
    """The walk sees it before the decoder does."""
    assert OTHER_BYTES == fault(b"\x2a\x80\x80\x04" + b"x" * 65_536 + end)


def test_a_large_body_is_limited_in_its_levels() -> None:
    """As the decoder limits it."""
    body = b""
    for _ in range(150):
        body = b"\x12" + varint(len(body)) + body
    assert "DECODE_DEPTH" in fault(b"\x2a\x80\x80\x04" + b"x" * 65_536 + body)


NUMBERS = st.integers(-(2**31), 2**31 - 1)


@given(
    numbers=st.lists(NUMBERS),
    doubles=st.lists(st.floats()),
    text=st.text(st.characters(exclude_categories=["Cs"])),
    ids=st.lists(NUMBERS),
    depth=st.integers(0, 20),
)
def test_the_walk_never_refuses_what_the_decoder_reads(
    numbers: list[int], doubles: list[float], text: str, ids: list[int], depth: int
) -> None:
    """With a budget of text in front, so that it walks."""
    row = ROW(numbers=numbers, doubles=doubles, text=text + "x" * 65_536, loose=numbers)
    for number in ids:
        row.by_id[number].a_field_with_a_name_1 = number
        row.part.add().wide.a_field_with_a_name_2 = number
        row.wides.add(a_field_with_a_name_3=number)
    outer = row
    for _ in range(depth):
        outer = ROW(row=outer)
    compile_measure(ROW.DESCRIPTOR)(outer.SerializeToString())
