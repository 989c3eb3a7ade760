"""Every frame is opened, and bytes without one are said to be that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumer.decoding.wire_form import VALUE_HEADER, Frame, frame_of, schema_of, shown
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
            b"", [(VALUE_HEADER, b"\1" + GUID)], Frame(GUID, b"", b""), id="no-body-behind-a-header"
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
def test_a_frame_is_opened(content: bytes, headers: Headers, frame: Frame) -> None:
    """Schema and body, wherever the id stands; both ways of asking agree on the schema."""
    assert frame == frame_of(content, headers, VALUE_HEADER)
    assert frame.schema == schema_of(content, headers, VALUE_HEADER)


WANTED = "the schema registry's wire form wanted (a zero and an id, or a one and a GUID), "


@pytest.mark.parametrize(
    ("content", "headers", "said"),
    [
        pytest.param(b"", (), f"DECODE_EMPTY: {WANTED}0 bytes found", id="empty"),
        pytest.param(
            b"\0\0\0\1",
            (),
            f"DECODE_FRAMED: {WANTED}4 bytes found, which is too short",
            id="short-id",
        ),
        pytest.param(
            b"\1" + GUID[:15],
            (),
            f"DECODE_FRAMED: {WANTED}16 bytes found, which is too short",
            id="short-guid",
        ),
        pytest.param(
            b' {"op":"c"}',
            (),
            f"DECODE_FRAMED: {WANTED}bare JSON found; write `encoding: json`, or let the producer"
            " use its registry's serialiser",
            id="bare-json",
        ),
        pytest.param(b"Obj\1", (), f"DECODE_FRAMED: {WANTED}other bytes found", id="container"),
        pytest.param(
            b"\0\2\2\2\16",
            [("apicurio.value.globalId", bytes(7) + b"\1"), ("apicurio.value.encoding", b"BINARY")],
            f"DECODE_FRAMED: {WANTED}an id in Apicurio's own headers found; set"
            " apicurio.registry.headers.enabled=false and"
            " apicurio.registry.as-confluent=true at its producer",
            id="apicurios-own-headers",
        ),
        pytest.param(
            b"\0\0\0\0\1x",
            [(VALUE_HEADER, None)],
            "DECODE_FRAMED in $header.__value_schema_id: a schema id wanted, something else found",
            id="header-without-id",
        ),
    ],
)
def test_bytes_in_no_frame_are_refused(content: bytes, headers: Headers, said: str) -> None:
    """By what stands there instead; no schema is asked for then."""
    with pytest.raises(RecordError) as caught:
        frame_of(content, headers, VALUE_HEADER)
    assert said == str(caught.value)
    assert schema_of(content, headers, VALUE_HEADER) is None


def test_a_schema_is_named_as_the_registry_names_it() -> None:
    """By number, or by GUID with its dashes."""
    assert ("schema 7", "schema 00010203-0405-0607-0809-0a0b0c0d0e0f") == (shown(7), shown(GUID))
