"""Framings are named plainly, with what to do, in a value, in headers and in a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumer.decoding import glue_form, wire_form
from consumer.decoding.framings import framing_of, not_json
from consumer.decoding.kafka_key import KafkaKey
from consumer.decoding.schema_ids import KEY_HEADER, VALUE_HEADER
from consumer.errors import Reason, RecordError
from consumer.mapping.routing import RouteTable
from consumer.mapping.settings import (
    EncodingName,
    FieldRule,
    FieldType,
    ObjectSettings,
    RouteSettings,
)
from consumer.model import Delete, PlainRecord

if TYPE_CHECKING:
    from consumer.model import Headers

GUID = bytes(range(16))
AZURE = "0123456789abcdef0123456789abcdef"
CONFLUENT_KEY = "set the route's `encoding` and kafka.schema_registry.url"
GLUE_KEY = "set the route's `encoding` and kafka.schema_registry: {type: glue, region: REGION}"
APICURIO_KEY = (
    "set apicurio.registry.headers.enabled=false and apicurio.registry.as-confluent=true at the"
    " producer, and here the route's `encoding` and kafka.schema_registry.url"
)
AZURE_KEY = (
    "its API is not Confluent's and is not read: let the producer write JSON, or use a registry"
    " with Confluent's API"
)
AZURE_NAME = f"the framing of Azure's schema registry; {AZURE_KEY}"
FRAMED = [
    pytest.param(
        b"\0\0\0\1\2\2a",
        (),
        f"the Confluent wire format; {CONFLUENT_KEY}",
        id="confluent",
    ),
    pytest.param(
        b"\1" + GUID + b"\2",
        (),
        f"the Confluent wire format with a schema GUID; {CONFLUENT_KEY}",
        id="confluent-guid",
    ),
    pytest.param(
        b"\2\4a",
        [(VALUE_HEADER, b"\0\0\0\0\7")],
        f"the Confluent wire format with its schema id in a header; {CONFLUENT_KEY}",
        id="confluent-header",
    ),
    pytest.param(b"\3\0" + GUID + b"\2", (), f"AWS Glue's frame; {GLUE_KEY}", id="glue"),
    pytest.param(
        b"\3\5" + GUID + b"\x78\x9c", (), f"AWS Glue's frame; {GLUE_KEY}", id="glue-in-zlib"
    ),
    pytest.param(
        b"\0\0\0\0\0\0\0\0\7\2",
        (),
        (
            "Apicurio's frame with an id of 8 bytes; set apicurio.registry.as-confluent=true at the"
            " producer (in version 3: apicurio.registry.id-handler="
            "io.apicurio.registry.serde.Default4ByteIdHandler), and here the route's `encoding` and"
            " kafka.schema_registry.url"
        ),
        id="apicurio-long-id",
    ),
    *(
        pytest.param(
            b"\2\4a",
            [(f"apicurio.value.{name}", bytes(7) + b"\1")],
            f"an id in Apicurio's own headers; {APICURIO_KEY}",
            id=f"apicurio-{name}",
        )
        for name in ("globalId", "contentId", "contentHash", "artifactId")
    ),
    pytest.param(
        b"\2\4a",
        [("content-type", f"avro/binary+{AZURE}".encode())],
        AZURE_NAME,
        id="azure",
    ),
    pytest.param(
        b"\0\2\2\2\2a",
        [("content-type", f"avro/binary+{AZURE.upper()}".encode())],
        AZURE_NAME,
        id="azure-and-a-zero",
    ),
    pytest.param(b"\0\0\0\0" + AZURE.encode() + b"\2", (), AZURE_NAME, id="azure-preamble"),
    pytest.param(
        b"\xc3\x01" + bytes(8) + b"\2",
        (),
        (
            "Avro's single-object encoding; it has no schema id but a fingerprint: let the producer"
            " use the serializer of a schema registry"
        ),
        id="single-object",
    ),
    pytest.param(
        b"Obj\1",
        (),
        "an Avro object container, which is not unpacked; let the producer write JSON",
        id="container",
    ),
]


def route(encoding: EncodingName = "json") -> RouteTable:
    routes = [
        RouteSettings(
            topics=("t",),
            object="rows",
            format="json",
            encoding=encoding,
            tombstones="delete",
            fields={"id": FieldRule(source="id")},
        )
    ]
    target = ObjectSettings(name="rows", fields={"id": FieldType.TEXT}, primary_key="id")
    return RouteTable(routes, "shop", {"rows": target})


def fault_of(value: bytes | None, headers: Headers = (), *, key: bytes | None = None) -> str:
    """Return the fault of a record under a route that reads JSON."""
    (mapper,) = route().mappers("t")
    with pytest.raises(RecordError) as caught:
        mapper.map(PlainRecord("t", 0, 0, key=key, value=value, headers=headers), 1_800_000_000_000)
    return str(caught.value)


@pytest.mark.parametrize(("content", "headers", "said"), FRAMED)
def test_a_value_names_its_framing_where_json_is_read(
    content: bytes, headers: Headers, said: str
) -> None:
    """With what to set, or what to change at the producer."""
    assert f"DECODE_FRAMED: expected JSON, got {said}" == fault_of(content, headers)


@pytest.mark.parametrize(("content", "headers", "said"), FRAMED)
def test_a_value_in_another_frame_than_the_registry_of_the_route_is_named(
    content: bytes, headers: Headers, said: str
) -> None:
    """Under Confluent's registry and under AWS Glue's; no schema is asked for."""
    # An id of 48 and two texts of 24 digits look like Azure's older framing.
    is_confluent = "Confluent wire format" in said or content.startswith(
        b"\0\0\0\0" + AZURE.encode()
    )
    is_glue = "AWS Glue" in said
    name = said.partition(";")[0]
    for wire, reads_it in ((wire_form, is_confluent), (glue_form, is_glue)):
        if reads_it:
            continue
        assert wire.schema_of(content, headers, VALUE_HEADER) is None
        with pytest.raises(RecordError) as caught:
            wire.frame_of(content, headers, VALUE_HEADER)
        assert Reason.DECODE_FRAMED is caught.value.reason
        assert f", got {name}; " in caught.value.detail


def test_what_to_set_depends_on_what_is_read() -> None:
    """A route that reads the other registry has its encoding already."""
    with pytest.raises(RecordError, match=r"Glue's frame; set kafka.schema_registry: \{type: glue"):
        wire_form.frame_of(b"\3\0" + GUID, (), VALUE_HEADER)
    with pytest.raises(RecordError, match=r"wire format; set kafka.schema_registry.url$"):
        glue_form.frame_of(b"\0\0\0\0\7x", (), VALUE_HEADER)
    with pytest.raises(RecordError, match=r"unpacked; let the producer use the registry's serial"):
        glue_form.frame_of(b"\x1f\x8b", (), VALUE_HEADER)


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        pytest.param(b'{"id":1}', [("content-type", b"application/json")], id="json"),
        pytest.param(
            b'{"id":1}', [("content-type", f"application/json+{AZURE}".encode())], id="azure-json"
        ),
        pytest.param(b'{"id":1}', [(VALUE_HEADER, b"\0\0\0\0\7")], id="json-schema-in-a-header"),
        pytest.param(b'{"id":1}', [("apicurio.value.globalId", bytes(8))], id="apicurio-json"),
        pytest.param(b'{"id":1}', [("apicurio.key.globalId", bytes(8))], id="of-the-key"),
    ],
)
def test_json_is_read_whatever_the_headers_say(content: bytes, headers: Headers) -> None:
    """A body in JSON needs no schema."""
    (mapper,) = route().mappers("t")
    mapper.map(PlainRecord("t", 0, 0, value=content, headers=headers), 1_800_000_000_000)


@pytest.mark.parametrize(
    ("content", "headers", "reason"),
    [
        pytest.param(b"\xff\x00", (), "DECODE_ENCODING", id="other-bytes"),
        pytest.param(b"\2\4a", [("content-type", b"avro/binary")], "DECODE_SYNTAX", id="no-id"),
        pytest.param(b"\2\4a", [("content-type", None)], "DECODE_SYNTAX", id="null-header"),
        pytest.param(
            b"\2\4a", [("apicurio.key.globalId", bytes(8))], "DECODE_SYNTAX", id="of-the-key"
        ),
        pytest.param(b"\0{\0}", (), "DECODE_SYNTAX", id="utf-16"),
        pytest.param(b"\3\1" + bytes(17), (), "DECODE_SYNTAX", id="no-compression-of-glue"),
        pytest.param(b"\3\0" + bytes(15), (), "DECODE_SYNTAX", id="short-of-glue"),
        pytest.param(b"", [("apicurio.value.globalId", bytes(8))], "DECODE_EMPTY", id="empty"),
    ],
)
def test_other_bytes_are_not_taken_for_a_frame(
    content: bytes, headers: Headers, reason: str
) -> None:
    """They keep the reason that they have by themselves."""
    assert reason == fault_of(content, headers).partition(":")[0]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (b"\0\0\0\0\7\2a", f"the Confluent wire format; {CONFLUENT_KEY}"),
        (b"\3\0" + GUID + b"\2", f"AWS Glue's frame; {GLUE_KEY}"),
        (b"\0\0\0\0" + AZURE.encode(), AZURE_NAME),
    ],
)
def test_a_framed_key_is_named_and_never_used_as_text(key: bytes, said: str) -> None:
    """It would delete a row that does not exist."""
    assert f"DECODE_FRAMED in $key: expected JSON or text as Kafka key, got {said}" == fault_of(
        None, key=key
    )


@pytest.mark.parametrize("encoding", ["json", "avro"])
@pytest.mark.parametrize("key", [b"\x0e", b"0", b"H550e8400-e29b-41d4", b'"seventeen signs .'])
def test_a_key_with_its_schema_in_a_header_is_never_used_as_text(
    key: bytes, encoding: EncodingName
) -> None:
    """Its bytes are a body in Avro, some of them also text or a number."""
    (mapper,) = route(encoding).mappers("t")
    headers = [("apicurio.key.globalId", bytes(7) + b"\1")]
    with pytest.raises(RecordError) as caught:
        mapper.map(PlainRecord("t", 0, 0, key=key, value=None, headers=headers), 1_800_000_000_000)
    assert (
        "DECODE_FRAMED in $key: expected JSON or text as Kafka key, got an id in Apicurio's own"
        f" headers; {APICURIO_KEY}" == str(caught.value)
    )


def test_a_key_of_confluent_with_its_id_in_a_header_is_named() -> None:
    """Where JSON is read."""
    said = fault_of(None, [(KEY_HEADER, b"\0\0\0\0\7")], key=b"\x0e")
    assert said.startswith(
        "DECODE_FRAMED in $key: expected JSON or text as Kafka key, got the Conf"
    )


@pytest.mark.parametrize("key", [b'{"id":"7"}', b'"7"'])
def test_a_key_in_json_is_read_whatever_the_headers_say(key: bytes) -> None:
    """A serializer for JSON Schema writes JSON."""
    (mapper,) = route().mappers("t")
    headers = [(KEY_HEADER, b"\0\0\0\0\7")]
    mapped = mapper.map(PlainRecord("t", 0, 0, key=key, value=None, headers=headers), 0)
    assert isinstance(mapped, Delete)
    assert "7" == mapped.key


@pytest.mark.parametrize(
    ("key", "serializer"),
    [
        (b"\0\0\0\0\0\0\0\5", "LongSerializer"),
        (b"\0\0\0\5", "IntegerSerializer"),
        (b"\0\5", "ShortSerializer"),
    ],
)
def test_a_number_of_a_java_serializer_is_named(key: bytes, serializer: str) -> None:
    """Its bytes are valid UTF-8, but no text."""
    assert (
        f"DECODE_ENCODING in $key: expected JSON or text as Kafka key, got {len(key)} bytes of a"
        f" binary number (Java's {serializer}); let the producer write the key as text or JSON"
        == fault_of(None, key=key)
    )


@pytest.mark.parametrize("key", [b"\1a", b"\3", b"abc", b"7"])
def test_other_keys_are_text(key: bytes) -> None:
    """A control character by itself is not a frame."""
    assert key.decode() == KafkaKey(key).scalar


def test_a_framing_without_bytes_is_not_named() -> None:
    """Nothing to name."""
    assert framing_of(b"", (), KEY_HEADER) is None
    framing = framing_of(b"BZh", (), KEY_HEADER)
    assert framing is not None
    assert (
        "expected JSON, got bzip2, which is not unpacked; let the producer write JSON"
        == not_json(framing)
    )
