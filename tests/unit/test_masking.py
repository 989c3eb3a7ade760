"""Texts of other systems before they are logged."""

from __future__ import annotations

import pytest

from consumer.masking import MASKED_CHARS, escape, mask


@pytest.mark.parametrize(
    "text",
    [
        "Bad Request: JSON is properly formatted but has a mismatch with Schema.",
        "#/age: expected type: Number, found: String",
        "#: required key [email] not found",
        "#: extraneous key [Email_c] is not permitted",
        "Field 'email' is required",
        "user hasn't approved this consumer",
        "expired access/refresh token",
        "value is required for property `name`",
        "COMMON_ERROR_GENERIC",
    ],
)
def test_names_and_words_stay(text: str) -> None:
    """Operators need the names of faults and fields."""
    assert text == mask(text)


@pytest.mark.holds("I17")
@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ('value "Ann Lee" is wrong', "Ann"),
        ("value 'Ann O'Brien x' is wrong", "Brien"),
        ("unclosed 'Ann Lee", "Lee"),
        ('unclosed "Ann Lee', "Lee"),
        ("#/born: [1999-01-01] is not a valid date-time", "1999"),
        ("#/id:4711 wrong", "4711"),
        ("call +49 (171) 555-0101 now", "555"),
        ("mail ann.lee+x@example.org bounced", "example"),
        ("mail [a]ann@example.org bounced", "ann@"),
        ("body {'name': Ann, 'more': {}} end", "Ann"),
        ("body {name: Ann", "Ann"),
        ("name=Ann, rest", "Ann"),
        ("found: Ann, expected: Number", "Ann"),
        ("value Ann is not a number", "Ann"),
        ("input: {Ann", "Ann"),
        ("Name Zoë is wrong", "Zo"),
        ("名前は wrong", "名"),
        ("token eyJhbGciOiJSUzIabcdefghijklmnopqrstuv bad", "eyJ"),
        ("key aGVsbG9oZWxsb2hlbGxvaGVsbG9oZWxsb2hlbGxv bad", "aGVs"),
        ("tag <b>Ann", "<b>"),
        ("order A17B refused", "A17B"),
    ],
)
def test_values_are_masked(text: str, secret: str) -> None:
    """Everything with the form or the position of a value is masked."""
    assert secret not in mask(text)
    assert "***" in mask(text)


def test_length_is_bounded_j39() -> None:
    """At most 512 characters are returned, whatever the input is."""
    assert MASKED_CHARS == len(mask("word " * 10_000))


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a\u202eb", "a\\u202eb"),
        ("a\x1b[31mb", "a\\u001b[31mb"),
        ("a\x00b", "a\\u0000b"),
        ("a\u200fb", "a\\u200fb"),
        ("a\ud800b", "a\\ud800b"),
        ("plain", "plain"),
        ("Zoë", "Zoë"),
    ],
)
def test_invisible_characters_are_escaped_c09(text: str, escaped: str) -> None:
    """No character that reverses, hides or colours text gets into a log line."""
    assert escaped == escape(text)


def test_line_ends_are_replaced() -> None:
    """The result is one line."""
    assert "a b c" == mask("a\r\nb\n\n c")


@pytest.mark.parametrize(
    "piece", ["a", "A", "a.", "'", '"', "{", "[", "@", "a@", "#/a", "key ", "value ", "=a", "é!"]
)
def test_hostile_texts_are_bounded(piece: str) -> None:
    """Texts made for catastrophic backtracking are masked quickly, too."""
    assert len(mask(piece * 100_000)) <= MASKED_CHARS
