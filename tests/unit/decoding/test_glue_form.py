"""AWS Glue's frame is split, and its body decompressed within a bound."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING

import pytest

from consumer.decoding.glue_form import MOST_UNPACKED, frame_of, schema_of
from consumer.decoding.protobuf_body import compile_protobuf
from consumer.decoding.schema_ids import VALUE_HEADER
from consumer.decoding.wire_form import Frame
from consumer.decoding.written_schema import WrittenSchema
from consumer.errors import RecordError
from tests.protoc import Protoc

if TYPE_CHECKING:
    from pathlib import Path

VERSION = bytes(range(16))
EXPECTED = "expected AWS Glue's frame (a 3 byte, a compression byte and a schema version id), got "


@pytest.mark.parametrize(
    ("content", "body"),
    [
        (b"\3\0" + VERSION + b"body", b"body"),
        (b"\3\0" + VERSION, b""),
        (b"\3\5" + VERSION + zlib.compress(b"body"), b"body"),
        (b"\3\5" + VERSION + zlib.compress(b""), b""),
        (b"\3\5" + VERSION + zlib.compress(bytes(MOST_UNPACKED)), bytes(MOST_UNPACKED)),
    ],
)
def test_a_frame_is_split(content: bytes, body: bytes) -> None:
    """With both compressions; both functions return the same schema version."""
    assert Frame(VERSION, body, None) == frame_of(content, (), VALUE_HEADER)
    assert VERSION == schema_of(content, (), VALUE_HEADER)


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        pytest.param(b"", f"DECODE_EMPTY: {EXPECTED}0 bytes", id="empty"),
        pytest.param(
            b"\3\0" + VERSION[:15],
            f"DECODE_FRAMED: {EXPECTED}17 bytes, which is too short",
            id="short",
        ),
        pytest.param(
            b'{"id":1}',
            f"DECODE_FRAMED: {EXPECTED}bare JSON; set the route's `encoding: json`, or let the"
            " producer use the registry's serializer",
            id="json",
        ),
        pytest.param(
            b"\2\4a",
            f"DECODE_FRAMED: {EXPECTED}other bytes; let the producer use the registry's serializer",
            id="other",
        ),
        pytest.param(
            b"\3\5" + VERSION + b"body",
            "DECODE_FRAMED: expected a body that zlib unpacks in AWS Glue's frame, got other bytes",
            id="not-zlib",
        ),
        pytest.param(
            b"\3\5" + VERSION + zlib.compress(b"body")[:-1],
            "DECODE_FRAMED: expected one whole zlib stream in AWS Glue's frame, got a cut one or"
            " more bytes",
            id="cut",
        ),
        pytest.param(
            b"\3\5" + VERSION + zlib.compress(b"body") + b"x",
            "DECODE_FRAMED: expected one whole zlib stream in AWS Glue's frame, got a cut one or"
            " more bytes",
            id="more",
        ),
        pytest.param(
            b"\3\5" + VERSION + zlib.compress(bytes(MOST_UNPACKED + 1)),
            "DECODE_FRAMED: expected at most 16777216 bytes in AWS Glue's frame, got more",
            id="bomb",
        ),
    ],
)
def test_other_bytes_are_refused(content: bytes, detail: str) -> None:
    """The detail says what they look like."""
    with pytest.raises(RecordError) as caught:
        frame_of(content, (), VALUE_HEADER)
    assert detail == str(caught.value)


PROTO = """
syntax = "proto3";
package shop;
message B { message C { int32 c = 1; } message A { message D { int32 d = 1; } int32 a = 1; } int32 b = 1; }
message A { map<string, int32> m = 1; int32 id = 2; }
"""  # noqa: E501 - as it is written
TYPES = ["shop.A", "shop.A.MEntry", "shop.B", "shop.B.A", "shop.B.A.D", "shop.B.C"]
"""Sorted by full name, with the entries of maps, as the serializer of AWS Glue counts them."""


@pytest.mark.parametrize("name", [one for one in TYPES if not one.endswith("Entry")])
def test_the_message_type_is_found_by_its_number(name: str, tmp_path: Path) -> None:
    """Not by a path: so the body of protoc is read with the type that wrote it."""
    field = {"shop.A": "id", "shop.B": "b"}.get(name, name[-1].lower())
    body = Protoc(tmp_path, PROTO).encode(name, f"{field}: 7")
    transcode = compile_protobuf(WrittenSchema("PROTOBUF", PROTO, indexes="glue"))
    document = transcode(Frame(VERSION, bytes([TYPES.index(name)]) + body, None))
    assert 7 == json.loads(document)[field]


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b"\1", "DECODE_SYNTAX: expected the index of a message of this schema, got another"),
        (b"\6", "DECODE_SYNTAX: expected the index of a message of this schema, got another"),
        (b"\xff\x01", "DECODE_SYNTAX: expected the index of a message of this schema"),
        (b"", "DECODE_FRAMED: expected Protobuf message indexes after the schema id"),
        (b"\x80", "DECODE_FRAMED: expected Protobuf message indexes after the schema id"),
    ],
)
def test_a_number_of_no_message_is_refused(content: bytes, detail: str) -> None:
    """The entry of a map is not a message that a record has."""
    transcode = compile_protobuf(WrittenSchema("PROTOBUF", PROTO, indexes="glue"))
    with pytest.raises(RecordError) as caught:
        transcode(Frame(VERSION, content, None))
    assert str(caught.value).startswith(detail)
