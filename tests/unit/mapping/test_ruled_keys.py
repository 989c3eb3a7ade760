"""Keys with rules: an upsert and a delete of one row have the same key."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from consumer.auth.settings import Secret
from consumer.mapping.settings import (
    Alternative,
    FieldRule,
    FieldType,
    ObjectSettings,
    RegexSettings,
)

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = FieldRule(source="id", hash="sha256", salt=Secret(value="s"))
BOTH_PATHS = pytest.mark.parametrize("times", [1, 4], ids=["first", "cached"])


def hashed(text: str) -> str:
    return hashlib.sha256(f"s{text}".encode()).hexdigest()


@BOTH_PATHS
@pytest.mark.parametrize(
    ("value", "key", "expected"),
    [
        pytest.param({"op": "c", "after": {"id": 42}}, None, "upsert", id="upsert-of-a-number"),
        pytest.param({"op": "c", "after": {"id": "42"}}, None, "upsert", id="upsert-of-text"),
        pytest.param({"op": "d", "before": {"id": 42}}, None, "delete", id="delete-by-the-old-row"),
        pytest.param({"op": "d", "before": None}, {"id": 42}, "delete", id="delete-by-the-key"),
        pytest.param({"op": "d", "before": None}, b'"42"', "delete", id="delete-by-a-scalar-key"),
        pytest.param(None, {"id": 42}, "delete", id="tombstone"),
        pytest.param(None, b"42", "delete", id="tombstone-with-a-scalar-key"),
    ],
)
def test_hashed_key_is_one_over_upsert_and_delete(
    value: object, key: object, expected: str, times: int, mapping: Callable[..., Any]
) -> None:
    """A delete that had another key would leave the row at the tenant."""
    route = mapping(fields={"id": KEY}, format="debezium", tombstones="delete")
    outcomes = [route.outcome(value, key=key)[:2] for _ in range(times)]

    assert [(expected, hashed("42"))] * times == outcomes


@BOTH_PATHS
def test_changed_key_deletes_the_old_hash(times: int, mapping: Callable[..., Any]) -> None:
    """The old row has another hash, under which it is deleted."""
    route = mapping(fields={"id": KEY}, format="debezium")
    change = {"op": "u", "before": {"id": 1}, "after": {"id": 2}}
    for _ in range(times):
        deleted, upserted = route.outcome(change)

        assert ("delete", hashed("1")) == deleted
        assert ("upsert", hashed("2")) == upserted[:2]


def test_change_that_the_key_does_not_show_is_one_upsert(mapping: Callable[..., Any]) -> None:
    """Two spellings of one key are one row, which must not be deleted."""
    rule = FieldRule(source="id", normalise="email", hash="sha256")
    route = mapping(fields={"id": rule}, format="debezium")
    change = {"op": "u", "before": {"id": "A@b.c"}, "after": {"id": "a@b.c "}}

    assert ("upsert", hashlib.sha256(b"a@b.c").hexdigest()) == route.outcome(change)[:2]


@BOTH_PATHS
@pytest.mark.parametrize(
    ("rule", "value", "expected"),
    [
        pytest.param(KEY, "", "KEY_EMPTY", id="empty-has-no-hash"),
        pytest.param(KEY, None, "KEY_MISSING", id="null-has-no-hash"),
        pytest.param(KEY, True, "KEY_TYPE", id="boolean"),
        pytest.param(KEY, 1.5, "KEY_TYPE", id="fraction"),
        pytest.param(KEY, [1], "KEY_TYPE", id="array"),
        pytest.param(KEY, "k" * 300, hashed("k" * 300), id="a-long-key-has-a-short-hash"),
        pytest.param(KEY, 0, hashed("0"), id="zero"),
        pytest.param(
            FieldRule(source="id", regex=RegexSettings(pattern="^C-0*", replacement="")),
            "C-007",
            "7",
            id="regex",
        ),
        pytest.param(FieldRule(source="id", replace={"7": ""}), 7, "KEY_EMPTY", id="nothing-left"),
        pytest.param(
            FieldRule(source="id", replace={"a": "k" * 300}), "a", "KEY_SIZE", id="too-long"
        ),
        pytest.param(FieldRule(source="id", upper=True), "ab", "AB", id="upper"),
        pytest.param(FieldRule(source="id", normalise="phone"), "1", "FIELD_FORMAT", id="phone"),
    ],
)
def test_key_by_a_rule(
    rule: FieldRule, value: object, expected: str, times: int, mapping: Callable[..., Any]
) -> None:
    """The text after all steps is the key, and it is judged like any key."""
    route = mapping(fields={"id": rule})
    outcomes = [route.outcome({"id": value}) for _ in range(times)]
    keys = [one if isinstance(one, str) else one[1] for one in outcomes]

    assert [expected] * times == keys


@BOTH_PATHS
def test_number_key_with_replaced_text(times: int, mapping: Callable[..., Any]) -> None:
    """A key of a number field is a number after its text was replaced."""
    target = ObjectSettings(
        name="things",
        fields={"id": FieldType.NUMBER, "name": FieldType.TEXT},
        primary_key="id",
    )
    rule = FieldRule(source="id", number=True, replace={"C-": ""})
    route = mapping(target, fields={"id": rule})
    for _ in range(times):
        assert ("upsert", "7", {"id": "7", "name": None}) == route.outcome({"id": "C-7"})
        assert ("upsert", "8", {"id": "8", "name": None}) == route.outcome({"id": 8})


@BOTH_PATHS
@pytest.mark.parametrize(
    "row",
    [
        pytest.param({"changed": "2024-02-29 10:00:00 UTC"}, id="first"),
        pytest.param({"changed": None, "made": "2024-02-29T10:00:00Z"}, id="second"),
    ],
)
def test_record_modified_by_rules(
    row: dict[str, Any], times: int, things: ObjectSettings, mapping: Callable[..., Any]
) -> None:
    """The first time that a row has is its version."""
    target = ObjectSettings(
        name="things", fields=things.fields, primary_key="id", record_modified="seen"
    )
    alternatives = (Alternative(source="changed"), Alternative(source="made"))
    route = mapping(
        target, fields={"seen": FieldRule(first_of=alternatives, replace={" UTC": "Z"})}
    )
    for number in range(times):
        assert "2024-02-29T10:00:00.000Z" == route.row({"id": number} | row)["seen"]
