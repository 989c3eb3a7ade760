"""Redaction: secrets are masked, other text stays, and a line stays one line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.admin.redaction import clean, names_a_secret

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2lnbmF0dXJl-_x"
SESSION = "00D5e000000Abcd!AQoAQKx9._yZsecretsecret"


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        (JWT, f"answered 401 to {JWT} again"),
        (JWT, f'{{"access_token":"{JWT}","token_type":"Bearer"}}'),
        (SESSION, f"sid={SESSION}; path=/"),
        ("s3cr3tvalue", "client_secret=s3cr3tvalue&grant_type=password"),
        ("s3cr3tvalue", "Authorization: Bearer s3cr3tvalue"),
        ("s3cr3tvalue", "authorization header Bearer s3cr3tvalue seen"),
        ("hunter22", "sasl.password = 'hunter22'"),
        ("hunter22", '"password": "hunter22"'),
        ("MIIEvQ", "-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----"),
        ("MIIEvQ", "-----BEGIN RSA PRIVATE KEY-----\nMIIEvQ cut off here"),
        ("abcdef0123", "Set-Cookie: abcdef0123"),
    ],
)
def test_a_secret_is_masked(secret: str, text: str) -> None:
    """A secret is recognised by its form, or by the name before it."""
    assert secret not in clean(text)


@pytest.mark.parametrize(
    "text",
    [
        "the token was refused twice",
        "token refused.",
        "config 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "shop.public.customers[3] at 17: FIELD_TYPE in age",
        "password file /run/secrets/x is missing",
        "naïve café 日本語 ✓",
    ],
)
def test_other_text_is_unchanged(text: str) -> None:
    """Words about secrets, checksums, places and other languages stay as they are."""
    assert text == clean(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("\u202egnp.exe", "\\u202egnp.exe", id="C09"),
        pytest.param(
            'ok\n{"level":"info"}\x1b[31m', 'ok\\u000a{"level":"info"}\\u001b[31m', id="C15"
        ),
        pytest.param("a\u2066b\u2069\u200b", "a\\u2066b\\u2069\\u200b", id="isolates"),
        pytest.param("a\u2028b\x85", "a\\u2028b\\u0085", id="separators"),
        pytest.param("\ud800", "\\ud800", id="lone-surrogate"),
    ],
)
def test_unsafe_characters_are_escaped(text: str, expected: str) -> None:
    """Characters that a terminal obeys, or that cannot be seen, are shown as escapes."""
    assert expected == clean(text)


def test_a_long_text_is_cut() -> None:
    """A line has a longest length."""
    assert 2000 == len(clean("x" * 100_000))


@given(st.text(max_size=200))
def test_any_text_becomes_one_visible_line(text: str) -> None:
    """The result is a single line that can be encoded, for any input."""
    assert 1 >= len(clean(text).encode().splitlines())


@pytest.mark.parametrize(
    "name", ["token", "access_token", "client_secret", "Authorization", "sasl.password", "cookie"]
)
def test_names_of_secrets_are_known(name: str) -> None:
    """A field of such a name is not shown as text."""
    assert names_a_secret(name)


@pytest.mark.parametrize("name", ["topic", "key_count", "reason", "object", "event"])
def test_other_names_are_not_secrets(name: str) -> None:
    """Fields of ordinary lines are shown."""
    assert not names_a_secret(name)
