"""Debezium's placeholder is recognised in each of its forms, and nothing else is."""

from __future__ import annotations

import base64
import json

import pytest

from consumer.decoding.opened import Digits, Nested
from consumer.decoding.placeholders import DEFAULT_PLACEHOLDERS, PLACEHOLDER

IN_NUMBERS = list(PLACEHOLDER.encode())


@pytest.mark.parametrize(
    "opened",
    [
        pytest.param(PLACEHOLDER, id="text"),
        pytest.param(base64.b64encode(PLACEHOLDER.encode()).decode(), id="base64"),
        pytest.param(PLACEHOLDER.encode().hex(), id="hex"),
        pytest.param(Nested(json.dumps([PLACEHOLDER])), id="array"),
        pytest.param(Nested(json.dumps(["a", PLACEHOLDER])), id="one-of-an-array"),
        pytest.param(Nested(json.dumps(IN_NUMBERS)), id="numbers"),
        pytest.param(Nested(json.dumps({PLACEHOLDER: PLACEHOLDER})), id="map"),
        pytest.param(Nested(f'[1e400,"{PLACEHOLDER}"]'), id="beside-a-number-no-double-holds"),
    ],
)
def test_the_placeholder_is_recognised(opened: str) -> None:
    """In every form that the connectors write."""
    assert DEFAULT_PLACEHOLDERS.matches(opened)


@pytest.mark.parametrize(
    "opened",
    [
        pytest.param("a", id="text"),
        pytest.param(Digits("95"), id="number"),
        pytest.param(Nested("[95]"), id="other-numbers"),
        pytest.param(Nested(json.dumps(list(map(str, IN_NUMBERS)))), id="numbers-as-texts"),
        pytest.param(Nested("[95,1e400]"), id="a-number-no-double-holds"),
        pytest.param(Nested(json.dumps({"a": PLACEHOLDER})), id="another-map"),
        pytest.param(Nested(json.dumps([[PLACEHOLDER]])), id="further-inside"),
        pytest.param(Nested("[" * 499 + "95" + "]" * 499), id="deep"),
    ],
)
def test_any_other_value_is_not_a_placeholder(opened: str) -> None:
    """No content makes the check fail."""
    assert not DEFAULT_PLACEHOLDERS.matches(opened)
