"""Guesses for columns whose values do not prove a type."""

from __future__ import annotations

import pytest

from consumer.decoding.columns import Column
from consumer.operations.sampling.guesses import guess
from consumer.operations.sampling.sampled_rows import SeenColumn, is_unscaled


def seen(name: str, *texts: str | None, column: Column | None = None) -> SeenColumn:
    """Return a column with these values."""
    found = SeenColumn(name)
    for text in texts:
        found.look_at(text, column, "")
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("BNI=", True, id="two-bytes"),
        pytest.param("/w==", True, id="minus-one"),
        pytest.param("AA==", True, id="zero"),
        pytest.param("AIA=", True, id="a-byte-for-the-sign"),
        pytest.param("AAE=", False, id="a-byte-too-many"),
        pytest.param("//8=", False, id="a-byte-too-many-below-zero"),
        pytest.param("BNI", False, id="no-padding"),
        pytest.param("12.50", False, id="a-number"),
        pytest.param("", False, id="empty"),
    ],
)
def test_bytes_of_a_decimal(text: str, expected: object) -> None:
    """As few bytes as the integer needs, as Java encodes it."""
    assert expected == is_unscaled(text)


@pytest.mark.parametrize(
    ("column", "hinted"),
    [
        pytest.param(seen("unit_price", "BNI=", "AfQ=", None), True, id="all-of-them"),
        pytest.param(seen("unit_price", "BNI=", "for free"), False, id="one-is-text"),
        pytest.param(seen("token", "BNI=", "AfQ="), False, id="not-the-name-of-an-amount"),
    ],
)
def test_possible_decimals_get_a_hint(column: SeenColumn, hinted: object) -> None:
    """The type stays text, because only the user knows the scale."""
    found = guess(column, zoned=False)
    assert ("string", hinted) == (str(found.type), "a rule with its scale" in found.why)


@pytest.mark.parametrize(
    ("written", "kind"), [("integer", "number"), ("float", "number"), ("boolean", "boolean")]
)
def test_a_column_of_nulls_has_the_type_of_its_schema(written: str, kind: str) -> None:
    """If the source has a schema."""
    assert kind == str(guess(seen("x", None, column=Column(written=written)), zoned=False).type)  # type: ignore[arg-type]
