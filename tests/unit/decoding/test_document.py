"""Value bytes to a JSON object, or to a reason that says enough and never the value."""

from __future__ import annotations

import pytest

from consumer.decoding.document import DEEPEST, open_object
from consumer.errors import RecordError


def detail_of(value: bytes) -> str:
    """Return what is said about bytes that are no JSON object."""
    with pytest.raises(RecordError) as raised:
        open_object(value)
    return f"{raised.value.reason}: {raised.value.detail}"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(
            b"  ", "DECODE_EMPTY: JSON object wanted, 2 bytes of white space found", id="A02"
        ),
        pytest.param(b"[1]", "DECODE_NOT_OBJECT: JSON object wanted, an array found", id="A11"),
        pytest.param(b"42", "DECODE_NOT_OBJECT: JSON object wanted, a number found", id="A09"),
        pytest.param(
            b'" {}"',
            (
                "DECODE_NOT_OBJECT: JSON object wanted, text found; it holds a JSON document"
                " (double encoded)"
            ),
            id="A10",
        ),
        pytest.param(b'"abc"', "DECODE_NOT_OBJECT: JSON object wanted, text found", id="text"),
        pytest.param(
            b"\x1f\x8b", "DECODE_FRAMED: JSON wanted, gzip found; nothing is unpacked", id="A38"
        ),
        pytest.param(
            b"\x00\x00\x00\x00\x01\x02",
            (
                "DECODE_FRAMED: JSON wanted, the schema registry's wire form found; write the"
                " route's `encoding`"
            ),
            id="A39",
        ),
        pytest.param(b'{"a":"\xe9"}', "DECODE_ENCODING: not UTF-8 at byte 6", id="A30"),
        pytest.param(
            b'{"a":1,}', "DECODE_SYNTAX: not JSON: trailing comma in object (byte 7)", id="A16"
        ),
        pytest.param(
            b'{"a":"\\ud800"}',
            "DECODE_ENCODING: an escape stands for half a character (a lone surrogate)",
            id="C01",
        ),
        pytest.param(b'{"a":"x', "DECODE_SYNTAX: not JSON: Input data was truncated", id="A15"),
    ],
)
def test_detail_says_what_was_wanted_and_found(value: bytes, expected: str) -> None:
    """The operator reads the kind of thing, the place and the way out."""
    assert expected == detail_of(value)


@pytest.mark.parametrize(
    "value",
    [b'{"a":1,"a":2}', b'{"a":2,"\\u0061":2}', b' \n{"a":2}\r\n'],
    ids=["last-of-two-names", "escaped-name", "white-space-around"],
)
def test_object_is_opened_one_level_deep(value: bytes) -> None:
    """Members stay closed; of two with one name the last counts."""
    assert {"a": b"2"} == {name: bytes(raw) for name, raw in open_object(value).items()}


@pytest.mark.parametrize("closing", range(1, 12))
def test_every_truncation_is_a_fault(closing: int) -> None:
    """A document cut anywhere is DECODE_SYNTAX."""
    whole = b'{"a":[1,2]}x'

    assert detail_of(whole[:closing][:10]).startswith("DECODE_SYNTAX")


@pytest.mark.parametrize("opening", ["[", '{"a":'], ids=["arrays", "objects"])
def test_depth_has_a_limit_of_its_own(opening: str) -> None:
    """What the interpreter's stack would still take is refused too.

    What opens the members stands deeper in it.
    """
    closing = {"[": "]", '{"a":': "}"}[opening]
    inner = DEEPEST - 1

    assert open_object(f'{{"x":{opening * inner}1{closing * inner}}}'.encode()).keys() == {"x"}
    assert detail_of(f'{{"x":{opening * DEEPEST}1{closing * DEEPEST}}}'.encode()).startswith(
        "DECODE_DEPTH"
    )


def test_brackets_in_texts_and_side_by_side_are_no_depth() -> None:
    """Only what is open at once counts."""
    texts = '"' + '\\"[{' * DEEPEST + '"'
    assert open_object(f'{{"x":{texts},"y":[{"[1]," * DEEPEST}1]}}'.encode()).keys() == {"x", "y"}
