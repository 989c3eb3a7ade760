"""The wire format is split in each of its forms; other bytes are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumer.decoding.schema_ids import VALUE_HEADER, shown
from consumer.decoding.wire_form import Frame, frame_of, schema_of
from consumer.errors import RecordError

if TYPE_CHECKING:
    from consumer.model import Headers

GUID = bytes(range(16))


@pytest.mark.parametrize(
    ("content", "headers", "frame"),
    [
        pytest.param(b"\0\0\0\1\2body", (), Frame(258, b"body", None), id="id"),
        pytest.param(
            b"\0\xff\xff\xff\xff", (), Frame(4_294_967_295, b"", None), id="largest-id-and-no-body"
        ),
        pytest.param(b"\1" + GUID + b"body", (), Frame(GUID, b"body", None), id="guid"),
        pytest.param(
            b"body",
            [(VALUE_HEADER, b"\1" + GUID)],
            Frame(GUID, b"body", b""),
            id="guid-in-a-header",
        ),
        pytest.param(
            b"", [(VALUE_HEADER, b"\1" + GUID)], Frame(GUID, b"", b""), id="no-body-with-a-header"
        ),
        pytest.param(
            b"\0\0\0\0\1x",
            [("apicurio.key.globalId", bytes(8))],
            Frame(1, b"x", None),
            id="a-header-of-the-key",
        ),
        pytest.param(
            b"\0body",
            [(VALUE_HEADER, b"\0\0\0\0\7")],
            Frame(7, b"\0body", b""),
            id="id-in-a-header",
        ),
        pytest.param(
            b"body",
            [(VALUE_HEADER, b"\0\0\0\0\7\2\4")],
            Frame(7, b"body", b"\2\4"),
            id="protobuf-in-a-header",
        ),
        pytest.param(
            b"\0\0\0\0\1x",
            [(VALUE_HEADER, b"\0\0\0\0\2"), (VALUE_HEADER, b"\0\0\0\0\3")],
            Frame(3, b"\0\0\0\0\1x", b""),
            id="the-last-header-counts",
        ),
    ],
)
def test_a_frame_is_split(content: bytes, headers: Headers, frame: Frame) -> None:
    """Schema and body, for every place of the id; both functions return the same schema."""
    assert frame == frame_of(content, headers, VALUE_HEADER)
    assert frame.schema == schema_of(content, headers, VALUE_HEADER)


EXPECTED = (
    "expected the schema registry's wire format (a zero byte and an id, or a one byte and a GUID),"
    " got "
)


@pytest.mark.parametrize(
    ("content", "headers", "detail"),
    [
        pytest.param(b"", (), f"DECODE_EMPTY: {EXPECTED}0 bytes", id="empty"),
        pytest.param(
            b"\0\0\0\1",
            (),
            f"DECODE_FRAMED: {EXPECTED}4 bytes, which is too short",
            id="short-id",
        ),
        pytest.param(
            b"\0", (), f"DECODE_FRAMED: {EXPECTED}1 byte, which is too short", id="one-byte"
        ),
        pytest.param(
            b"\1" + GUID[:15],
            (),
            f"DECODE_FRAMED: {EXPECTED}16 bytes, which is too short",
            id="short-guid",
        ),
        pytest.param(
            b' {"op":"c"}',
            (),
            f"DECODE_FRAMED: {EXPECTED}bare JSON; set the route's `encoding: json`, or let the"
            " producer use the registry's serializer",
            id="bare-json",
        ),
        pytest.param(
            b"Obj\1",
            (),
            f"DECODE_FRAMED: {EXPECTED}an Avro object container, which is not unpacked; let the"
            " producer use the registry's serializer",
            id="container",
        ),
        pytest.param(
            b"\0\2\2\2\16",
            [("apicurio.value.globalId", bytes(7) + b"\1"), ("apicurio.value.encoding", b"BINARY")],
            f"DECODE_FRAMED: {EXPECTED}an id in Apicurio's own headers; set"
            " apicurio.registry.headers.enabled=false and"
            " apicurio.registry.as-confluent=true at the producer",
            id="apicurios-own-headers",
        ),
        pytest.param(
            b"\0\0\0\0\1x",
            [(VALUE_HEADER, None)],
            (
                "DECODE_FRAMED in $header.__value_schema_id: expected a schema id in the header,"
                " got other bytes"
            ),
            id="header-without-id",
        ),
    ],
)
def test_bytes_in_another_form_are_refused(content: bytes, headers: Headers, detail: str) -> None:
    """The detail says what they look like, and no schema is fetched for them."""
    with pytest.raises(RecordError) as caught:
        frame_of(content, headers, VALUE_HEADER)
    assert detail == str(caught.value)
    assert schema_of(content, headers, VALUE_HEADER) is None


def test_a_schema_is_named_as_the_registry_names_it() -> None:
    """By its number, or by its GUID with hyphens."""
    assert ("schema 7", "schema 00010203-0405-0607-0809-0a0b0c0d0e0f") == (shown(7), shown(GUID))
