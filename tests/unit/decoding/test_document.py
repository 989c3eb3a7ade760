"""Value bytes are opened as a JSON object, or refused with a detail without the value."""

from __future__ import annotations

import pytest

from consumer.decoding.document import DEEPEST, open_object
from consumer.errors import RecordError


def detail_of(value: bytes) -> str:
    """Return reason and detail for bytes that are not a JSON object."""
    with pytest.raises(RecordError) as raised:
        open_object(value)
    return f"{raised.value.reason}: {raised.value.detail}"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(
            b"  ",
            "DECODE_EMPTY: expected a JSON object, got white space only (length 2)",
            id="A02",
        ),
        pytest.param(b"", "DECODE_EMPTY: expected a JSON object, got 0 bytes", id="A01"),
        pytest.param(b"[1]", "DECODE_NOT_OBJECT: expected a JSON object, got an array", id="A11"),
        pytest.param(b"42", "DECODE_NOT_OBJECT: expected a JSON object, got a number", id="A09"),
        pytest.param(
            b'" {}"',
            (
                "DECODE_NOT_OBJECT: expected a JSON object, got text that holds a JSON document"
                " (double encoded): let the producer encode it once, or read it with"
                " `row: {parse: json}` and format json"
            ),
            id="A10",
        ),
        pytest.param(b'"abc"', "DECODE_NOT_OBJECT: expected a JSON object, got text", id="text"),
        pytest.param(
            b"\x1f\x8b",
            (
                "DECODE_FRAMED: expected JSON, got gzip, which is not unpacked; let the producer"
                " write JSON"
            ),
            id="A38",
        ),
        *[
            pytest.param(
                value,
                (
                    "DECODE_FRAMED: expected JSON, got lengths before each event, as TiCDC's open"
                    " protocol has them; set protocol=canal-json or protocol=debezium in the sink"
                    " URI of the changefeed"
                ),
                id=f"open-protocol-{name}",
            )
            for name, value in {
                "row": (20).to_bytes(8) + b'{"u":{"id":{"v":1}}}',
                "rows": 2 * ((20).to_bytes(8) + b'{"u":{"id":{"v":1}}}'),
                "resolved": bytes(8),
            }.items()
        ],
        pytest.param(
            b"\x00\x00\x00\x00\x01\x02",
            (
                "DECODE_FRAMED: expected JSON, got the Confluent wire format; set the"
                " route's `encoding` and kafka.schema_registry.url"
            ),
            id="A39",
        ),
        pytest.param(
            b'{"a":"\xe9"}',
            "DECODE_ENCODING: expected UTF-8, got an invalid byte at position 6",
            id="A30",
        ),
        pytest.param(
            b'{"a":1,}',
            "DECODE_SYNTAX: not valid JSON: trailing comma in object (byte 7)",
            id="A16",
        ),
        pytest.param(
            b'{"a":"\\ud800"}',
            "DECODE_ENCODING: expected whole characters, got an escaped half of a surrogate pair",
            id="C01",
        ),
        pytest.param(
            b'{"a":"x', "DECODE_SYNTAX: not valid JSON: Input data was truncated", id="A15"
        ),
    ],
)
def test_detail_says_what_was_expected_and_found(value: bytes, expected: str) -> None:
    """The operator reads the kind, the position and the next step."""
    assert expected == detail_of(value)


@pytest.mark.parametrize(
    "value",
    [b'{"a":1,"a":2}', b'{"a":2,"\\u0061":2}', b' \n{"a":2}\r\n'],
    ids=["last-of-two-names", "escaped-name", "white-space-around"],
)
def test_object_is_opened_one_level_deep(value: bytes) -> None:
    """Members stay unparsed; of two members with the same name, the last counts."""
    assert {"a": b"2"} == {name: bytes(raw) for name, raw in open_object(value).items()}


@pytest.mark.parametrize("closing", range(1, 12))
def test_every_truncation_is_a_fault(closing: int) -> None:
    """A document cut anywhere is DECODE_SYNTAX."""
    whole = b'{"a":[1,2]}x'

    assert detail_of(whole[:closing][:10]).startswith("DECODE_SYNTAX")


@pytest.mark.parametrize("opening", ["[", '{"a":'], ids=["arrays", "objects"])
def test_depth_has_its_own_limit(opening: str) -> None:
    """It is below the limit of the interpreter's stack, because members are opened deeper in it."""
    closing = {"[": "]", '{"a":': "}"}[opening]
    inner = DEEPEST - 1

    assert open_object(f'{{"x":{opening * inner}1{closing * inner}}}'.encode()).keys() == {"x"}
    assert detail_of(f'{{"x":{opening * DEEPEST}1{closing * DEEPEST}}}'.encode()).startswith(
        "DECODE_DEPTH"
    )


def test_brackets_in_texts_and_side_by_side_are_not_depth() -> None:
    """Only brackets that are open at the same time count."""
    texts = '"' + '\\"[{' * DEEPEST + '"'
    assert open_object(f'{{"x":{texts},"y":[{"[1]," * DEEPEST}1]}}'.encode()).keys() == {"x", "y"}
